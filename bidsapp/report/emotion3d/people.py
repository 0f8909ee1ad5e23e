"""Sections of the group: single participants, tests over them, and how many show the effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.report.emotion3d.figures.people import (
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
from bidsapp.report.emotion3d.read import (
    BRAIN,
    DECODERS,
    PROBES,
    SpaceStudy,
    SplitInfo,
    participants_of,
    split_of,
)
from bidsapp.report.html import (
    Cell,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    cell,
    columns,
    number_text,
    p_cell,
    picture,
    plural,
)
from bidsapp.report.maps import Array
from bidsapp.report.results import rows_of

_LEVELS = {"within": "Within participants", "across": "Across participants"}
_SHOWN = (*BRAIN, *PROBES)
_MANY = 10


def participants(space: SpaceStudy, suffix: str) -> Section | None:
    """Show each participant's scores beside their own chance."""
    table = space.table("participants")
    if table.empty:
        return None
    panels = sorted(_panels(table), key=lambda panel: panel.leaky)
    caption = (
        "Each dot is a participant, the tick below or above it what the same decoder scores in "
        "this participant with shifted labels; the thick line is the mean. Within: decoders were "
        "trained on other runs of the same person. Across: on other people."
    )
    n = table["participant"].nunique()
    alt = f"Balanced accuracy of {n} participants under {len(panels)} splits."
    parts: list[Part] = [
        picture(people_figure(panels), alt=alt, caption=caption),
        _people_table(table),
    ]
    return Section("Participants", f"participants{suffix}", parts)


def _panels(table: pd.DataFrame) -> Iterator[People]:
    for (level, split), rows in table.groupby(["level", "split"], sort=False):
        there = set(rows["decoder"])
        decoders = [name for name in _SHOWN if name in there]
        if decoders:
            title = f"{_LEVELS.get(str(level), str(level))}: {split_of(split).short}"
            yield People(title, split_of(split).leaky, rows, decoders)


def _where(row: dict[Any, Any]) -> str:
    return f"{row['level']}, {split_of(row['split']).short}"


