"""Sections of the group: single participants, tests over them, and how many show the effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bidsapp.recipes.emotion3d import results as declared
from bidsapp.recipes.emotion3d.figures.people import (
    FAR,
    ClassRecalls,
    Pairs,
    People,
    Profile,
    class_figure,
    pairs_figure,
    people_figure,
    prevalence_figure,
    profiles_figure,
)
from bidsapp.recipes.emotion3d.names import BRAIN, CONTROLS, DECODERS, PREDICTED, SplitInfo
from bidsapp.recipes.emotion3d.report.decoders import decoder_cell
from bidsapp.recipes.emotion3d.report.view import BALANCED, LEVEL, EmotionView
from bidsapp.report.figures.style import Array
from bidsapp.report.html import (
    Cell,
    Part,
    Picture,
    Prose,
    Section,
    cell,
    number_text,
    p_cell,
    picture,
    plural,
)
from bidsapp.report.methods import own_results
from bidsapp.report.tables import Row, choose, interval, records_of, rows_of, table

_LEVELS = {"within": "Within participants", "across": "Across participants"}
_SHOWN = (*BRAIN, *CONTROLS)
_MANY = 10


def participants(view: EmotionView) -> Section:
    """Show each participant's scores beside their own chance."""
    frame = view.table(declared.PARTICIPANTS)
    panels = sorted(_panels(frame), key=lambda panel: panel.leaky)
    caption = (
        "Each dot is a participant, the tick below or above it what the same decoder scores in "
        "this participant with shifted labels; the thick line is the mean. Within: decoders were "
        "trained on other runs of the same person. Across: on other people."
    )
    n = frame["participant"].nunique()
    alt = f"Balanced accuracy of {n} participants under {len(panels)} splits."
    columns = choose(
        declared.PARTICIPANTS.columns, "participant", "level", "decoder", BALANCED, "chance", "p"
    )
    cells = {
        "participant": lambda row: cell(f"sub-{row['participant']}"),
        "level": _level_cell,
        "decoder": decoder_cell,
    }
    of_table = "Balanced accuracy of each participant"
    parts: list[Part] = [
        picture(people_figure(panels), alt=alt, caption=caption),
        table(frame, columns, of_table, cells=cells),
    ]
    return view.section("Participants", "participants", *parts)


def _panels(frame: pd.DataFrame) -> Iterator[People]:
    for (level, split), rows in frame.groupby(["level", "split"], sort=False):
        there = set(rows["decoder"])
        decoders = [name for name in _SHOWN if name in there]
        if decoders:
            info = SplitInfo(str(split))
            yield People(f"{_LEVELS[str(level)]}: {info.short}", info.leaky, rows, decoders)


def _where(row: Row) -> str:
    return f"{row['level']}, {SplitInfo(str(row['split'])).short}"


def _level_cell(row: Row) -> Cell:
    return cell(_where(row))


def tests(view: EmotionView) -> Section | None:
    """Tabulate the tests over participants, and draw network against linear decoder."""
    frame = view.table(declared.TESTS)
    if frame.empty:
        return None
    caption = (
        f"{plural(frame['n'].max(), 'participant')}. p compares the mean with that of labels "
        "shifted alike in all participants (\u2264: the smallest that so many shifts can give); "
        "network minus linear is the difference of scores above own chance, two-sided. p "
        "(consistency) flips the signs of participants and is no evidence for decoding."
    )
    columns = choose(
        declared.TESTS.columns, "level", "test", "mean", "chance", "difference", "p", "t", "p_flip"
    )
    cells = {
        "level": _level_cell,
        "test": lambda row: cell(_test(str(row["test"]))),
        "mean": lambda row: cell(None if pd.isna(row["chance"]) else row["mean"]),
    }
    shown = table(frame, columns, caption, cells=cells, floor="smallest_p")
    parts: list[Part] = [shown, *_pairs(view, frame)]
    further = view.claim("label_shift_alike", "sign_flip_scores")
    return view.section("Tests over participants", "tests", *parts, *further)


def _test(name: str) -> str:
    """Call a test by the names of its decoders."""
    words = (
        DECODERS[word].title if word in DECODERS else word.replace("-", "\u2212")
        for word in name.split()
    )
    return " ".join(words)


