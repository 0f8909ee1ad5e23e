"""`musicotopy-tools captions`: descriptions of sounds as features in the space of the music."""

from __future__ import annotations

import argparse
from pathlib import Path

_STEP_S = 1.0


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = (
        "Embed the captions of sounds with CLAP's text tower and write them as features, for "
        "--network features:OUT. The embedding of a caption is the same throughout its sound."
    )
    tool = tools.add_parser("captions", help=text, description=text)
    tool.add_argument("table", type=Path, help="TSV with the columns stim_file and caption.")
    tool.add_argument("sounds", type=Path, help="Folder of the sounds, for their lengths.")
    tool.add_argument("out", type=Path, help="NPZ file to write.")
    tool.add_argument(
        "--weights", type=Path, required=True, metavar="DIR", help="Folder of a CLAP model."
    )
    tool.set_defaults(function=_captions)


def _captions(options: argparse.Namespace) -> None:
    import io

    import numpy as np

    from bidsapp.audio.embeddings import EMBEDDING
    from bidsapp.audio.io import audio_duration_s
    from bidsapp.audio.networks.clap import embed_texts
    from bidsapp.bids.atomic import write_bytes
    from bidsapp.bids.sounds import SoundLibrary
    from bidsapp.errors import InputMissingError

    captions = _read_captions(options.table)
    library = SoundLibrary.open([options.sounds])
    paths = {name: library.place(name) for name in captions}
    absent = [name for name, path in paths.items() if path is None]
    if absent:
        msg = (
            f"{options.table}: {len(absent)} of {len(captions)} sounds with a caption are not in "
            f"{options.sounds}, {absent[0]} among them; name them as they are stored"
        )
        raise InputMissingError(msg)
    vectors = embed_texts(options.weights, list(captions.values()))
    arrays: dict[str, np.ndarray] = {}
    for (name, path), vector in zip(paths.items(), vectors, strict=True):
        assert path is not None
        times_s = np.arange(_STEP_S / 2, max(_STEP_S, audio_duration_s(path)), _STEP_S)
        arrays[f"{name}/time"] = times_s
        arrays[f"{name}/{EMBEDDING}"] = np.tile(vector, (len(times_s), 1))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(options.out, buffer.getvalue())
    print(f"{options.out}: captions of {len(captions)} sounds, {vectors.shape[1]} dimensions")
    print(f"  use: --network features:{options.out}")


def _read_captions(path: Path) -> dict[str, str]:
    """Read sound → caption; sounds without a caption are left out."""
    from bidsapp.bids.records import Problem
    from bidsapp.bids.tables import is_missing, missing_columns, read_table
    from bidsapp.errors import InputInvalidError

    table = read_table(path)
    if isinstance(table, Problem):
        raise InputInvalidError(str(table))
    lacking = missing_columns(table, ("stim_file", "caption"))
    if lacking:
        msg = f"{path}: {lacking}; give a table with the columns stim_file and caption"
        raise InputInvalidError(msg)
    rows = [row for row in table.rows if not is_missing(row["caption"])]
    captions = {row["stim_file"]: row["caption"] for row in rows}
    if not captions or len(captions) < len(rows):
        what = "has a sound twice" if captions else "has no caption"
        msg = f"{path}: {what}; write one caption for each sound"
        raise InputInvalidError(msg)
    return captions
