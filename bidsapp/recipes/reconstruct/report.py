"""The pages of `reconstruct`, of a participant and of a group, from written results only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.answer import n_exchanges, row_of, sentences
from bidsapp.recipes.reconstruct.encoding.report import encoding
from bidsapp.recipes.reconstruct.encoding.results import KEYS as ENCODING_KEYS
from bidsapp.recipes.reconstruct.encoding.results import SCORES as ENCODING_SCORES
from bidsapp.recipes.reconstruct.figures import accuracy_figure, curve_figure, genre_figure
from bidsapp.report import sections, sounds
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.scales import passing
from bidsapp.report.html import (
    Embedded,
    Number,
    Page,
    Prose,
    Section,
    number_text,
    p_text,
    picture,
    plural,
)
from bidsapp.report.methods import (
    Methods,
    first_participant,
    inference_sentences,
    network_title,
    render_methods,
    shared_context,
)
from bidsapp.report.tables import choose, table
from bidsapp.report.timing import alignment_section, quality_section
from bidsapp.results.inferences.base import smallest_p
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
    pairs = sections.pairs(results)
    page = [
        sections.glance(design(results), [(p.title, list(numbers(results, p))) for p in pairs]),
        sections.cautions(results),
        *(
            replace(of_space(results, pair), folded=results.is_group and number > 0)
            for number, pair in enumerate(pairs)
        ),
        *(
            encoding(results, space, f"-{number}" if len(results.spaces) > 1 else "")
            for number, space in enumerate(results.spaces, start=1)
        ),
        listening(results) if results.is_group else timing(results),
        None if results.is_group else quality(results),
        sections.claims(results),
        sections.methods_section(text),
        sections.fidelity(results),
        sections.about(results),
    ]
    shown = identification(results, pairs[0]) if pairs else None
    answered = sections.found(results, sentences(results), shown)
    return sections.page(results, _QUESTION, page, heading=_HEADING, answer=answered), text


def design(results: Results) -> list[Number]:
    """Return the numbers of the design."""
    facts = results.facts()
    found = []
    if results.is_group:
        left = len(facts["left_out"])
        found.append(Number("Participants", str(results.n_participants), f"{left} left out"))
    folds = plural(facts["n_folds"], "fold")
    found.append(Number("Clips", str(facts["n_held_out"]), f"held out, in {folds}"))
    return found


def floor(results: Results) -> float:
    """Return the smallest possible p of exchanged clips; 0 where none were exchanged."""
    n = n_exchanges(results)
    return smallest_p(n) if n else 0.0


def decoding(results: Results, pair: Any) -> pd.DataFrame:
    """Return the table of identification of a participant or of the group."""
    result = declared.GROUP_DECODING if results.is_group else declared.DECODING
    return results.table(result, pair.space, pair.network)


def numbers(results: Results, pair: Any) -> Iterator[Number]:
    """Yield the answer: how well clips are identified, against chance and the genre oracle."""
    rows = decoding(results, pair)
    for title, candidates in (
        ("Identification", declared.ALL),
        ("Within genres", declared.SAME_GENRE),
    ):
        row = row_of(rows, declared.ENSEMBLE, candidates)
        if row:
            p = row["p"]
            remark = "chance .5" + (
                f"; {p_text(p, n_exchanges(results))}" if np.isfinite(p) else ""
            )
            yield Number(title, number_text(row["identification"]), remark)
    oracle = row_of(rows, declared.ORACLE, declared.ALL)
    if oracle:
        yield Number("Genre oracle", number_text(oracle["identification"]), "knows the genre only")
    if results.is_group:
        row = row_of(rows, declared.ENSEMBLE, declared.ALL)
        people = f"of {results.n_participants} participants"
        if np.isfinite(row["n_significant"]):
            yield Number("Significant", number_text(row["n_significant"], 0), people)
    else:
        row = row_of(rows, declared.ENSEMBLE, declared.ALL)
        remark = f"of {number_text(row['n_candidates'], 0)} candidates"
        yield Number("Median rank", number_text(row["median_rank"], 1), remark)


def of_space(results: Results, pair: Any) -> Section:
    """Show everything of one embedding space."""
    made: list[Section | None] = [identification(results, pair), where(results, pair)]
    if results.is_group:
        made[1:1] = [people(results, pair), across(results, pair)]
    else:
        made.insert(1, examples(results, pair))
        made += [
            plain(results, pair, declared.ABLATION, "Genres never met", declared.CLIPS_KEY),
            plain(results, pair, declared.SESSIONS, "Sessions", declared.CLIPS_KEY),
            plain(results, pair, declared.CLASSES, "Classes", declared.CLASSES_KEY),
            retrieval(results, pair),
            windows(results, pair),
        ]
    made.insert(-1 if results.is_group else 2, clips(results, pair))
    children = [section for section in made if section is not None]
    layer = results.layers(pair.network, pair.space)[0]
    intro = Prose(f"The embedding is layer {layer} of {network_title(pair.network)}.")
    return Section(f"Results: {pair.title}", f"results{pair.suffix}", [intro], children)


def identification(results: Results, pair: Any) -> Section:
    """Show accuracies against chance and the genre oracle."""
    rows = decoding(results, pair)
    result = declared.GROUP_DECODING if results.is_group else declared.DECODING
    first = choose(result.columns, "decoder", "candidates", "identification", "p")
    drawn = ("smallest", "largest", "n_participants", "null_mean") if results.is_group else ()
    others = (column for column in result.columns if column not in first)
    columns = (*first, *(column for column in others if column.name not in drawn))
    caption = (
        f"{_RANDOM_RANK} Dots: accuracy of each decoder"
        + ("; lines: range over participants" if results.is_group else "")
        + ". Diamonds: the genre oracle predicts each clip by the mean training clip of its true "
        "genre. What lies at the oracle or below may be the genre alone."
    )
    parts: list[Any] = [
        picture(
            accuracy_figure(rows),
            alt="Identification accuracy of each decoder and set of candidates",
            caption=caption,
        ),
        table(rows, columns, result.says, floor=floor(results)),
        *sections.claim(results, declared.GROUP_KEY if results.is_group else declared.CLIPS_KEY),
    ]
    if results.is_group:
        parts += sections.claim(results, declared.PREVALENCE_KEY)
    return Section("Identification", f"identification{pair.suffix}", parts)


def examples(results: Results, pair: Any) -> Section | None:
    """Let the reader hear clips and the candidates most like what was decoded."""
    rows = results.table(declared.EXAMPLES, pair.space, pair.network)
    excerpts = results.arrays(declared.SOUNDS, pair.space, pair.network)
    if rows.empty or excerpts is None:
        return None
    kinds = [name for name in ("retrieved", "generated") if (rows["kind"] == name).any()]
    also = f" {' and '.join(kinds).capitalize()}: by the decoded embedding." if kinds else ""
    parts: list[Any] = [
        Prose(
            "The first held-out clip of each genre, not chosen by how well it is identified, and "
            "the three held-out clips of its fold whose embeddings are most like the one decoded "
            f"from the brain.{also}"
        )
    ]
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
    return Section("Listen", f"listen{pair.suffix}", [*parts, Embedded(markup)])


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


def retrieval(results: Results, pair: Any) -> Section | None:
    """Show the music that was retrieved from a corpus."""
    summary = results.table(declared.RETRIEVAL, pair.space, pair.network)
    rows = results.table(declared.RETRIEVED, pair.space, pair.network)
    if summary.empty:
        return None
    nearest = rows[(rows["source"] == "decoded") & (rows["place"] == 1)]
    return Section(
        "Retrieved music",
        f"retrieved{pair.suffix}",
        [
            table(
                summary,
                declared.RETRIEVAL.columns,
                f"{declared.RETRIEVAL.says} The oracle is what perfect decoding would retrieve; "
                "pieces that are the clip itself, or nearly so, are left out.",
            ),
            table(nearest, declared.RETRIEVED.columns, "The nearest piece to each decoded clip."),
        ],
    )


def clips(results: Results, pair: Any) -> Section:
    """Show clips by genre."""
    result = declared.GROUP_CLIPS if results.is_group else declared.CLIPS
    rows = results.table(result, pair.space, pair.network)
    parts: list[Any] = []
    if rows["genre"].notna().all() and rows["genre"].nunique() > 1:
        caption = "Dots are clips, lines means of genres."
        if not results.is_group:
            caption = f"Left: {caption[0].lower()}{caption[1:]}" + (
                " Right: rows are true genres; a prediction of the genre alone fills the diagonal."
            )
        parts.append(
            picture(
                genre_figure(rows),
                alt="Identification accuracy of clips by genre",
                caption=caption,
            )
        )
    ordered = rows.sort_values("identification", ascending=False)
    ordered = ordered.assign(clip=clip_titles(ordered["clip"]))
    parts.append(
        table(ordered, result.columns, f"{result.says} Best first.", floor=floor(results))
    )
    return Section("Clips", f"clips{pair.suffix}", parts, folded=results.is_group)


def clip_titles(names: pd.Series[Any]) -> pd.Series[Any]:
    """Return names of clips without folder and kind of file, if that leaves them distinct."""
    short = names.astype(str).str.replace(r"^.*/|\.[A-Za-z0-9]+(?=@[\d.]+s$|$)", "", regex=True)
    return short if short.nunique() == names.nunique() else names


def where(results: Results, pair: Any) -> Section:
    """Show where clips can be decoded from."""
    group = results.is_group
    result = declared.GROUP_MAP if group else declared.MAP
    tested = declared.GROUP_P_MAP if group else declared.P_MAP
    key = declared.GROUP_REGIONS_KEY if group else declared.REGIONS_KEY
    maps = results.maps(result, pair.space, pair.network)
    assert maps is not None
    drawn, mask = [BrainMap.of(result, maps.values[0])], None
    caption = "Regions one by one; every voxel or vertex has the value of its region."
    p = results.maps(tested, pair.space, pair.network)
    if p is not None:
        level = results.setting("significance", pair.space)
        mask = passing(p.values[0], level)
        caption += f" Outlined: FWE p \u2264 {level:g}."
        drawn.append(BrainMap("Family-wise p", p.values[0], P_VALUE))
    of_regions = declared.GROUP_REGIONS if group else declared.REGIONS
    rows = results.table(of_regions, pair.space, pair.network)
    best = rows.sort_values("identification", ascending=False).head(_N_REGIONS)
    says = (
        f"The {len(best)} regions of {len(rows)} with the highest accuracy (selected, so "
        "optimistic). The ensemble takes regions by their inner score, without the held-out clips."
    )
    parts = [
        *draw(drawn, maps.units, mask, caption),
        table(best, of_regions.columns, says, floor=floor(results)),
        *sections.claim(results, key),
    ]
    return Section("Where", f"where{pair.suffix}", parts)


def windows(results: Results, pair: Any) -> Section | None:
    """Show the accuracy of other response windows."""
    curve = results.table(declared.CURVE, pair.space, pair.network)
    if curve.empty:
        return None
    shown = picture(
        curve_figure(curve),
        alt="Identification accuracy against delay and length of the response window",
        caption="The same regions with responses of other windows: later by the delay, or of "
        "another length about the same middle. To choose the window by this curve and report the "
        "accuracy of the chosen one is circular.",
    )
    return Section("Response windows", f"windows{pair.suffix}", [shown])


def people(results: Results, pair: Any) -> Section:
    """Tabulate participants."""
    rows = results.table(declared.PARTICIPANTS, pair.space, pair.network)
    columns, says = declared.PARTICIPANTS.columns, declared.PARTICIPANTS.says
    shown = table(rows, columns, says, floor=floor(results))
    return Section("Participants", f"people{pair.suffix}", [shown])


def plain(results: Results, pair: Any, declaration: Table, title: str, key: str) -> Section | None:
    """Show a table as it is, with the interpretation of its test; nothing where it is empty."""
    rows = results.table(declaration, pair.space, pair.network)
    if rows.empty:
        return None
    name = declaration.desc.removeprefix(declared.RECIPE)
    shown = table(rows, declaration.columns, declaration.says, floor=floor(results))
    return Section(title, f"{name}{pair.suffix}", [shown, *sections.claim(results, key)])


def across(results: Results, pair: Any) -> Section | None:
    """Show decoders learnt from other participants, and what alignment gains."""
    rows = results.table(declared.ACROSS, pair.space, pair.network)
    gains = results.table(declared.GAINS, pair.space, pair.network)
    if rows.empty:
        return None
    intro = (
        "Regions of each fold are those with the best inner score over participants; responses "
        "and embeddings are averaged over the windows of a clip."
    )
    return Section(
        "Across participants",
        f"across{pair.suffix}",
        [
            Prose(intro),
            table(rows, declared.ACROSS.columns, declared.ACROSS.says, floor=floor(results)),
            table(gains, declared.GAINS.columns, declared.GAINS.says, floor=floor(results)),
            *sections.claim(results, declared.GAIN_KEY),
            *sections.claim(results, declared.GAIN_INTERVAL_KEY),
        ],
        folded=True,
    )


def listening(results: Results) -> Section | None:
    """Show how often listeners recognised the originals of reconstructions."""
    rows = results.table(declared.LISTENING)
    if rows.empty:
        return None
    shown = table(rows, declared.LISTENING.columns, declared.LISTENING.says)
    parts = [shown, *sections.claim(results, declared.LISTENING_KEY)]
    return Section("Listening test", "listeningtest", parts)


def timing(results: Results) -> Section:
    """Show which sound meets which volumes."""
    return alignment_section(results.table(declared.ALIGNMENT), declared.ALIGNMENT, None)


def quality(results: Results) -> Section | None:
    """Show motion and signal-to-noise ratio of the runs."""
    return quality_section(results.table(declared.QUALITY), declared.QUALITY)


def methods(results: Results) -> Methods:
    """Write the methods text."""
    own = first_participant(results)
    draws = {"n_draws": n_exchanges(results)}
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
    context = shared_context(results) | {
        "is_group": results.is_group,
        "across": results.is_group and results.facts()["settings"]["across"],
        "n_components": results.facts()["settings"].get("n_components"),
        "own": None if own is None else own.facts(),
        "encoded": [] if own is None else list(own.table(ENCODING_SCORES)["score"]),
        "embeddings": [
            {"network": name, "layer": results.layers(name)[0]} for name in results.networks()
        ],
        "inferences": inference_sentences(
            sections.used_inferences(results), dict.fromkeys(keys, draws)
        ),
    }
    return render_methods("reconstruct_methods.txt.j2", context)
