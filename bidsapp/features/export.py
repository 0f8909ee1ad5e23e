"""Layers of a network over a folder of sounds, written as continuous recordings.

For every sound and layer: its principal components (fitted on all sounds together) and its
channel averages, at the network's own rate and on a grid of volumes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bidsapp import __version__
from bidsapp.audio.networks.base import Network
from bidsapp.bids.atomic import write_json, write_tsv_gz
from bidsapp.bids.describe import BIDS_VERSION
from bidsapp.errors import InputInvalidError
from bidsapp.features.banks import Bank
from bidsapp.features.courses import extract_courses
from bidsapp.features.extract import extract
from bidsapp.features.sampling import sampling_matrix

Floats = npt.NDArray[np.float64]
Kind = Literal["components", "channels"]

_SAYS = {
    "components": "Principal components of every layer, in the units of its features; fitted on "
    "all sounds of this folder together: for scores on sounds held out, fit within the folds",
    "channels": "Activation of every channel of every layer, averaged over the time that belongs "
    "to the frame",
}


@dataclass(frozen=True, slots=True)
class Export:
    """What to write.

    Attributes
    ----------
    kinds
        ``components``, ``channels``.
    n_components
        Components of each layer; fewer where a layer has fewer.
    tr_s
        Repetition time in seconds of the grid of volumes; None for the native rate only.
    memory_bytes
        Bound on what is held at once.
    device
        ``cpu`` or ``cuda``.
    quiet
        Show no progress.
    """

    kinds: tuple[Kind, ...] = ("components", "channels")
    n_components: int = 50
    tr_s: float | None = None
    memory_bytes: int = 2 << 30
    device: str = "cpu"
    quiet: bool = False


def export_features(
    stimuli: Sequence[tuple[str, Path]],
    network: Network,
    folder: Path,
    cache_dir: Path,
    export: Export,
) -> list[Path]:
    """Write the layers of a network over sounds.

    Parameters
    ----------
    stimuli
        (stim_file, path) of each sound.
    network
        The network.
    folder
        Where the dataset is written: ``KIND/NAME_recording-NETWORK_stim.tsv.gz`` at the native
        rate, ``KIND_TR/…`` on the grid of volumes, both with sidecars, and ``KIND.parquet`` where
        pyarrow is installed.
    cache_dir
        Where Gram matrices and courses are kept.
    export
        What to write.

    Returns
    -------
    list of Path
        The folders and tables.

    Raises
    ------
    InputInvalidError
        Two sounds have the same name without extension; or as `bidsapp.features.extract.extract`.
    """
    _check_stems([name for name, _ in stimuli])
    resources: dict[str, Any] = {
        "memory_bytes": export.memory_bytes,
        "device": export.device,
        "quiet": export.quiet,
    }
    written = []
    for kind in export.kinds:
        if kind == "components":
            bank: Bank = extract(stimuli, network, cache_dir, **resources)
        else:
            bank = extract_courses(stimuli, network, cache_dir, **resources)
        columns, values, more = _layers(bank, export.n_components)
        common = {
            "Description": _SAYS[kind],
            "Columns": columns,
            "Network": bank.network,
            "Weights": dict(bank.weights),
            "WindowDuration": bank.window_s,
            **more,
        }
        written.append(_write_native(folder / kind, bank, values, common))
        if export.tr_s is not None:
            target = folder / f"{kind}_TR"
            written.append(_write_grid(target, bank, values, common, export.tr_s))
        if find_spec("pyarrow") is not None:
            written.append(_write_parquet(folder / f"{kind}.parquet", bank, columns, values))
    _describe(folder, network)
    return written


def _layers(bank: Bank, n_components: int) -> tuple[list[str], Floats, dict[str, Any]]:
    """Columns, values (n_frames, n_columns) and further facts of all layers."""
    from bidsapp.features.courses import CourseBank
    from bidsapp.features.extract import FeatureBank

    columns: list[str] = []
    parts: list[Floats] = []
    explained: dict[str, list[float]] = {}
    for index, layer in enumerate(bank.layers):
        if isinstance(bank, FeatureBank):
            everything = np.arange(bank.n_frames)
            k = min(n_components, layer.n_features)
            pca = bank.components(index, everything, k)
            part, letters = pca.scores, "pc"
            explained[layer.name] = [round(float(share), 6) for share in pca.explained_ratio]
        else:
            assert isinstance(bank, CourseBank)
            part, letters = np.asarray(bank.course(index), np.float64), "ch"
        width = len(str(part.shape[1]))
        columns += [f"{layer.name}/{letters}{i:0{width}}" for i in range(1, part.shape[1] + 1)]
        parts.append(part)
    facts = {"ExplainedVarianceRatio": explained} if explained else {}
    return columns, np.hstack(parts), facts


def _sounds(bank: Bank) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    """Yield each sound's name and the positions of its frames."""
    for number, name in enumerate(bank.pieces):
        yield name, np.flatnonzero(bank.frame_piece == number)


