"""Alignment and cross-validation: what met what, and who was held out when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.report.figures.alignment import Played, RunTrack, alignment_figure
from bidsapp.report.figures.crossval import Block, fold_figure
from bidsapp.report.figures.style import PIECES
from bidsapp.report.html import (
    Cell,
    Part,
    Picture,
    Prose,
    Section,
    Table,
    cell,
    columns,
    picture,
)
from bidsapp.report.results import Results, short_run

_MAX_RUNS_DRAWN = 12


def piece_colours(results: Results) -> dict[str, str]:
    """Give each piece a colour, in order of first appearance; they repeat when there are many."""
    table = results.table("alignment")
    names = [] if table.empty else [str(name) for name in table["stim_file"].dropna().unique()]
    return {name: PIECES[number % len(PIECES)] for number, name in enumerate(names)}


def _colour_words(results: Results) -> str:
    repeated = len(piece_colours(results)) > len(PIECES)
    return "colours repeat" if repeated else "one colour for each piece"


def alignment(results: Results) -> Section:
    """Scan, presentations and sound on one time axis, and the table behind it."""
    table = results.table("alignment")
    if table.empty:
        return Section("Alignment", "alignment", [Prose("No alignment table was written.")])
    tracks = _tracks(results, table)
    shown = tracks[:_MAX_RUNS_DRAWN]
    caption = (
        "Grey: the scan, darker where volumes entered the models. Colour: when each piece "
        f"was played ({_colour_words(results)}); below it the loudness of its sound file, "
        "pale where it was not heard."
    )
    if len(tracks) > len(shown):
        caption += f" The first {len(shown)} of {len(tracks)} runs; all are in the table."
    alt = "; ".join(
        f"{track.name}: scan of {track.scan_s:.0f} s, {len(track.played)} presentations"
        for track in shown
    )
    figure = alignment_figure(shown, piece_colours(results))
    vector = sum(len(track.played) for track in shown) <= 40
    parts = [picture(figure, alt=f"Timeline. {alt}.", caption=caption, vector=vector)]
    return Section("Alignment", "alignment", [*parts, _table(table)])


def _tracks(results: Results, table: pd.DataFrame) -> list[RunTrack]:
    waveform = results.table("waveform")
    envelopes = {}
    if not waveform.empty:
        for piece, rows in waveform.groupby("piece"):
            envelopes[str(piece)] = thin(rows[["time_s", "rms"]].to_numpy(dtype=float))
    return [
        RunTrack(short_run(name), float(rows["scan_s"].iloc[0]),
                 tuple(_played(row, envelopes) for row in rows.to_dict("records") if _heard(row)))
        for name, rows in table.groupby("run", sort=False)
    ]  # fmt: skip


def thin(envelope: np.ndarray[Any, Any], most: int = 600) -> np.ndarray[Any, Any]:
    """Reduce a (n, 2) envelope to at most `most` points, keeping the peaks."""
    step = -(-len(envelope) // most)
    if step <= 1:
        return envelope
    ends = np.arange(0, len(envelope), step)
    return np.column_stack([envelope[ends, 0], np.maximum.reduceat(envelope[:, 1], ends)])


def _heard(row: dict[Any, Any]) -> bool:
    return isinstance(row["stim_file"], str) and np.isfinite(row["onset_s"])


def _played(row: dict[Any, Any], envelopes: dict[str, np.ndarray[Any, Any]]) -> Played:
    piece, tr_s = str(row["stim_file"]), float(row["tr_s"])
    used = None
    if row["n_rows"] > 0 and np.isfinite(row["first_volume"]):
        used = (row["first_volume"] * tr_s, (row["last_volume"] + 1) * tr_s)
    start = float(row["stim_start_s"]) if np.isfinite(row["stim_start_s"]) else 0.0
    sound = float(row["sound_s"]) if np.isfinite(row["sound_s"]) else float(row["duration_s"])
    return Played(
        piece,
        float(row["onset_s"]),
        float(row["duration_s"]),
        start,
        sound,
        used,
        envelopes.get(piece),
    )


def _table(table: pd.DataFrame) -> Table:
    heads = columns(
        "run", "piece", "onset (s)#", "played (s)#", "from (s)#", "file (s)#", "volumes#",
        "from\u2013to", "source~", "note~",
    )  # fmt: skip
    fields = {"onset_s": 2, "duration_s": 1, "stim_start_s": 1, "sound_s": 1, "n_rows": 0}
    rows = [
        [
            cell(short_run(row["run"])),
            cell(_words(row["stim_file"])),
            *(cell(row[field], digits) for field, digits in fields.items()),
            _span(row),
            cell(_words(row.get("source"))),
            cell(_words(row.get("note"))),
        ]
        for row in table.to_dict("records")
    ]
    caption = (
        "What met what: when each piece was played and for how long, from where in its file, and "
        "the volumes that entered the models (counted from 0)"
    )
    return Table(heads, rows, caption)


def _span(row: dict[Any, Any]) -> Cell:
    first, last = row["first_volume"], row["last_volume"]
    if not (np.isfinite(first) and np.isfinite(last)):
        return cell(None)
    return Cell(f"{first:.0f}\u2013{last:.0f}", float(first))


def _words(value: Any) -> str:
    return value if isinstance(value, str) else "\u2013"


def folds(results: Results) -> Section:
    """Cross-validation: a figure, and the table of blocks."""
    table = results.table("folds")
    title, anchor = "Cross-validation", "folds"
    if table.empty:
        return Section(title, anchor, [Prose("No fold table was written.")])
    blocks = [
        Block(int(row["n_rows"]), int(row["fold"]), str(row["piece"]), str(row["run"]))
        for row in table.to_dict("records")
        if np.isfinite(row["fold"])
    ]
    n_folds = len({block.fold for block in blocks})
    return Section(title, anchor, [*_fold_figure(blocks, results, n_folds), _blocks(table)])


def _fold_figure(blocks: Sequence[Block], results: Results, n_folds: int) -> list[Part]:
    figure = fold_figure(blocks, piece_colours(results))
    shown: Picture = picture(
        figure,
        alt=f"{len(blocks)} blocks in {n_folds} folds; each line marks the blocks held out.",
        caption=(
            "Each line is one fold: coloured blocks are held out and scored, pale ones train the "
            "model. Blocks that share a piece are always on the same side "
            f"({_colour_words(results)})."
        ),
        vector=len(blocks) * n_folds <= 400,
    )
    return [shown]


def _blocks(table: pd.DataFrame) -> Table:
    heads = columns("block#", "kind", "fold#", "run", "piece", "volumes#", "from\u2013to")
    rows = [
        [
            cell(row["block"], 0), cell(_words(row["kind"])), cell(row["fold"], 0),
            cell(short_run(row["run"])), cell(_words(row["piece"])), cell(row["n_rows"], 0),
            _span(row),
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    return Table(heads, rows, "Blocks: stretches that are centred and scored on their own")
