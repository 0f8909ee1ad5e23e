"""What was played when, and what was held out: alignment and cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.report.figures.courses import Played, RunTrack, alignment_figure, course_figure
from bidsapp.report.figures.crossval import Block, fold_figure
from bidsapp.report.figures.style import PIECES, Array
from bidsapp.report.html import Cell, Number, Picture, Prose, Section, cell, number_text, picture
from bidsapp.report.tables import MISSING, records_of, table
from bidsapp.results.kinds import Column, Table

_MOST_RUNS = 12
_FEW, _MANY = 40, 150  # presentations that are drawn as vectors, with and without loudness
_MOST_POINTS = 600
_RUNS = (
    Column("run", text=True),
    Column("n_trs", title="volumes", digits=0),
    Column("tr_s", title="TR", digits=2, unit="s"),
    Column("scan_s", title="scan", digits=1, unit="s"),
    Column("presentations", digits=0),
    Column("n_rows", title="volumes used", digits=0),
    Column("n_confounds", title="confounds", digits=0),
    Column("cleaned", title="freedom taken", digits=0, unit="%"),
)
_PIECES = (
    Column("stim_file", title="piece", text=True),
    Column("sound_s", title="file", digits=1, unit="s"),
    Column("presentations", digits=0),
    Column("duration_s", title="played", digits=1, unit="s"),
    Column("n_rows", title="volumes used", digits=0),
)


def short_run(name: object) -> str:
    """Return the name of a run without its participant.

    Examples
    --------
    >>> short_run("sub-01_task-music_run-2")
    'task-music_run-2'
    """
    text = str(name)
    head, _, rest = text.partition("_")
    return rest if head.startswith("sub-") and rest else text


def piece_colours(names: Sequence[str]) -> dict[str, str]:
    """Give each piece a colour, in order; colours repeat when there are many.

    Parameters
    ----------
    names
        Of the pieces; repetitions count once.
    """
    unique = dict.fromkeys(names)
    return {name: PIECES[number % len(PIECES)] for number, name in enumerate(unique)}


def pieces_of(alignment: pd.DataFrame) -> list[str]:
    """Return the pieces of an alignment table in order of first appearance."""
    return [str(name) for name in alignment["stim_file"].dropna().unique()]


def colour_words(colours: Mapping[str, str]) -> str:
    """Return what colours mean, for a caption."""
    return "colours repeat" if len(colours) > len(PIECES) else "one colour per piece"


def amounts(alignment: pd.DataFrame) -> list[Number]:
    """Return numbers at a glance: runs, volumes analysed, pieces.

    Parameters
    ----------
    alignment
        One row per presentation: run, n_trs, n_rows, stim_file, duration_s.
    """
    runs = alignment.drop_duplicates("run")
    used, total = alignment["n_rows"].sum(), runs["n_trs"].sum()
    minutes = alignment["duration_s"].sum() / 60
    return [
        Number("Runs", number_text(len(runs), 0), f"{number_text(total, 0)} volumes"),
        Number(
            "Volumes analysed", number_text(used, 0), f"{100 * used / max(total, 1):.0f} % of all"
        ),
        Number("Pieces", str(alignment["stim_file"].nunique()), f"{minutes:.1f} min of sound"),
    ]


def analysed(alignment: pd.DataFrame, runs: Sequence[Mapping[str, Any]] = ()) -> Section:
    """Tabulate runs and pieces.

    Parameters
    ----------
    alignment
        One row per presentation.
    runs
        Of the summary: name and names of the confounds.
    """
    first = {"n_trs": "first", "tr_s": "first", "scan_s": "first"}
    by_run = alignment.groupby("run", sort=False).agg(
        {**first, "stim_file": "count", "n_rows": "sum"}
    )
    by_run = by_run.rename(columns={"stim_file": "presentations"}).reset_index()
    counts = {str(run["name"]): len(run["confounds"]) for run in runs}
    by_run["n_confounds"] = by_run["run"].map(counts)
    by_run["cleaned"] = 100 * by_run["n_confounds"] / by_run["n_trs"]
    by_run["run"] = by_run["run"].map(short_run)
    by_piece = alignment.groupby("stim_file", sort=False).agg(
        {"sound_s": "first", "run": "count", "duration_s": "sum", "n_rows": "sum"}
    )
    by_piece = by_piece.rename(columns={"run": "presentations"}).reset_index()
    caption = "Pieces: one piece is held out at a time in cross-validation"
    parts = [table(by_run, _RUNS, "Runs"), table(by_piece, _PIECES, caption)]
    return Section("What was analysed", "analysed", parts)


def alignment_section(
    alignment: pd.DataFrame, declared: Table, waveform: pd.DataFrame | None = None
) -> Section:
    """Draw scan, presentations and sound on one time axis, and tabulate them.

    Parameters
    ----------
    alignment
        One row per presentation: run, tr_s, scan_s, stim_file, onset_s, duration_s,
        stim_start_s, sound_s, n_rows, first_volume, last_volume; times in s.
    declared
        Its declaration.
    waveform
        piece, time_s, rms: loudness of each sound; None without it.
    """
    title, anchor = "Alignment", "alignment"
    if alignment.empty:
        return Section(title, anchor, [Prose("No alignment table was written.")])
    caption = (
        "Grey: the scan, darker where volumes entered the models. Colour: when each piece was "
        "played ({colours}); below it the loudness of its sound file, pale where it was not "
        "played."
    )
    figure = timeline(alignment, caption, waveform)
    told = (
        "When each piece was played and for how long, from where in its file, and the volumes "
        "that entered the models (counted from 0)"
    )
    return Section(title, anchor, [figure, timing_table(alignment, declared, told)])


def timeline(
    alignment: pd.DataFrame,
    caption: str,
    waveform: pd.DataFrame | None = None,
    drop_s: float = -np.inf,
) -> Picture:
    """Draw the scan of each run, and what was played in it.

    Parameters
    ----------
    alignment, waveform
        As for `alignment_section`.
    caption
        How to read it; names ``{colours}``.
    drop_s
        Time after an onset whose volumes are not used.
    """
    colours = piece_colours(pieces_of(alignment))
    envelopes = _envelopes(waveform)
    tracks = run_tracks(alignment, lambda row: _played(row, envelopes, drop_s))
    drawn = tracks[:_MOST_RUNS]
    caption = caption.format(colours=colour_words(colours))
    if len(tracks) > len(drawn):
        caption += f" The first {len(drawn)} of {len(tracks)} runs."
    told = "; ".join(
        f"{track.name}: scan of {track.scan_s:.0f} s, {len(track.played)} presentations"
        for track in drawn
    )
    vector = sum(len(track.played) for track in drawn) <= (_FEW if envelopes else _MANY)
    figure = alignment_figure(drawn, colours)
    return picture(figure, alt=f"Timeline. {told}.", caption=caption, vector=vector)


def timing_table(frame: pd.DataFrame, declared: Table, caption: str) -> Any:
    """Tabulate rows that have a run and a first and last volume.

    Runs are named without their participant, and the volumes shown as ``12–40`` in the column
    ``first_volume``.
    """
    columns = [column for column in declared.columns if column.name != "last_volume"]
    cells = {"run": lambda row: cell(short_run(row["run"])), "first_volume": _span}
    return table(frame, columns, caption, cells=cells)


def _span(row: Mapping[str, Any]) -> Cell:
    first, last = row["first_volume"], row["last_volume"]
    if pd.isna(first) or pd.isna(last):
        return Cell(MISSING, np.inf)
    return Cell(f"{first:.0f}\u2013{last:.0f}", float(first))


def _envelopes(waveform: pd.DataFrame | None) -> dict[str, Array]:
    if waveform is None or waveform.empty:
        return {}
    return {
        str(piece): thin(rows[["time_s", "rms"]].to_numpy(dtype=float))
        for piece, rows in waveform.groupby("piece")
    }


def thin(envelope: Array, most: int = _MOST_POINTS) -> Array:
    """Reduce an envelope to at most `most` points, keeping the peaks.

    Parameters
    ----------
    envelope
        (n, 2): time in s, loudness.
    most
        Number of points.

    Returns
    -------
    (m, 2) array
        m ≤ `most`.
    """
    step = -(-len(envelope) // most)
    if step <= 1:
        return envelope
    starts = np.arange(0, len(envelope), step)
    return np.column_stack([envelope[starts, 0], np.maximum.reduceat(envelope[:, 1], starts)])


def run_tracks(
    alignment: pd.DataFrame, played: Callable[[Mapping[str, Any]], Played]
) -> list[RunTrack]:
    """Return what was played in each run, from the rows that have a sound with an onset."""
    heard = alignment[alignment["stim_file"].notna() & alignment["onset_s"].notna()]
    return [
        RunTrack(
            short_run(name),
            float(rows["scan_s"].iloc[0]),
            tuple(map(played, records_of(heard[heard["run"] == name]))),
        )
        for name, rows in alignment.groupby("run", sort=False)
    ]


def _played(row: Mapping[str, Any], envelopes: Mapping[str, Array], drop_s: float) -> Played:
    piece, tr_s = str(row["stim_file"]), float(row["tr_s"])
    used = None
    if row["n_rows"] > 0 and pd.notna(row["first_volume"]):
        first = max(row["first_volume"] * tr_s, row["onset_s"] + drop_s)
        last = (row["last_volume"] + 1) * tr_s
        used = (first, last) if last > first else None
    start = float(row["stim_start_s"]) if pd.notna(row["stim_start_s"]) else 0.0
    duration = float(row["duration_s"])
    sound = float(row["sound_s"]) if pd.notna(row["sound_s"]) else duration
    envelope = envelopes.get(piece)
    return Played(piece, float(row["onset_s"]), duration, start, sound, used, envelope)


def quality_section(frame: pd.DataFrame, declared: Table) -> Section | None:
    """Tabulate motion and temporal signal-to-noise ratio of the runs; None without the table.

    Parameters
    ----------
    frame
        One row per run.
    declared
        Its declaration.
    """
    if frame.empty:
        return None
    caption = (
        "FD: framewise displacement of the confounds table (\u2013 where it has none). A "
        "correlation of FD with loudness says that people moved with the music, which confounds "
        "what responses to it mean; volumes are autocorrelated, so it has no p."
    )
    cells = {"run": lambda row: cell(short_run(row["run"]))}
    parts = [table(frame, declared.columns, caption, cells=cells, keep_empty=True)]
    return Section("Quality of the data", "quality", parts)


def folds_section(folds: pd.DataFrame, declared: Table, colours: Mapping[str, str]) -> Section:
    """Draw which blocks each fold holds out, and tabulate the blocks.

    Parameters
    ----------
    folds
        One row per block: block, kind, fold, run, piece, n_rows, first_volume, last_volume.
    declared
        Its declaration.
    colours
        Of the pieces.
    """
    title, anchor = "Cross-validation", "folds"
    if folds.empty:
        return Section(title, anchor, [Prose("No fold table was written.")])
    blocks = [
        Block(int(row["n_rows"]), int(row["fold"]), str(row["piece"]), str(row["run"]))
        for row in records_of(folds)
        if pd.notna(row["fold"])
    ]
    n_folds = len({block.fold for block in blocks})
    figure = picture(
        fold_figure(blocks, colours),
        alt=f"{len(blocks)} blocks in {n_folds} folds; each line marks the blocks held out.",
        caption=(
            "Each line is one fold: coloured blocks are held out and scored, pale ones train the "
            f"model. Blocks that share a piece are always on the same side "
            f"({colour_words(colours)})."
        ),
        vector=len(blocks) * n_folds <= 400,
    )
    told = "Blocks: stretches that are centred and scored separately"
    return Section(title, anchor, [figure, timing_table(folds, declared, told)])


_MOST_VOLUMES = 300


def peak_section(frame: pd.DataFrame, declared: Table, suffix: str = "") -> Section | None:
    """Draw prediction, response and regressors of the block whose score is the median.

    Parameters
    ----------
    frame
        One row per held-out volume; columns are those of `declared`.
    declared
        Its declaration.
    suffix
        Of the anchor.

    Returns
    -------
    Section or None
        None when nothing was predicted.
    """
    scores = frame.groupby("block", sort=True)[["r", "piece"]].first()
    finite = scores["r"].dropna().sort_values(kind="stable")
    if finite.empty:
        return None
    block = finite.index[(len(finite) - 1) // 2]
    rows = frame[frame["block"] == block].iloc[:_MOST_VOLUMES]
    first = rows.iloc[0]
    components = [name for name in frame.columns if name.startswith("component_")]
    figure = course_figure(
        rows["stim_time_s"].to_numpy(float),
        {name: rows[name].to_numpy(float) for name in ("measured", "predicted")},
        rows[components].to_numpy(float).T,
        ([str(name) for name in scores["piece"]], scores["r"].to_numpy(float)),
        list(scores.index).index(block),
    )
    r = number_text(float(first["r"]), 2)
    mean = number_text(float(scores["r"].mean()), 2)
    caption = (
        f"Parcel {first['parcel']:.0f}, layer {first['layer']}: the largest score (mean r = "
        f"{mean}; chosen for it, so inflated). Shown is {first['piece']}, held out, whose r = {r} "
        "is the median of all blocks, circled on the right. Top: the first regressors of the "
        "layer as they enter the model. Bottom: cleaned BOLD of the parcel and its prediction."
    )
    alt = (
        f"Predicted and measured BOLD in {first['piece']}: r = {r}; over blocks from "
        f"{number_text(float(finite.iloc[0]), 2)} to {number_text(float(finite.iloc[-1]), 2)}."
    )
    return Section(declared.title, f"peak{suffix}", [picture(figure, alt=alt, caption=caption)])