def _write_native(folder: Path, bank: Bank, values: Floats, common: Mapping[str, Any]) -> Path:
    for name, frames in _sounds(bank):
        times = bank.frame_time_s[frames]
        steps = np.diff(times)
        if steps.size and np.ptp(steps) > 1e-6:
            msg = f"{name}: its features are not evenly spaced in time; choose a grid with --tr"
            raise InputInvalidError(msg)
        rate = 1.0 / (float(steps.mean()) if steps.size else bank.hop_s)
        clock = {"SamplingFrequency": rate, "StartTime": float(times[0])}
        _write(folder, bank, name, values[frames], {**common, **clock})
    return folder


def _write_grid(
    folder: Path, bank: Bank, values: Floats, common: Mapping[str, Any], tr_s: float
) -> Path:
    """Write what each volume hears: the mean over the frames within half a TR of its time."""
    for (name, frames), length_s in zip(_sounds(bank), bank.piece_s, strict=True):
        times = np.arange(int(length_s / tr_s + 1e-9) + 1) * tr_s
        frame_times = bank.frame_time_s[frames]
        times = times[times <= frame_times[-1] + bank.window_s / 2]
        reach = max(bank.window_s + bank.hop_s, float(frame_times[0]))
        grid = sampling_matrix(frame_times, times, tr_s, reach_s=reach)
        clock = {"SamplingFrequency": 1.0 / tr_s, "StartTime": 0.0, "RepetitionTime": tr_s}
        _write(folder, bank, name, grid @ values[frames], {**common, **clock})
    return folder


def _write(
    folder: Path, bank: Bank, name: str, values: Floats, content: Mapping[str, Any]
) -> None:
    stem = f"{PurePosixPath(name).stem}_recording-{bank.network}_stim"
    folder.mkdir(parents=True, exist_ok=True)
    write_tsv_gz(folder / f"{stem}.tsv.gz", values)
    write_json(folder / f"{stem}.json", {**content, "StimFile": name})


def _write_parquet(path: Path, bank: Bank, columns: Sequence[str], values: Floats) -> Path:
    import pandas as pd

    table = pd.DataFrame(values.astype(np.float32), columns=list(columns))
    table.insert(0, "time", bank.frame_time_s)
    table.insert(0, "stim_file", np.array(bank.pieces, dtype=object)[bank.frame_piece])
    table.to_parquet(path, index=False)
    return path


def _describe(folder: Path, network: Network) -> None:
    content = {
        "Name": f"Layers of {network.name} over sounds",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "musicotopy", "Version": __version__}],
    }
    write_json(folder / "dataset_description.json", content)


def _check_stems(names: Sequence[str]) -> None:
    stems = [PurePosixPath(name).stem for name in names]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        msg = (
            f"several sounds are called {twice[0]!r} without folder and extension; rename one, as "
            f"files of features are named by it"
        )
        raise InputInvalidError(msg)
