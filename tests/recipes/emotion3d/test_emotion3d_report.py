"""The pages of `emotion3d`, made from results that the recipe wrote."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bidsapp.recipes import RECIPES
from bidsapp.recipes.emotion3d.names import LEAKY, SplitInfo
from bidsapp.recipes.emotion3d.report import data, decoders, methods_of, people
from bidsapp.recipes.emotion3d.report.view import BALANCED, EmotionView, views
from bidsapp.recipes.emotion3d.results import (
    CURVES,
    EMBEDDING,
    GROUP_CONFUSION,
    PARTICIPANTS,
    PREVALENCE,
    RANDOMISATION,
    SCORES,
    TESTS,
)
from bidsapp.report.html import Notes, Numbers, Page, Picture, Section, Table, render
from bidsapp.report.methods import Methods, references
from bidsapp.results.inferences import INFERENCES
from bidsapp.results.read import Results

pytestmark = pytest.mark.slow
RESULTS = RECIPES["emotion3d"].results
MEGABYTE = 2**20


def of(output: Path, subject: str = "") -> Results:
    return Results(output, "emotion3d", RESULTS, subject)


@pytest.fixture(scope="module")
def made(reports: dict[str, tuple[Page, Methods]]) -> tuple[Page, Methods]:
    """Page and methods of a participant, with a leaky split."""
    return reports["01"]


@pytest.fixture(scope="module")
def made_of_group(reports: dict[str, tuple[Page, Methods]]) -> tuple[Page, Methods]:
    """Page and methods of the group."""
    return reports[""]


@pytest.fixture
def view(written: Path) -> EmotionView:
    """The participant's results in the only space."""
    (only,) = views(of(written, "01"))
    return only


@pytest.fixture
def group_view(written: Path) -> EmotionView:
    """The group's results in the only space."""
    (only,) = views(of(written))
    return only


def anchors(page: Page) -> list[str]:
    return [one.anchor for one in page.sections]


def pictures(sections: list[Section]) -> list[Picture]:
    flat = [one for top in sections for one in (top, *top.children)]
    return [part for one in flat for part in one.parts if isinstance(part, Picture)]


def tables(section: Section) -> list[Table]:
    return [part for part in section.parts if isinstance(part, Table)]


def without(written: Path, folder: Path, *labels: str) -> Results:
    """Copy the participant's results but those with some labels."""
    shutil.copytree(written, folder / "copy", ignore=shutil.ignore_patterns(".work"))
    for label in labels:
        for path in (folder / "copy" / "sub-01").rglob(f"*desc-{label}_*"):
            path.unlink()
    return of(folder / "copy", "01")


def above_chance(results: Results, decoder: str) -> None:
    """Give a decoder a small p under every split, as a longer test could have found."""
    (path,) = results.folder.rglob(f"*desc-{SCORES.desc}_stats.tsv")
    frame = pd.read_csv(path, sep="\t", keep_default_na=False)
    frame.loc[(frame["decoder"] == decoder) & (frame["p"] != "n/a"), "p"] = "0.01"
    frame.to_csv(path, sep="\t", index=False)


def test_maps_are_those_of_decoders_above_chance(written: Path, tmp_path: Path) -> None:
    assert not pictures([data.maps(views(of(written, "01"))[0])])
    copy = without(written, tmp_path)
    above_chance(copy, "cnn")
    shown = pictures([data.maps(views(of(copy.root, "01"))[0])])
    assert shown
    assert all("Haufe" not in one.alt for one in shown)


def test_a_participant_has_every_section(made: tuple[Page, Methods]) -> None:
    page, _ = made
    assert anchors(page) == [
        *("glance", "cautions", "quality", "labels", "scores", "confusions", "recall", "chance"),
        *("calibration", "lags", "curves", "maps", "embedding", "claims", "methods", "about"),
    ]
    shown = pictures(list(page.sections))
    assert len(shown) >= 9  # without maps, as no decoder can be above chance with so few shifts
    assert all(len(one.alt) > 15 and one.caption for one in shown)


def test_a_group_has_every_section(made_of_group: tuple[Page, Methods]) -> None:
    page, _ = made_of_group
    assert anchors(page) == [
        *("glance", "cautions", "scores", "participants", "tests", "prevalence", "emotions"),
        *("confusions", "profiles", "chance", "maps", "claims", "methods", "about"),
    ]
    assert page.title == "Emotion from single brain volumes · group, N = 2"


