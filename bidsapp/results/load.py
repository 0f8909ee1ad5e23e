"""Our results as users of the package load them: a pybids layout, one tidy table.

>>> from bidsapp.results.load import load_results
>>> table = load_results("out", table="gradientsparcelsummary")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bidsapp.bids.index import open_layout
from bidsapp.bids.names import parse_name
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.results.read import read_stats

if TYPE_CHECKING:
    import pandas as pd

_IMAGES = (".func.gii", ".label.gii", ".nii.gz", ".nii")
#: staging folders and logs hold no results
_NO_RESULTS = (r"^/(?:\.|logs)", r"/figures/")
#: entities that become columns of `load_results`, under these names
_COLUMNS = {"sub": "participant", "ses": "session", "task": "task", "space": "space"}
_COLUMNS |= {"res": "res", "den": "den", "model": "model", "desc": "table"}


def open_results(output_dir: Path | str) -> Any:
    """Return a pybids layout of an output folder.

    It knows our entities ``model`` and ``stat`` beside those of BIDS:
    ``open_results(out).get(suffix="statmap", desc="gradientspositivelags", subject="01")``.

    Parameters
    ----------
    output_dir
        Output folder of the app.

    Raises
    ------
    InputMissingError
        The folder does not exist.
    """
    return open_layout(_existing(output_dir), ignore=_NO_RESULTS)


def load_results(
    output_dir: Path | str, table: str | None = None, participant: str | None = None
) -> pd.DataFrame:
    """Return the ``_stats.tsv`` tables of an output folder as one tidy table.

    Parameters
    ----------
    output_dir
        Output folder of the app.
    table
        ``desc-`` label of the tables to read (``gradientsparcels``, ``rsaprofile``, ...); None
        for all, with missing values where a table lacks a column.
    participant
        Label without ``sub-``; None for all and the group.

    Returns
    -------
    DataFrame
        The rows of the tables, after columns ``participant`` (``n/a``: the group), ``session``,
        ``task``, ``space``, ``res``, ``den``, ``model`` and ``table`` (missing: not in the name).

    Raises
    ------
    InputMissingError
        There is no such folder or no such table.
    """
    import pandas as pd

    root = _existing(output_dir)
    tables = []
    for path in sorted(root.glob("sub-*/**/*_stats.tsv")) + sorted(root.glob("group/*_stats.tsv")):
        name = parse_name(path)
        if table not in (None, name.entities.get("desc")):
            continue
        if participant not in (None, name.entities.get("sub")):
            continue
        rows = read_stats(path)
        for place, (key, column) in enumerate(_COLUMNS.items()):
            if column not in rows.columns:
                value = name.entities.get(key, "n/a" if key == "sub" else None)
                labels = pd.Series(value, rows.index, "object")
                rows.insert(min(place, rows.shape[1]), column, labels)
        tables.append(rows)
    if not tables:
        wanted = f" desc-{table}" * (table is not None) + f" sub-{participant}" * bool(participant)
        msg = f"{root} holds no{wanted} _stats.tsv; run the participant level first"
        raise InputMissingError(msg)
    return pd.concat(tables, ignore_index=True)


def map_files(
    output_dir: Path | str, participant: str | None, wanted: Mapping[str, str]
) -> dict[str, Path]:
    """Find the one image, or the pair of a surface, that has some entities.

    Parameters
    ----------
    output_dir
        Output folder of the app.
    participant
        Label without ``sub-``; None for the group.
    wanted
        Entity → value; ``desc`` among them.

    Returns
    -------
    dict
        Hemisphere (``L``, ``R``; empty for a single image) → file.

    Raises
    ------
    InputMissingError
        Nothing has these entities.
    InputInvalidError
        Several have.
    """
    folder = Path(output_dir) / ("group" if participant is None else f"sub-{participant}")
    images = _sides_of(folder, wanted)
    if not images and "model" in wanted:  # labels and masks: the network ends their desc- label
        rest = {key: value for key, value in wanted.items() if key != "model"}
        images = _sides_of(folder, rest | {"desc": wanted["desc"] + wanted["model"]})
    if not images:
        msg = f"{folder}: no map has {wanted}; descriptions.tsv lists the labels"
        raise InputMissingError(msg)
    if len(images) > 1:
        msg = (
            f"{folder}: several maps have {wanted}: {', '.join(images)}; give stat, model or space"
        )
        raise InputInvalidError(msg)
    (sides,) = images.values()
    return sides


def _sides_of(folder: Path, wanted: Mapping[str, str]) -> dict[str, dict[str, Path]]:
    """Return the images with some entities: name without hemisphere to hemisphere to file."""
    images: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.rglob(f"*_desc-{wanted['desc']}_*")):
        entities = dict(parse_name(path).entities)
        if path.name.endswith(_IMAGES) and wanted.items() <= entities.items():
            side = entities.pop("hemi", "")
            images.setdefault(path.name.replace(f"hemi-{side}_", ""), {})[side] = path
    return images


def _existing(output_dir: Path | str) -> Path:
    root = Path(output_dir)
    if not root.is_dir():
        msg = f"output folder {root} does not exist"
        raise InputMissingError(msg)
    return root