def _pairs(view: EmotionView, tests_of: pd.DataFrame) -> list[Part]:
    panels = []
    people = view.table(declared.PARTICIPANTS)
    for (level, split), rows in people.groupby(["level", "split"], sort=False):
        wide = rows.pivot_table(
            index="participant", columns="decoder", values=BALANCED, aggfunc="first"
        )
        info = SplitInfo(str(split))
        if "cnn" not in wide or info.leaky:
            continue
        tested = rows_of(tests_of, level=level, split=split, test="cnn - linear")
        if tested.empty:  # one of them has no chance
            continue
        test = tested.iloc[0]
        words = (
            f"above chance {number_text(float(test['difference']), 3)}, "
            f"p = {p_cell(test['p']).text}"
        )
        title = f"{_LEVELS[str(level)]}:\n{info.short}"
        subjects = [str(label) for label in wide.index]
        panels.append(
            Pairs(title, subjects, wide["cnn"].to_numpy(), wide["linear"].to_numpy(), words)
        )
    if not panels:
        return []
    caption = (
        "Network against linear decoder on the same folds and volumes, one dot per participant: "
        "above the dashed line the network is better."
    )
    alt = f"Scatter of network against linear scores in {len(panels)} panels."
    return [picture(pairs_figure(panels), alt=alt, caption=caption)]


# ------------------------------------------------------------------ class by class


def emotions(view: EmotionView) -> Section:
    """Show how often each class was recognised, within participants and in new ones."""
    frame = view.of_single(view.recall)
    across = [
        _recalls(f"Across participants: {split.short}", split, rows, view.classes)
        for split in view.splits
        for decoder in PREDICTED
        if not (rows := rows_of(frame, split=split.name, decoder=decoder)).empty
    ]
    panels = [*_within(view), *across]
    intro = (
        "How often is each emotion recognised: in runs of a person whose other runs were learned "
        "from (within), and in new people after training on others (across)? Under "
        "\u201csame stimulus\u201d the new person heard the scenes that the decoder had learned "
        "from others: a score shows that responses to these scenes are shared. Only under "
        "\u201cnew stimulus\u201d were the scenes new as well."
    )
    caption = "Dots: participants; lines: all their volumes pooled."
    alt = f"Recall of each class in each participant, {len(panels)} decoders and splits."
    figure = class_figure(panels, view.classes)
    parts: list[Part] = [Prose(intro), picture(figure, alt=alt, caption=caption)]
    return view.section("Recall of each emotion", "emotions", *parts)


def _within(view: EmotionView) -> Iterator[ClassRecalls]:
    """Yield recalls of participants in held-out runs of their own, as far as they are there."""
    own = [EmotionView(written, view.pair) for written in own_results(view.results)]
    if not own:
        return
    frame = pd.concat([one.recall.assign(participant=one.results.subject) for one in own])
    splits = {split.name: split for one in own for split in one.honest}
    for split in splits.values():
        for decoder in PREDICTED:
            rows = rows_of(frame, split=split.name, decoder=decoder)
            if not rows.empty:
                title = f"Within participants: {split.short}"
                yield _recalls(title, split, rows, view.classes)


def _recalls(
    title: str, split: SplitInfo, rows: pd.DataFrame, classes: Sequence[str]
) -> ClassRecalls:
    names = list(classes)
    wide = rows.pivot_table(
        index="participant", columns="class", values="recall", aggfunc="first", dropna=False
    ).reindex(columns=names)
    hits = (rows["recall"] * rows["n"]).groupby(rows["class"]).sum()
    pooled = (hits / rows.groupby("class")["n"].sum()).reindex(names)
    return ClassRecalls(
        title,
        str(rows["decoder"].iloc[0]),
        wide.to_numpy(float),
        pooled.to_numpy(float),
        split.leaky,
    )


