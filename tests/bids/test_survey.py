"""First contact: what `init` says about a dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.index import find_runs
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.survey import survey
from bidsapp.bids.survey_text import missing_for, proposed, survey_tables, survey_text
from bidsapp.recipes import RECIPES


@pytest.fixture
def complete(study):
    raw, prep = study
    for number in (1, 2):
        raw.tsv(
            f"sub-01/func/sub-01_task-music_run-{number}_events.tsv",
            "onset duration stim_file",
            *(f"{i} 1 pop/piece{number}{i:02d}.wav" for i in range(12)),
        )
        for i in range(12):
            raw.wav(f"stimuli/pop/piece{number}{i:02d}.wav")
    return raw, prep


def test_a_complete_dataset(complete) -> None:
    raw, _ = complete
    found = survey(raw.root)
    assert found.participants == ("01", "02")
    assert found.without_bold == ("02",)
    assert found.spaces["fsaverage5"] == (1, 2, 0)
    assert found.n_confounds == (2, 2)
    facts = found.tasks["music"]
    assert (facts.n_runs, facts.tr_s, facts.n_trs) == (2, (2.0,), (20,))
    assert (facts.n_presentations, facts.n_pieces, facts.n_missing) == (24, 24, 0)
    missing = missing_for(found, RECIPES)
    assert missing["gradients"] == missing["rsa"] == []
    assert missing["emotion3d"] == ["emotion labels (intervals or stimuli.tsv)"]
    text = survey_text(found, RECIPES)
    assert re.search(r"^ *gradients +ready$", text, re.MULTILINE)
    assert 0 < found.longest_s < RECIPES["gradients"].least_sound_s  # clips are for rsa
    assert f"musicotopy {raw.root} OUT_DIR participant --recipe rsa --dry-run" in text
    refused = survey_text(found, RECIPES, refused={"rsa": "there is one clip"})
    assert re.search(r"^ *rsa +missing: there is one clip$", refused, re.MULTILINE)
    assert "--recipe reconstruct --dry-run" in refused


def test_labels_complete_the_other_recipes(complete) -> None:
    raw, _ = complete
    raw.tsv(
        "stimuli/stimuli.tsv",
        "stim_file tags emotion valence arousal genre",
        "pop/piece100.wav calm|piano joy 0.5 0.1 n/a",
    )
    found = survey(raw.root)
    assert found.labels == ("tags", "emotion", "valence", "arousal")
    assert not any(missing_for(found, RECIPES).values())
    assert found.catalogue.values("tags") == {"pop/piece100.wav": ("calm", "piano")}
    assert survey_tables(found) == {}


def test_a_catalogue_without_labels_is_not_called_empty(complete) -> None:
    raw, _ = complete
    raw.tsv(
        "stimuli/stimuli.tsv", "stim_file duration", "pop/piece100.wav 1", "pop/piece101.wav 1"
    )
    text = survey_text(survey(raw.root), RECIPES)
    assert re.search(r"^ *stimuli\.tsv +2 rows, no genre or tags or caption$", text, re.MULTILINE)


def test_the_tables_to_fill_in_can_be_read(study, tree) -> None:
    raw, _ = study
    sounds = tree("sounds")
    sounds.wav("music1.wav", 3)
    sounds.wav("music2.wav", 4)
    found = survey(raw.root, sounds.root)
    assert missing_for(found, RECIPES)["gradients"] == ["what was played when (presentations.tsv)"]
    assert "--write DIR" in survey_text(found, RECIPES)
    for name, text in survey_tables(found).items():
        sounds.text(name, text)
    dataset = open_dataset(raw.root)
    runs, _ = find_runs(dataset, "01", space="fsLR")
    presentations, _ = find_presentations(dataset, runs, stimuli_dir=sounds.root)
    assert [(item.stim_file, item.duration_s) for item in presentations] == [
        ("music1.wav", 3.0),
        ("music2.wav", 4.0),
    ]
    again = survey(raw.root, sounds.root)
    assert again.tasks["music"].source == "presentations.tsv"
    assert survey_tables(again) == {}
    assert again.catalogue.of("music1.wav")["duration"] == "3.000"


def test_derivatives_and_variants_that_are_missing(tree) -> None:
    raw = tree("raw")
    raw.description()
    raw.volume("sub-01/func/sub-01_task-x_acq-a_bold.nii.gz")
    raw.volume("sub-01/func/sub-01_task-x_acq-b_bold.nii.gz")
    raw.text("sub-phantom/func/readme")
    found = survey(raw.root)
    missing = missing_for(found, RECIPES)["gradients"]
    assert any("fMRIPrep" in item for item in missing)
    assert any("--bids-filter-file" in item for item in missing)
    assert "acq-a, acq-b" in survey_text(found, RECIPES)
    assert "--allow-raw-bold" in survey_text(found, RECIPES).splitlines()[-1]


def test_images_without_content(study) -> None:
    raw, prep = study
    for path in prep.root.rglob("*_bold*"):
        if path.suffix != ".json":
            path.write_bytes(b"")
    found = survey(raw.root)
    assert found.spaces["fsLR"] == (1, 2, 2)
    assert "datalad get" in str(missing_for(found, RECIPES)["gradients"])
    assert found.tasks["music"].tr_s == (2.0,)
    assert "unknown (no content)" in survey_text(found, RECIPES)


def test_a_dataset_without_any_bold(tree) -> None:
    raw = tree("raw")
    raw.text("sub-01/beh/sub-01_task-x_beh.tsv", "a\n")
    found = survey(raw.root)
    assert missing_for(found, RECIPES)["gradients"][0] == "BOLD"
    assert "dataset_description.json" in survey_text(found, RECIPES)


@dataclass
class Needing:
    needs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("gifti", "cifti", "volume")
    least_sounds: int = 0
    least_sound_s: float = 0.0


def test_what_is_missing_follows_from_what_a_recipe_declares(complete) -> None:
    raw, _ = complete
    whole = survey(raw.root)
    found = replace(whole, spaces={"fsaverage5": whole.spaces["fsaverage5"]})
    recipes = {
        "nothing": Needing(),
        "volumes": Needing(kinds=("cifti", "volume")),
        "labels": Needing(needs=("intervals",)),
        "sounds": Needing(needs=("sounds",), least_sounds=24),
        "many": Needing(needs=("sounds",), least_sounds=25),
    }
    missing = missing_for(found, recipes)
    assert missing["nothing"] == missing["sounds"] == missing["many"] == []
    assert missing["volumes"] == ["BOLD grayordinates (CIFTI) or volumes"]
    assert missing["labels"] == ["emotion labels (intervals or stimuli.tsv)"]
    text = survey_text(found, recipes)
    assert "  many     ready; 24 sounds are few, 25 or more are better" in text
    assert "no recipe can run yet" not in text
    lacking = survey_text(found, {"labels": recipes["labels"]}).splitlines()
    assert lacking[-2].startswith("  no recipe can run yet; labels lacks least: emotion labels")
    first = {name: recipes[name] for name in ("many", "sounds")}
    assert survey_text(found, first).splitlines()[-1].endswith("--recipe sounds --dry-run")


def test_one_film_with_labels_is_for_the_recipe_that_needs_labels(complete) -> None:
    raw, _ = complete
    whole = survey(raw.root)
    labelled = replace(whole, intervals={"joy": 4})
    film = replace(labelled, stim_files=whole.stim_files[:1], longest_s=1200.0)
    refused = {"rsa": "there is one clip", "reconstruct": "there is one clip"}
    assert proposed(film, RECIPES, refused) == "emotion3d"
    several = replace(labelled, stim_files=whole.stim_files[:3], longest_s=1200.0)
    assert proposed(several, RECIPES, refused) == "gradients"


def test_the_template_lists_the_runs_that_exist(tree) -> None:
    raw = tree("raw")
    raw.description()
    for label, numbers in (("01", (2, 4)), ("02", (2, 3, 4))):
        for number in numbers:
            raw.volume(f"sub-{label}/func/sub-{label}_task-music_run-{number}_bold.nii.gz")
    text = survey_tables(survey(raw.root))["presentations.tsv"]
    rows = [line.split("\t")[:4] for line in text.splitlines()[1:]]
    assert [(row[3], row[1]) for row in rows] == [
        ("01", "2"),
        ("01", "4"),
        ("02", "2"),
        ("02", "3"),
        ("02", "4"),
    ]
    raw.volume("sub-01/func/sub-01_task-music_run-3_bold.nii.gz")
    text = survey_tables(survey(raw.root))["presentations.tsv"]
    rows = [line.split("\t")[:4] for line in text.splitlines()[1:]]
    assert [(row[3], row[1]) for row in rows] == [("n/a", "2"), ("n/a", "3"), ("n/a", "4")]


def test_people_are_looked_at_until_each_task_was_seen(tree) -> None:
    raw = tree("raw")
    raw.description()
    raw.wav("stimuli/a.wav", 5)
    for number in range(1, 8):
        task = "late" if number == 6 else "early"
        name = f"sub-0{number}/func/sub-0{number}_task-{task}"
        raw.volume(f"{name}_bold.nii.gz")
        raw.tsv(f"{name}_events.tsv", "onset duration stim_file", "0 5 a.wav")
    found = survey(raw.root)
    assert found.looked_at == ("01", "02", "03", "06")
    assert found.tasks["late"].n_presentations == 1
    text = survey_text(found, RECIPES)
    assert "3 from events.tsv (in 3 participants)" in text
    assert "1 from events.tsv" in text
