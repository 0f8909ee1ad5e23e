"""Music generated from what was decoded: a small random pipeline through the whole recipe."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bidsapp.audio.listening import ANSWER_COLUMNS
from bidsapp.cli.app import main
from bidsapp.cli.tools import main as tools_main
from bidsapp.errors import InputMissingError
from bidsapp.recipes import RECIPES
from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.group import listening_rows
from bidsapp.results.read import Results
from tests.audio.small_models import save_pipeline

CATALOGUE = RECIPES["reconstruct"].results
CHANGES = [
    "embedding_window_s=6",
    "step_s=6",
    "clip_s=10",
    "n_folds=3",
    "n_parcels=2",
    "n_best=1",
    "n_exchanges=0",
    "whole_brain=false",
    "genre_ablation=false",
    "encoding=false",
    "n_players=2",
    "curve_shifts_s=[]",
    "curve_lengths_s=[]",
    "log10_alpha=[2]",
    "generator_steps=2",
    "generated_s=0.256",
    "n_generated=2",
]


def run(study, out: Path, pipeline: Path, *words: str) -> int:
    """Run both levels for one participant, without a test over clips."""
    arguments = [str(study.data), str(out), "participant", "group", "-q", "-w", str(study.work)]
    arguments += ["--participant-label", "01", "--recipe", "reconstruct", *words]
    for change in [*CHANGES, f"generator={pipeline}"]:
        arguments += ["--set", f"reconstruct.{change}"]
    return main(arguments)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    return save_pipeline(tmp_path_factory.mktemp("pipelines"), "MusicLDMPipeline")


@pytest.fixture(scope="module")
def generated(study, pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    out = tmp_path_factory.mktemp("generated")
    encoder = str(pipeline / "text_encoder")
    assert run(study, out, pipeline, "--network", "clap", "--weights", encoder) == 0
    return Results(out, "reconstruct", CATALOGUE, "01")


def folder_of(results: Results) -> Path:
    (folder,) = (results.root / "sounds").iterdir()
    return folder


def test_sounds_are_those_of_the_decoded_embedding(generated: Results, pipeline: Path) -> None:
    from bidsapp.audio.generation import DiffusionGenerator, DiffusionSettings

    folder = folder_of(generated)
    made = sorted((folder / "reconstructions" / "generated").glob("*.flac"))
    assert len(made) == 4 * 2  # two clips of two genres, two samples each
    assert len(list((folder / "originals").glob("*.flac"))) == 4
    sidecar = json.loads(made[0].with_suffix(".json").read_text())
    (space,) = generated.spaces
    arrays = generated.arrays(declared.EMBEDDINGS, space, "clap")
    clips = generated.table(declared.CLIPS, space, "clap")
    examples = generated.table(declared.EXAMPLES, space, "clap")
    place = list(clips["clip"]).index(examples["clip"].iloc[0])
    fold = int(clips["fold"].iloc[place]) - 1
    embedding = arrays["ensemble"][place] * arrays["sd"][fold] + arrays["mean"][fold]
    embedding /= np.linalg.norm(embedding)
    np.testing.assert_allclose(sidecar["embedding"], embedding, atol=1e-5)
    again = DiffusionGenerator(pipeline, DiffusionSettings(2))
    samples = again.generate(np.array(sidecar["embedding"], np.float32), 0.256, sidecar["seed"])
    written, rate = soundfile.read(made[0])
    assert rate == again.sampling_hz
    np.testing.assert_allclose(written, samples * sidecar["gain"], atol=2 / 2**15)


def test_the_page_plays_them_and_a_listening_test_is_made_of_them(
    generated: Results, tmp_path: Path
) -> None:
    page = (generated.root / "sub-01_reconstruct.html").read_text(encoding="utf-8")
    assert page.count("<audio") == 2 * 5  # the second sample is a file only
    assert "<th>generated</th>" in page
    folder = folder_of(generated)
    arguments = ["listening-test", str(folder / "originals"), str(folder / "reconstructions")]
    assert tools_main([*arguments, str(tmp_path / "page.html")]) == 0
    for path in (tmp_path / "page_key.tsv", folder / "listening_key.tsv"):
        key = path.read_text().splitlines()
        assert len(key) == 1 + 4
        assert all("\tgenerated\t" in line for line in key[1:])
    assert (folder / "listening.html").stat().st_size > 10_000


def test_answers_to_the_listening_test_are_read_by_the_group(
    generated: Results, tmp_path: Path
) -> None:
    with (folder_of(generated) / "listening_key.tsv").open(newline="") as file:
        key = list(csv.DictReader(file, delimiter="\t"))
    with pytest.raises(InputMissingError, match="no key"):
        list(listening_rows(tmp_path))
    shutil.copy(folder_of(generated) / "listening_key.tsv", tmp_path)
    with pytest.raises(InputMissingError, match="no answers"):
        list(listening_rows(tmp_path))
    lines = ["\t".join(ANSWER_COLUMNS)]
    lines += [f"A\t{row['trial']}\t{row['correct']}\t1\t2.5" for row in key]
    (tmp_path / "answers_A.tsv").write_text("\n".join(lines) + "\n")
    (row,) = listening_rows(tmp_path)
    assert row["test"] == "listening"
    assert row["condition"] == "generated"
    assert (row["n_trials"], row["n_answers"], row["accuracy"], row["chance"]) == (4, 4, 1.0, 0.5)
    assert row["p"] == pytest.approx(1 / 16)
    assert set(row) == {column.name for column in declared.LISTENING.columns}


def test_without_exchanges_nothing_is_tested(generated: Results) -> None:
    (space,) = generated.spaces
    assert generated.table(declared.DECODING, space, "clap")["p"].isna().all()
    group = Results(generated.root, "reconstruct", CATALOGUE)
    assert group.table(declared.GROUP_DECODING, space, "clap")["p"].isna().all()
    assert group.table(declared.ACROSS, space, "clap").empty


def test_another_embedding_space_is_refused(study, pipeline: Path, tmp_path: Path, capsys) -> None:
    assert run(study, tmp_path, pipeline, "--network", "baseline") != 0
    message = capsys.readouterr().err
    assert "was trained on embeddings of space" in message
    assert "Traceback" not in message
