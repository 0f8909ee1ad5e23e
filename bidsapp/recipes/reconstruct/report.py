"""The pages of `reconstruct`, of a participant and of a group, from written results only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.answer import ReconstructView, n_exchanges, sentences
from bidsapp.recipes.reconstruct.encoding.report import encoding
from bidsapp.recipes.reconstruct.encoding.results import KEYS as ENCODING_KEYS
from bidsapp.recipes.reconstruct.encoding.results import SCORES as ENCODING_SCORES
from bidsapp.recipes.reconstruct.figures import accuracy_figure, curve_figure, genre_figure
from bidsapp.recipes.reconstruct.results import row_of
from bidsapp.report import sections, sounds
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.scales import passing
from bidsapp.report.html import (
    Embedded,
    Number,
    Page,
    Part,
    Prose,
    Section,
    number_text,
    p_text,
    picture,
    plural,
)
from bidsapp.report.methods import Methods, first_participant
from bidsapp.report.tables import choose, table
from bidsapp.report.timing import alignment_section, quality_section
from bidsapp.report.view import View, results_section
from bidsapp.results.kinds import P_VALUE, Table
from bidsapp.results.read import Results

_HEADING = "Music decoded from the brain"
_QUESTION = "Which music was heard, as told from brain activity?"
_N_REGIONS = 20
_RANDOM_RANK = "Chance is .5; grey bars span 95 % of exchanged clips."


def report(results: Results) -> tuple[Page, Methods]:
    """Arrange the page of a participant or of a group, and write the methods.

    Parameters
    ----------
    results
        What the recipe wrote.
    """
    text = methods(results)
    views = [ReconstructView(results, pair) for pair in sections.pairs(results)]
    last = (
        [listening(results)]
        if results.is_group
        else [
            alignment_section(results.table(declared.ALIGNMENT), declared.ALIGNMENT),
            quality_section(results.table(declared.QUALITY), declared.QUALITY),
        ]
    )
    page = sections.standard_page(
        results,
        _QUESTION,
        [
            *(
                replace(of_network(view), folded=results.is_group and number > 0)
                for number, view in enumerate(views)
            ),
            *(encoding(View(results, pair)) for pair in sections.space_pairs(results)),
            *last,
        ],
        heading=_HEADING,
        numbers=(design(results), [(view.pair.title, list(numbers(view))) for view in views]),
        answer=sections.found(results, sentences(views), identification(views[0])),
        methods=text,
    )
    return page, text


def design(results: Results) -> list[Number]:
    """Return the numbers of the design."""
    facts = results.facts()
    folds = plural(facts["n_folds"], "fold")
    heard = Number("Clips", str(facts["n_held_out"]), f"held out, in {folds}")
    return [sections.participants_number(results), heard] if results.is_group else [heard]


def numbers(view: ReconstructView) -> Iterator[Number]:
    """Yield the answer: how well clips are identified, against chance and the genre oracle."""
    rows = view.decoding
    for title, candidates in (
        ("Identification", declared.ALL),
        ("Within genres", declared.SAME_GENRE),
    ):
        row = row_of(rows, declared.ENSEMBLE, candidates)
        if row:
            p = f"; {p_text(row['p'], view.n_exchanges)}" if np.isfinite(row["p"]) else ""
            yield Number(title, number_text(row["identification"]), f"chance .5{p}")
    oracle = row_of(rows, declared.ORACLE, declared.ALL)
    if oracle:
        yield Number("Genre oracle", number_text(oracle["identification"]), "knows the genre only")
    row = row_of(rows, declared.ENSEMBLE, declared.ALL)
    if not view.is_group:
        remark = f"of {number_text(row['n_candidates'], 0)} candidates"
        yield Number("Median rank", number_text(row["median_rank"], 1), remark)
    elif np.isfinite(row["n_significant"]):
        people = f"of {view.results.n_participants} participants"
        yield Number("Significant", number_text(row["n_significant"], 0), people)


def of_network(view: ReconstructView) -> Section:
    """Show everything of one embedding space."""
    intro = Prose(f"The embedding is layer {view.layers[0]} of {view.title}.")
    makers = _GROUP if view.is_group else _PARTICIPANT
    return results_section(view, makers, (across, clips) if view.is_group else (), [intro])


def identification(view: ReconstructView) -> Section:
    """Show accuracies against chance and the genre oracle."""
    result = view.by_level(declared.DECODING, declared.GROUP_DECODING)
    first = choose(result.columns, "decoder", "candidates", "identification", "p")
    drawn = ("smallest", "largest", "n_participants", "null_mean") if view.is_group else ()
    others = (column for column in result.columns if column not in first)
    columns = (*first, *(column for column in others if column.name not in drawn))
    caption = (
        f"{_RANDOM_RANK} Dots: accuracy of each decoder"
        + ("; lines: range over participants" if view.is_group else "")
        + ". Diamonds: the genre oracle predicts each clip by the mean training clip of its true "
        "genre. What lies at the oracle or below may be the genre alone."
    )
    alt = "Identification accuracy of each decoder and set of candidates"
    return view.section(
        "Identification",
        "identification",
        picture(accuracy_figure(view.decoding), alt=alt, caption=caption),
        table(view.decoding, columns, result.says, floor=view.floor),
        *view.claim(declared.GROUP_KEY if view.is_group else declared.CLIPS_KEY),
        *(view.claim(declared.PREVALENCE_KEY) if view.is_group else ()),
    )


def examples(view: ReconstructView) -> Section | None:
    """Let the reader hear clips and the candidates most like what was decoded."""
    rows = view.table(declared.EXAMPLES)
    excerpts = view.results.arrays(declared.SOUNDS, view.pair.space, view.pair.network)
    if rows.empty or excerpts is None:
        return None
    kinds = [name for name in ("retrieved", "generated") if (rows["kind"] == name).any()]
    also = f" {' and '.join(kinds).capitalize()}: by the decoded embedding." if kinds else ""
    intro = (
        "The first held-out clip of each genre, not chosen by how well it is identified, and "
        "the three held-out clips of its fold whose embeddings are most like the one decoded "
        f"from the brain.{also}"
    )
    heads = ["heard", "most like", "second", "third", *kinds]
    lines = [f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"]
    for _, own in rows.groupby("example", sort=True):
        heard = own.iloc[0]["clip"]
        shown = own[own["place"].astype(int) <= np.where(own["kind"] == "candidate", 3, 1)]
        cells = [player(row, excerpts[f"sound{k}"], heard) for k, row in shown.iterrows()]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    markup = Markup('<div class="table"><table>{}</table></div>').format(
        Markup("".join(map(str, lines)))
    )
    return view.section("Listen", "listen", Prose(intro), Embedded(markup))


def player(row: Any, sound: Any, heard: str) -> Markup:
    """Return a cell with the name of a clip and a player of its sound."""
    mp3 = np.asarray(sound, np.uint8).tobytes()
    right = row["kind"] == "candidate" and row["clip"] == heard
    mark = " \u2713" if right else ""
    facts = [row["genre"] if isinstance(row["genre"], str) else ""]
    facts += [f"r = {number_text(float(row['r']), 2)}"] if np.isfinite(row["r"]) else []
    return Markup('<td style="vertical-align:top"><div>{}{}</div><div>{}</div>{}</td>').format(
        row["clip"],
        mark,
        ", ".join(filter(None, facts)),
        sounds.player(mp3, f"{row['kind']} {row['clip']}", width="13em"),
    )


def retrieval(view: ReconstructView) -> Section | None:
    """Show the music that was retrieved from a corpus."""
    if view.table(declared.RETRIEVAL).empty:
        return None
    rows = view.table(declared.RETRIEVED)
    nearest = rows[(rows["source"] == "decoded") & (rows["place"] == 1)]
    caption = (
        f"{declared.RETRIEVAL.says} The oracle is what perfect decoding would retrieve; pieces "
        "that are the clip itself, or nearly so, are left out."
    )
    return view.section(
        "Retrieved music",
        "retrieved",
        view.tabled(declared.RETRIEVAL, caption),
        view.tabled(declared.RETRIEVED, "The nearest piece to each decoded clip.", nearest),
    )


def clips(view: ReconstructView) -> Section:
    """Show clips by genre."""
    result = view.by_level(declared.CLIPS, declared.GROUP_CLIPS)
    rows = view.table(result)
    parts: list[Part] = []
    if rows["genre"].notna().all() and rows["genre"].nunique() > 1:
        caption = "Dots are clips, lines means of genres."
        if not view.is_group:
            caption = f"Left: {caption[0].lower()}{caption[1:]}" + (
                " Right: rows are true genres; a prediction of the genre alone fills the diagonal."
            )
        alt = "Identification accuracy of clips by genre"
        parts.append(picture(genre_figure(rows), alt=alt, caption=caption))
    ordered = rows.sort_values("identification", ascending=False)
    ordered = ordered.assign(clip=clip_titles(ordered["clip"]))
    parts.append(view.tabled(result, f"{result.says} Best first.", ordered, floor=view.floor))
    return view.section("Clips", "clips", *parts)


def clip_titles(names: pd.Series[Any]) -> pd.Series[Any]:
    """Return names of clips without folder and kind of file, if that leaves them distinct."""
    short = names.astype(str).str.replace(r"^.*/|\.[A-Za-z0-9]+(?=@[\d.]+s$|$)", "", regex=True)
    return short if short.nunique() == names.nunique() else names


def where(view: ReconstructView) -> Section:
    """Show where clips can be decoded from."""
    result = view.by_level(declared.MAP, declared.GROUP_MAP)
    values, p = (
        view.single(result),
        view.single(view.by_level(declared.P_MAP, declared.GROUP_P_MAP)),
    )
    assert values is not None
    drawn, mask = [BrainMap.of(result, values)], None
    caption = "Regions one by one; every voxel or vertex has the value of its region."
    if p is not None:
        mask = passing(p, view.level)
        caption += f" Outlined: FWE p \u2264 {view.level:g}."
        drawn.append(BrainMap("Family-wise p", p, P_VALUE))
    of_regions = view.by_level(declared.REGIONS, declared.GROUP_REGIONS)
    rows = view.table(of_regions)
    best = rows.sort_values("identification", ascending=False).head(_N_REGIONS)
    says = (
        f"The {len(best)} regions of {len(rows)} with the highest accuracy (selected, so "
        "optimistic). The ensemble takes regions by their inner score, without the held-out clips."
    )
    return view.section(
        "Where",
        "where",
        *draw(drawn, view.units, mask, caption),
        view.tabled(of_regions, says, best, floor=view.floor),
        *view.claim(declared.GROUP_REGIONS_KEY if view.is_group else declared.REGIONS_KEY),
    )


def windows(view: ReconstructView) -> Section | None:
    """Show the accuracy of other response windows."""
    curve = view.table(declared.CURVE)
    if curve.empty:
        return None
    caption = (
        "The same regions with responses of other windows: later by the delay, or of another "
        "length about the same middle. To choose the window by this curve and report the accuracy "
        "of the chosen one is circular."
    )
    alt = "Identification accuracy against delay and length of the response window"
    shown = picture(curve_figure(curve), alt=alt, caption=caption)
    return view.section("Response windows", "windows", shown)


def people(view: ReconstructView) -> Section:
    """Tabulate participants."""
    shown = view.tabled(declared.PARTICIPANTS, floor=view.floor)
    return view.section("Participants", "people", shown)


def plain(declaration: Table, title: str, key: str, view: ReconstructView) -> Section | None:
    """Show a table as it is, with the interpretation of its test; nothing where it is empty."""
    if view.table(declaration).empty:
        return None
    name = declaration.desc.removeprefix(declared.RECIPE)
    shown = view.tabled(declaration, floor=view.floor)
    return view.section(title, name, shown, *view.claim(key))


def across(view: ReconstructView) -> Section | None:
    """Show decoders learnt from other participants, and what alignment gains."""
    if view.table(declared.ACROSS).empty:
        return None
    intro = (
        "Regions of each fold are those with the best inner score over participants; responses "
        "and embeddings are averaged over the windows of a clip."
    )
    return view.section(
        "Across participants",
        "across",
        Prose(intro),
        view.tabled(declared.ACROSS, floor=view.floor),
        view.tabled(declared.GAINS, floor=view.floor),
        *view.claim(declared.GAIN_KEY),
        *view.claim(declared.GAIN_INTERVAL_KEY),
    )


_PARTICIPANT = (
    identification,
    examples,
    clips,
    where,
    partial(plain, declared.ABLATION, "Genres never met", declared.CLIPS_KEY),
    partial(plain, declared.SESSIONS, "Sessions", declared.CLIPS_KEY),
    partial(plain, declared.CLASSES, "Classes", declared.CLASSES_KEY),
    retrieval,
    windows,
)
_GROUP = (identification, people, across, clips, where)


def listening(results: Results) -> Section | None:
    """Show how often listeners recognised the originals of reconstructions."""
    rows = results.table(declared.LISTENING)
    if rows.empty:
        return None
    shown = table(rows, declared.LISTENING.columns, declared.LISTENING.says)
    parts = [shown, *sections.claim(results, declared.LISTENING_KEY)]
    return Section("Listening test", "listeningtest", parts)


def methods(results: Results) -> Methods:
    """Write the methods text."""
    own, settings = first_participant(results), results.facts()["settings"]
    keys = (
        declared.CLIPS_KEY,
        declared.REGIONS_KEY,
        declared.CLASSES_KEY,
        declared.GROUP_KEY,
        declared.GROUP_REGIONS_KEY,
        declared.GAIN_KEY,
        declared.GAIN_INTERVAL_KEY,
        *ENCODING_KEYS,
    )
    return sections.methods_of(
        results,
        dict.fromkeys(keys, n_exchanges(results)),
        across=results.is_group and settings["across"],
        n_components=settings.get("n_components"),
        encoded=[] if own is None else list(own.table(ENCODING_SCORES)["score"]),
        embeddings=[
            {"network": name, "layer": results.layers(name)[0]} for name in results.networks()
        ],
    )
