"""Features that a user has computed, read from TSV, Parquet, NPZ or ``_stim.tsv.gz``.

One table
    columns ``stim_file`` and ``time`` (seconds from the start of the sound, centre of what the
    values describe), then either one column per feature, named ``LAYER/FEATURE`` (columns without
    a stroke are one layer, called ``features``), or a column ``layer`` and the features of that
    layer beside it, ``n/a`` where a layer has fewer than others.
One NPZ
    arrays ``STIM_FILE/time`` (n_times,) and ``STIM_FILE/LAYER`` (n_times, n_features).
A folder
    for each sound ``NAME.npz`` with ``time`` and one array per layer, or
    ``NAME[_LABEL-VALUE…]_stim.tsv.gz`` with its sidecar: columns ``LAYER/FEATURE``; several files
    of one sound are joined. NAME is the sound's file name without its extension.
"""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError, InputMissingError, ResourceUnavailableError
from bidsapp.text import some_of

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]

ONE_LAYER = "features"
"""Name of the layer of columns without a stroke."""
_STIM = "_stim.tsv.gz"
_BROKEN = (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class SoundFeatures:
    """Features of one sound.

    Attributes
    ----------
    times_s
        (n_times,) increasing, seconds from the start of the sound.
    layers
        Layer → (n_times, n_features).
    """

    times_s: Times
    layers: Mapping[str, Floats]


def read_features(path: Path) -> dict[str, SoundFeatures]:
    """Read the features of all sounds.

    Parameters
    ----------
    path
        Table, NPZ or folder.

    Returns
    -------
    dict
        Sound (as named in the table; without extension in a folder) → features.

    Raises
    ------
    InputMissingError
        There is no such file, or nothing in the folder.
    InputInvalidError
        A file cannot be read or says something else than it should; the message says what.
    ResourceUnavailableError
        Parquet without the package pyarrow.
    """
    if not path.exists():
        msg = f"{path}: there is no such file or folder of features; check --network features:PATH"
        raise InputMissingError(msg)
    try:
        sounds = _read(path)
    except _BROKEN as error:
        msg = f"{path}: these features cannot be read ({_reason(path, error)}); write them again"
        raise InputInvalidError(msg) from error
    if not sounds:
        msg = f"{path}: holds no features; expected are .npz, _stim.tsv.gz, .tsv or .parquet"
        raise InputMissingError(msg)
    first = next(iter(sounds.values()))
    sizes = {name: values.shape[1] for name, values in first.layers.items()}
    for name, sound in sounds.items():
        _check(path, name, sound, sizes)
    return sounds


def _reason(path: Path, error: Exception) -> str:
    """Say why a file could not be read; numpy speaks of pickles where an archive is cut short."""
    if path.suffix == ".npz" and not zipfile.is_zipfile(path):
        return f"{path.stat().st_size} bytes that are no complete NPZ archive"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return str(error)


def _read(path: Path) -> dict[str, SoundFeatures]:
    if path.is_dir():
        return _from_folder(path)
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return _from_arrays(arrays)
    return _from_table(path, _table(path))


def _check(path: Path, name: str, sound: SoundFeatures, sizes: Mapping[str, int]) -> None:
    """Refuse what does not fit the first sound, or is no number."""
    own = {layer: values.shape[1] for layer, values in sound.layers.items()}
    if own != dict(sizes):
        msg = (
            f"{path}: {name} has the layers {own} (layer: number of features), other sounds "
            f"{dict(sizes)}; give all sounds the same features"
        )
        raise InputInvalidError(msg)
    times = sound.times_s
    if times.size == 0 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        msg = (
            f"{path}: the {times.size} times of {name} are not all numbers that increase; sort "
            f"its rows by time, one row per time and layer"
        )
        raise InputInvalidError(msg)
    for layer, values in sound.layers.items():
        n_missing = int((~np.isfinite(values)).sum())
        if n_missing:
            msg = (
                f"{path}: {n_missing} of {values.size} values of layer {layer} of {name} are "
                f"missing or not numbers; fill them in or leave the times out"
            )
            raise InputInvalidError(msg)


def _table(path: Path) -> pd.DataFrame:
    import pandas as pd

    if path.suffix in {".parquet", ".pq"}:
        try:
            return pd.read_parquet(path)
        except ImportError as error:
            msg = f"{path}: reading Parquet needs the package pyarrow: pip install pyarrow"
            raise ResourceUnavailableError(msg) from error
    separator = "," if ".csv" in path.suffixes else "\t"
    names = {"stim_file": str, "layer": str}
    return pd.read_csv(
        path, sep=separator, dtype=names, keep_default_na=False, na_values=["n/a", "NaN", "nan"]
    )


def _from_table(path: Path, table: pd.DataFrame) -> dict[str, SoundFeatures]:
    missing = [name for name in ("stim_file", "time") if name not in table.columns]
    if missing:
        msg = (
            f"{path}: has no column {' and '.join(missing)}; its columns are "
            f"{', '.join(map(str, table.columns[:8]))}"
        )
        raise InputInvalidError(msg)
    sounds = {}
    for name, rows in table.groupby("stim_file", sort=False):
        values = rows.drop(columns="stim_file")
        if "layer" in values.columns:
            sounds[str(name)] = _long(path, str(name), values)
        else:
            columns = [str(column) for column in values.columns if column != "time"]
            numbers = _numbers(path, values[columns])
            sounds[str(name)] = SoundFeatures(_times(values), dict(_split(columns, numbers)))
    return sounds


def _long(path: Path, name: str, rows: pd.DataFrame) -> SoundFeatures:
    """Read one sound of a table with a column ``layer``."""
    layers: dict[str, Floats] = {}
    times: Times | None = None
    for layer, part in rows.groupby("layer", sort=False):
        own = _times(part)
        if times is not None and not np.array_equal(times, own):
            msg = (
                f"{path}: layer {layer} of {name} has other times than the layers before; give "
                f"all layers of a sound the same times, or a table of their own"
            )
            raise InputInvalidError(msg)
        times = own
        content = part.drop(columns=["layer", "time"])
        if list(content.columns) == ["values"] and content["values"].dtype == object:
            layers[str(layer)] = np.array(content["values"].tolist(), dtype=np.float32)
        else:
            layers[str(layer)] = _numbers(path, content.dropna(axis=1, how="all"))
    assert times is not None
    return SoundFeatures(times, layers)


def _times(rows: pd.DataFrame) -> Times:
    import pandas as pd

    return np.asarray(pd.to_numeric(rows["time"], errors="coerce"), dtype=np.float64)


def _numbers(path: Path, table: pd.DataFrame) -> Floats:
    wrong = [str(name) for name, kind in table.dtypes.items() if kind.kind not in "fiub"]
    if wrong:
        msg = f"{path}: column {wrong[0]} holds text; leave it out or write numbers"
        raise InputInvalidError(msg)
    return np.asarray(table, dtype=np.float32)


def _split(columns: list[str], values: Floats) -> Iterator[tuple[str, Floats]]:
    """Part columns ``LAYER/FEATURE`` by layer."""
    layer_of = [name.rpartition("/")[0] or ONE_LAYER for name in columns]
    for layer in dict.fromkeys(layer_of):
        chosen = [index for index, name in enumerate(layer_of) if name == layer]
        yield layer, values[:, chosen]


def _from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, SoundFeatures]:
    """Read ``STIM_FILE/time`` and ``STIM_FILE/LAYER``."""
    sounds = {}
    for key in arrays:
        name, stroke, last = key.rpartition("/")
        if stroke and last == "time":
            own = (other for other in arrays if other.startswith(f"{name}/") and other != key)
            layers = {other.removeprefix(f"{name}/"): _matrix(arrays[other]) for other in own}
            sounds[name] = SoundFeatures(np.asarray(arrays[key], np.float64), layers)
    return sounds