def test_documents_are_small_and_offline(
    made: tuple[Page, Methods], made_of_group: tuple[Page, Methods]
) -> None:
    for page, _ in (made, made_of_group):
        text = render(page)
        assert len(text.encode()) < 15 * MEGABYTE
        assert not re.search(r'src="(https?:)?//', text)
        for address in re.findall(r'href="((?:https?:)?//[^"]*)"', text):  # of cited works
            assert address.startswith(("https://doi.org/", "https://arxiv.org/abs/"))
        plain = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
        assert "nan" not in plain.lower().split()


def test_whatever_is_leaky_is_stamped(made: tuple[Page, Methods], view: EmotionView) -> None:
    page, methods = made
    assert any(LEAKY in note.text for note in page.banners)
    by_split = tables(decoders.scores(view))
    assert [LEAKY in table.caption for table in by_split] == [False, True]
    for section in (decoders.scores(view), data.curves(view)):
        assert section is not None
        assert any(LEAKY in part.caption + part.alt for part in pictures([section]))
    assert LEAKY in methods.text
    chance = decoders.chance(view)
    assert chance is not None
    assert LEAKY not in str(chance.parts)


def test_scores_and_chance_are_those_of_the_files(view: EmotionView) -> None:
    table = tables(decoders.scores(view))[0]
    row = view.score(view.honest[0], "linear")
    assert row is not None
    (linear,) = [cells for cells in table.rows if cells[0].text == "Linear, voxels"]
    keys = [cell.key for cell in linear[1:4]]
    assert keys == pytest.approx([row["value"], row["chance"], row["p"]])
    accuracy = view.score(view.honest[0], "linear", "accuracy")
    assert accuracy is not None
    assert linear[4].key == pytest.approx(accuracy["value"])


def test_counts_of_labels_add_up(view: EmotionView) -> None:
    (table,) = tables(data.labels(view))
    labelled = [cells[-2].key for cells in table.rows]
    assert sum(labelled[:-2]) == labelled[-2] == view.summary["n_labelled"]
    segments = [cells[-1].key for cells in table.rows]
    assert sum(segments[:-2]) == segments[-1]


def test_without_a_network(written: Path, tmp_path: Path) -> None:
    lost = (CURVES.desc, EMBEDDING.desc, RANDOMISATION.desc)
    lean = without(written, tmp_path, *lost)
    for stat in ("ig", "gradcam"):
        for path in lean.folder.rglob(f"*stat-{stat}_*"):
            path.unlink()
    (table,) = lean.folder.rglob(f"*desc-{SCORES.desc}_stats.tsv")
    frame = pd.read_csv(table, sep="\t", keep_default_na=False)
    frame[frame["decoder"] != "cnn"].to_csv(table, sep="\t", index=False)
    lean = of(lean.root, "01")
    (only,) = views(lean)
    assert data.curves(only) is None
    assert data.embedding(only) is None
    assert not pictures([data.maps(only)])
    above_chance(lean, "linear")
    (only,) = views(of(lean.root, "01"))
    assert len(pictures([data.maps(only)])) == 5
    text = methods_of(lean).text
    assert "Network." not in text
    assert "Integrated gradients" not in text
    assert "silhouette" not in text


def test_a_participant_whose_files_are_gone_is_left_out_of_the_recalls(
    written: Path, group_view: EmotionView, tmp_path: Path
) -> None:
    assert "6 decoders" in people.emotions(group_view).parts[1].alt
    shutil.copytree(written, tmp_path / "copy", ignore=shutil.ignore_patterns(".work"))
    for subject in ("01", "02"):
        shutil.rmtree(tmp_path / "copy" / f"sub-{subject}")
    (only,) = views(of(tmp_path / "copy"))
    assert "4 decoders" in people.emotions(only).parts[1].alt
    assert "Labels." not in methods_of(of(tmp_path / "copy")).text


def test_p_at_its_floor_is_written_so_at_a_glance(
    made_of_group: tuple[Page, Methods], group_view: EmotionView
) -> None:
    numbers = [
        item
        for section in made_of_group[0].sections[:1]
        for part in (*section.parts, *(part for child in section.children for part in child.parts))
        if isinstance(part, Numbers)
        for item in part.items
    ]
    within = [item.remark for item in numbers if ", within: " in item.label]
    frame = group_view.table(TESTS)
    rows = frame[
        frame["level"].eq("within") & frame["test"].str.match("(cnn|linear|parcels) > ch")
    ]
    known = rows[rows["chance"].notna()]
    assert len(within) == len(rows) > 0
    at_floor = int((known["p"] <= known["smallest_p"] + 1e-9).sum())
    assert sum("p \u2264" in remark for remark in within) == at_floor > 0