def profiles(view: EmotionView) -> Section:
    """Show the predicted classes of each participant's volumes, beside all others."""
    frame = view.of_single(view.confusion)
    children = []
    for split in view.honest:
        pictures = [
            _profiles(rows, decoder, split, view.classes)
            for decoder in PREDICTED
            if not (rows := rows_of(frame, split=split.name, decoder=decoder)).empty
        ]
        anchor = f"profiles-{split.anchor}{view.suffix}"
        children.append(Section(split.title, anchor, pictures))
    intro = (
        "A participant who differs from the others may feel differently, move more, or have heard "
        "less: a profile is a question, not a finding about a person."
    )
    title = "Misclassifications of single participants"
    return Section(title, f"profiles{view.suffix}", [Prose(intro)], children)


def _profiles(
    rows: pd.DataFrame, decoder: str, split: SplitInfo, classes: Sequence[str]
) -> Picture:
    by_subject = rows.groupby("participant", sort=False)
    profiled = [_profile(str(subject), own, classes) for subject, own in by_subject]
    caption = (
        f"{DECODERS[decoder].title}, {split.short}. Rows: the true class; columns: the predicted "
        "class. Above: per cent of this participant's volumes of the class; below: how many "
        "percentage points more or fewer than the mean of all others, framed from "
        f"{100 * FAR:.0f} points on."
    )
    alt = f"Confusion matrices of {len(profiled)} participants."
    figure = profiles_figure(profiled, classes)
    return picture(figure, alt=alt, caption=caption, vector=len(profiled) <= _MANY)


def _profile(subject: str, rows: pd.DataFrame, classes: Sequence[str]) -> Profile:
    names = list(classes)

    def square(column: str) -> Array:
        wide = rows.set_index(["true", "predicted"])[column].astype(float).unstack()
        return np.asarray(wide.reindex(index=names, columns=names).to_numpy(float))

    return Profile(subject, square("share"), square("share_of_others"))


# ------------------------------------------------------------------ prevalence


def prevalence(view: EmotionView) -> Section | None:
    """Show how many people show the effect, for decoders with which somebody does."""
    frame = view.table(declared.PREVALENCE)
    frame = frame[frame["decoder"].isin(_SHOWN) & frame["n_significant"].notna()]
    if frame.empty:
        return None
    frame = frame[frame["p_global"] <= LEVEL]
    if frame.empty:
        text = (
            "Not shown: for no decoder does the smallest score over participants reject that "
            f"nobody shows the effect (p (global null) \u2264 {LEVEL:g}), so that a share of "
            "people would describe noise. The files hold all values."
        )
        return view.section("Prevalence", "prevalence", Prose(text))
    names = [f"{DECODERS[str(row['decoder'])].title}, {_where(row)}" for row in records_of(frame)]
    intro = (
        "How many people show the effect? Dots and bars: the most probable share of the "
        "population with its 95 % interval, from the number of participants above their own "
        "chance. Black ticks: prevalence lower bound \u03b3\u2080 (Allefeld 2016), the share that "
        "is exceeded at the level of the test, from the smallest score over participants; without "
        "a tick not even \u201csomebody\u201d can be claimed. Dots count who passes alone, ticks "
        "use how far even the lowest score lies above chance: a tick may lie above its dot. "
        "Decoders with too few shifts for anybody to pass are left out."
    )
    columns = choose(
        declared.PREVALENCE.columns,
        *("level", "decoder", "n_significant", "prevalence", "p_global", "p_majority", "bound"),
    )
    cells = {
        "level": _level_cell,
        "decoder": decoder_cell,
        "n_significant": lambda row: Cell(
            f"{row['n_significant']:.0f} of {row['n']:.0f}", float(row["n_significant"])
        ),
        "prevalence": interval("prevalence", "low", "high", 2),
    }
    caption = (
        "Share of people who show the effect; p of the hypotheses that nobody does (global null) "
        "and that at most half do (majority null); prevalence lower bound \u03b3\u2080"
    )
    alt = f"Prevalence with intervals for {len(frame)} decoders and splits."
    parts: list[Part] = [
        Prose(intro),
        picture(
            prevalence_figure(frame, names),
            alt=alt,
            caption="Prevalence of the effect in the population.",
        ),
        table(frame, columns, caption, cells=cells),
        *view.claim("minimum_statistic", "prevalence_density"),
    ]
    return view.section("Prevalence", "prevalence", *parts)