def _people_table(table: pd.DataFrame) -> Table:
    heads = columns("participant", "participants", "decoder", "balanced accuracy#",
                    "own chance#", "p#")  # fmt: skip
    rows: list[list[Cell]] = [
        [
            cell(f"sub-{row['participant']}"), cell(_where(row)),
            cell(DECODERS.get(str(row["decoder"]), str(row["decoder"]))),
            cell(row["balanced_accuracy"], 3), cell(row["chance"], 3), p_cell(float(row["p"])),
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return Table(heads, rows, "Balanced accuracy of each participant")


def tests(space: SpaceStudy, suffix: str) -> Section | None:
    """Tabulate the tests over participants, and draw network against linear decoder."""
    table = space.table("group")
    if table.empty:
        return None
    intro = (
        "Each participant's score minus their own chance, tested by flipping signs of "
        "participants. A mean above chance says that some of these people show the effect, not "
        "that people in general do; see prevalence below. All heard the same stimulus: nothing "
        "here says that other films would do. The last p compares the mean with scores under "
        "labels shifted alike in all participants."
    )
    heads = columns("participants", "test", "mean#", "chance#", "difference#", "t#",
                    "p (flips)#", "p (shifts)#")  # fmt: skip
    rows = [
        [
            cell(_where(row)), cell(_test(str(row["test"]))),
            cell(None if pd.isna(row["chance"]) else row["mean"], 3),
            *(cell(row.get(key), 3) for key in ("chance", "difference")),
            cell(row["t"], 2), p_cell(float(row["p"])), cell(row.get("p_shift"), 3),
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    caption = (
        f"{plural(table['n'].max(), 'participant')}: no p of sign flips can be below "
        f"{table['smallest_p'].min():.2g}. Network less linear decoder is tested two-sided, the "
        "rest for scores above chance."
    )
    parts: list[Part] = [Prose(intro), Table(heads, rows, caption), *_pairs(space, table)]
    return Section("Tests over participants", f"tests{suffix}", parts)


def _test(name: str) -> str:
    """Call a test by the names of its decoders.

    Examples
    --------
    >>> _test("linear > chance")
    'Linear, voxels > chance'
    """
    return " ".join(DECODERS.get(word, word.replace("-", "\u2212")) for word in name.split())


def _pairs(space: SpaceStudy, table: pd.DataFrame) -> list[Part]:
    panels = []
    people = space.table("participants")
    if people.empty:
        return []
    for (level, split), rows in people.groupby(["level", "split"], sort=False):
        wide = rows.pivot_table(
            index="participant", columns="decoder", values="balanced_accuracy", aggfunc="first"
        )
        if "cnn" not in wide or "linear" not in wide or split_of(split).leaky:
            continue
        subjects = [str(label) for label in wide.index]
        test = rows_of(table, level=level, split=split, test="cnn - linear")
        told = ""
        if not test.empty:
            first = test.iloc[0]
            told = f"mean {number_text(float(first['difference']), 3)}, p = {first['p']:.2g}"
        title = f"{_LEVELS.get(str(level), str(level))}:\n{split_of(split).short}"
        panels.append(
            Pairs(title, subjects, wide["cnn"].to_numpy(), wide["linear"].to_numpy(), told)
        )
    if not panels:
        return []
    caption = (
        "Network against linear decoder on the same folds and volumes, one dot per participant: "
        "above the dashed line the network is better."
    )
    alt = f"Scatter of network against linear scores in {len(panels)} panels."
    return [picture(pairs_figure(panels), alt=alt, caption=caption)]


def emotions(space: SpaceStudy, suffix: str) -> Section | None:
    """Show how often each class was recognised, within participants and in new ones."""
    table = space.of_participants("recall")
    across = [
        _recalls(f"Across participants: {split.short}", split, decoder, rows, space)
        for split in space.splits
        for decoder in ("cnn", "linear")
        if not (rows := rows_of(table, split=split.name, decoder=decoder)).empty
    ]
    panels = [*_within(space), *across]
    if not panels:
        return None
    intro = (
        "How often is each emotion recognised: in runs of a person whose other runs were learned "
        "from (within), and in new people after training on others (across)? Under "
        "\u201csame stimulus\u201d the new person heard the scenes that the decoder had learned "
        "from others: a score shows that responses to these scenes are shared. Only under "
        "\u201cnew stimulus\u201d were the scenes new as well."
    )
    caption = "Dots: participants; lines: all their volumes pooled."
    alt = f"Recall of each class in each participant, {len(panels)} decoders and splits."
    figure = class_figure(panels, space.classes)
    parts: list[Part] = [Prose(intro), picture(figure, alt=alt, caption=caption)]
    return Section("Recall of each emotion", f"emotions{suffix}", parts)


def _within(space: SpaceStudy) -> Iterator[ClassRecalls]:
    """Recalls of participants in held-out runs of their own."""
    own = participants_of(space)
    tables = [one.recall.assign(participant=label) for label, one in own.items()]
    if not tables:
        return
    table = pd.concat(tables)
    splits = {split.name: split for one in own.values() for split in one.honest}
    for split in splits.values():
        for decoder in ("cnn", "linear"):
            rows = rows_of(table, split=split.name, decoder=decoder)
            if not rows.empty:
                title = f"Within participants: {split.short}"
                yield _recalls(title, split, decoder, rows, space)


def _recalls(
    title: str, split: SplitInfo, decoder: str, rows: pd.DataFrame, space: SpaceStudy
) -> ClassRecalls:
    names = list(space.classes)
    wide = rows.pivot_table(
        index="participant", columns="class", values="recall", aggfunc="first", dropna=False
    ).reindex(columns=names)
    hits = (rows["recall"] * rows["n"]).groupby(rows["class"]).sum()
    together = (hits / rows.groupby("class")["n"].sum()).reindex(names)
    return ClassRecalls(
        title,
        decoder,
        [str(label) for label in wide.index],
        wide.to_numpy(float),
        together.to_numpy(float),
        split.leaky,
    )


def profiles(space: SpaceStudy, suffix: str) -> Section | None:
    """Show what each participant's volumes were taken for, beside all others."""
    table = space.of_participants("confusion")
    if table.empty:
        return None
    children = []
    for split in space.honest:
        shown = [
            _profiles(rows, decoder, split, space.classes)
            for decoder in ("cnn", "linear")
            if not (rows := rows_of(table, split=split.name, decoder=decoder)).empty
        ]
        if shown:
            children.append(Section(split.title, f"profiles-{split.anchor}{suffix}", shown))
    if not children:
        return None
    intro = (
        "A participant who differs from the others may feel differently, move more, or have heard "
        "less: a profile is a question, not a finding about a person."
    )
    return Section("Misclassifications of single participants", f"profiles{suffix}",
                   [Prose(intro)], children)  # fmt: skip


def _profiles(
    rows: pd.DataFrame, decoder: str, split: SplitInfo, classes: tuple[str, ...]
) -> Picture:
    found = [
        _profile(str(subject), mine, classes)
        for subject, mine in rows.groupby("participant", sort=False)
    ]
    caption = (
        f"{DECODERS[decoder]}, {split.short}. Rows: the true class; columns: what it was taken "
        "for. Above: per cent of this participant's volumes of the class; below: how many "
        "percentage points more or fewer than the mean of all others, framed from "
        f"{100 * FAR:.0f} points on."
    )
    alt = f"Confusion matrices of {len(found)} participants."
    figure = profiles_figure(found, classes)
    return picture(figure, alt=alt, caption=caption, vector=len(found) <= _MANY)


def _profile(subject: str, rows: pd.DataFrame, classes: tuple[str, ...]) -> Profile:
    names = list(classes)

    def square(column: str) -> Array:
        wide = rows.set_index(["true", "predicted"])[column].astype(float).unstack()
        return np.asarray(wide.reindex(index=names, columns=names).to_numpy(float))

    return Profile(subject, square("share"), square("share_of_others"))


def prevalence(space: SpaceStudy, suffix: str) -> Section | None:
    """Show how many people show the effect."""
    table = space.table("prevalence")
    if table.empty:
        return None
    shown = table[table["decoder"].isin(_SHOWN)]
    names = [_row_name(row) for row in shown.to_dict("records")]
    intro = (
        "How many people show the effect? Dots and bars: the most probable share of the "
        "population with its 95 % interval, from the number of participants above their own "
        "chance. Black ticks: the share that is exceeded at the level of the test, from the "
        "smallest score over participants; without a tick not even \u201csomebody\u201d can be "
        "claimed by it."
    )
    heads = columns("participants", "decoder", "above chance#", "share#", "95 %#",
                    "p nobody#", "p \u2264 half#", "bound#")  # fmt: skip
    rows = [
        [
            cell(_where(row)), cell(DECODERS[row["decoder"]]),
            Cell(f"{row['n_significant']:.0f} of {row['n']:.0f}", float(row["n_significant"])),
            cell(row["prevalence"], 2),
            cell(f"{number_text(row['low'], 2)} \u2013 {number_text(row['high'], 2)}"),
            p_cell(float(row["p_global"])), cell(row["p_majority"], 3), cell(row["bound"], 2),
        ]
        for row in shown.to_dict("records")
    ]  # fmt: skip
    caption = (
        "Share of people who show the effect; p of the hypotheses that nobody does, and that at "
        "most half do; largest share that is exceeded"
    )
    alt = f"Prevalence with intervals for {len(shown)} decoders and splits."
    figure = prevalence_figure(shown, names)
    parts: list[Part] = [
        Prose(intro),
        picture(figure, alt=alt, caption="Prevalence of the effect in the population."),
        Table(heads, rows, caption),
    ]
    return Section("Prevalence", f"prevalence{suffix}", parts)


def _row_name(row: dict[Any, Any]) -> str:
    return f"{DECODERS[row['decoder']]}, {_where(row)}"