def _matrix(values: npt.NDArray[Any]) -> Floats:
    matrix: Floats = np.asarray(values, dtype=np.float32)
    return matrix.reshape(len(matrix), -1)


def _from_folder(folder: Path) -> dict[str, SoundFeatures]:
    sounds: dict[str, SoundFeatures] = {}
    for path in sorted(folder.rglob("*.npz")):
        with np.load(path) as arrays:
            layers = {key: _matrix(arrays[key]) for key in arrays if key != "time"}
            sounds[path.stem] = SoundFeatures(np.asarray(arrays["time"], np.float64), layers)
    for path in sorted(folder.rglob(f"*{_STIM}")):
        name, part = _recording(path)
        if name not in sounds:
            sounds[name] = part
            continue
        times = sounds[name].times_s
        if times.shape != part.times_s.shape or not np.allclose(times, part.times_s):
            msg = f"{path}: has other times than the other files of {name}; keep one clock"
            raise InputInvalidError(msg)
        sounds[name] = SoundFeatures(times, {**sounds[name].layers, **part.layers})
    return sounds


def _recording(path: Path) -> tuple[str, SoundFeatures]:
    """Read one ``_stim.tsv.gz`` with its sidecar."""
    sidecar = path.with_name(path.name.removesuffix(".tsv.gz") + ".json")
    facts = json.loads(sidecar.read_text(encoding="utf-8"))
    with gzip.open(path, "rt", encoding="utf-8") as text:
        values = np.genfromtxt(text, delimiter="\t", dtype=np.float64, ndmin=2)
    columns = list(map(str, facts["Columns"]))
    if values.shape[1] != len(columns):
        msg = f"{path}: has {values.shape[1]} columns, its sidecar names {len(columns)}"
        raise InputInvalidError(msg)
    times = (
        float(facts.get("StartTime", 0.0)) + np.arange(len(values)) / facts["SamplingFrequency"]
    )
    parts = path.name.removesuffix(_STIM).split("_")
    own = [part for part in parts if not part.startswith(("recording-", "model-", "desc-"))]
    name = str(facts.get("StimFile", "_".join(own)))
    return name, SoundFeatures(times, dict(_split(columns, values.astype(np.float32))))


def sampling_of(sounds: Mapping[str, SoundFeatures]) -> tuple[float, float]:
    """Return the median and the largest time between rows of features, in seconds.

    Both are 1 where every sound has one row.
    """
    steps = np.concatenate([np.diff(sound.times_s) for sound in sounds.values()])
    return (float(np.median(steps)), float(steps.max())) if steps.size else (1.0, 1.0)


def features_of(path: Path, sounds: Mapping[str, SoundFeatures], name: str) -> SoundFeatures:
    """Return the features of a sound.

    Parameters
    ----------
    path, sounds
        From `read_features`.
    name
        Sound, as in ``stim_file``.

    Raises
    ------
    InputMissingError
        There are none.
    """
    sound = find_sound(sounds, name)
    if sound is None:
        known = list(sounds)
        msg = (
            f"{path}: has no features of {name}; it has {some_of(known, 4)}: "
            f"name the sounds as in stim_file"
        )
        raise InputMissingError(msg)
    return sound


def find_sound(sounds: Mapping[str, SoundFeatures], name: str) -> SoundFeatures | None:
    """Find the features of a sound by its name, its file name, or that without extension."""
    base = PurePosixPath(name)
    names = (name, base.name, base.stem)
    return next((sounds[key] for key in names if key in sounds), None)