def test_tests_of_the_group_are_those_of_the_files(group_view: EmotionView) -> None:
    section = people.tests(group_view)
    assert section is not None
    (table,) = tables(section)
    frame = group_view.table(TESTS)
    heads = [column.head for column in table.columns]
    p = [cells[heads.index("p")].key for cells in table.rows]
    assert p == pytest.approx(list(frame["p"]))
    names = [cells[heads.index("test")].text for cells in table.rows]
    assert "Linear, voxels > chance" in names
    assert "3D network \u2212 Linear, voxels" in names
    texts = [cells[heads.index("p")].text for cells in table.rows]
    assert "\u2264\u20090.050" in texts
    shown = people.participants(group_view)
    assert tables(shown)[0].is_long == (len(group_view.table(PARTICIPANTS)) > 30)
    assert isinstance(section.parts[-1], Notes)


def test_prevalence_counts_people(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "copy", ignore=shutil.ignore_patterns(".work"))
    (path,) = of(tmp_path / "copy").folder.rglob(f"*desc-{PREVALENCE.desc}_stats.tsv")
    frame = pd.read_csv(path, sep="\t", keep_default_na=False)
    frame["p_global"] = "0.06"
    frame.to_csv(path, sep="\t", index=False)
    hidden = people.prevalence(views(of(tmp_path / "copy"))[0])
    assert hidden is not None
    assert not tables(hidden)
    chosen = (frame["decoder"] == "linear") & (frame["n_significant"] != "n/a")
    frame.loc[chosen, "p_global"] = "0.01"
    frame.to_csv(path, sep="\t", index=False)
    section = people.prevalence(views(of(tmp_path / "copy"))[0])
    assert section is not None
    (table,) = tables(section)
    assert len(table.rows) == chosen.sum() > 0
    for cells, row in zip(table.rows, frame[chosen].to_dict("records"), strict=True):
        assert cells[2].text == f"{float(row['n_significant']):.0f} of 2"


def test_confusions_of_the_pool_are_the_sum_of_participants(group_view: EmotionView) -> None:
    frame = group_view.table(GROUP_CONFUSION)
    split = group_view.splits[0]
    pool = decoders.confusion_counts(group_view.pooled(frame), split, "linear", group_view.classes)
    single = group_view.of_single(frame)
    each = [
        decoders.confusion_counts(rows, split, "linear", group_view.classes)
        for _, rows in single.groupby("participant")
    ]
    np.testing.assert_array_equal(pool, np.sum(each, axis=0))


def test_splits_are_named_for_a_reader() -> None:
    leaky = SplitInfo("shuffled-LEAKY")
    assert leaky.leaky
    assert leaky.title == leaky.short == "LEAKY: shuffled volumes"
    same = SplitInfo("leave_participant_out")
    assert not same.leaky
    assert same.short == "same stimulus"
    assert SplitInfo("blocked").short == "blocks left out"


def test_methods_cite_what_ran(
    made: tuple[Page, Methods], made_of_group: tuple[Page, Methods]
) -> None:
    (_, methods), (_, group) = made, made_of_group
    wanted = {"tanemura", "labs2015", "hanke2014", "haufe2014", "sundararajan2017",
              "selvaraju2017", "schreiber2013", "valente2021", "korn1998"}  # fmt: skip
    assert wanted <= set(methods.references)
    assert "1 shift for the network; 9 shifts for the linear decoder" in methods.text
    assert {*wanted, "allefeld2016", "ince2021", "winkler2014"} <= set(group.references)
    assert "2 participants took part" in group.text
    assert set(group.references) <= set(references())
    assert "None" not in methods.text + group.text


def test_claims_are_those_of_the_tests_that_were_made(
    made: tuple[Page, Methods], made_of_group: tuple[Page, Methods]
) -> None:
    def claimed(page: Page) -> set[str]:
        (section,) = [one for one in page.sections if one.anchor == "claims"]
        titles = {note.title.removesuffix(".") for part in section.parts for note in part.items}
        return {key for key, item in INFERENCES.items() if item.title in titles}

    own = {"label_shift", "stretches", "label_shift_hidden"}
    assert claimed(made[0]) == own
    of_people = {"sign_flip_scores", "label_shift_alike", "minimum_statistic"}
    assert claimed(made_of_group[0]) == {
        "label_shift",
        "stretches",
        "prevalence_density",
        *of_people,
    }


def test_balanced_accuracies_of_shifts_are_counted(view: EmotionView) -> None:
    frame = view.scores
    tested = frame[(frame["measure"] == BALANCED) & frame["p"].notna()]
    for row in tested.to_dict("records"):
        assert len(view.nulls(SplitInfo(row["split"]), row["decoder"])) == row["n_shifts"]
