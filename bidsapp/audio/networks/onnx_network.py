"""Any ONNX model as a network: its own tensors are the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bidsapp.audio.io import content_hash
from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.tapped import TappedNetwork
from bidsapp.audio.onnx_graph import (
    Tap,
    find_taps,
    load_graph,
    permute_graph,
    randomise_graph,
    with_outputs,
)
from bidsapp.audio.onnx_input import OnnxInput, read_input
from bidsapp.errors import InputInvalidError, ResourceUnavailableError

_CONTROLS = {"random": randomise_graph, "permuted": permute_graph}


class OnnxNetwork(TappedNetwork):
    """Taps of an ONNX graph, run by onnxruntime.

    Parameters
    ----------
    path
        Model; a TOML file of the same name beside it states its input (see `OnnxInput`).
    name
        Label of its results.
    hop_s
        Time between frames in seconds, a multiple of 0.01.
    control
        ``random`` or ``permuted`` weights; empty for those in the file.
    seed
        Of the control.

    Raises
    ------
    InputMissingError, InputInvalidError
        Model and description cannot be used together; the message says why.
    ResourceUnavailableError
        onnx or onnxruntime is not installed.
    """

    def __init__(self, path: Path, name: str, hop_s: float, control: str, seed: int) -> None:
        self.name = name
        self._path = path
        self._input = read_input(path)
        model = load_graph(path)
        taps = _chosen(path, find_taps(model), self._input)
        if control:
            _CONTROLS[control](model, seed, self._input.fixed)
        self._model = with_outputs(model, [tap.name for tap in taps])
        self._session: Any = None
        self._device = "cpu"
        self._batch = _fixed_batch(model)
        facts: dict[str, object] = {
            "source": control or "file",
            "file": path.name,
            "sha256": content_hash(path),
            "input_sha256": content_hash(path.with_suffix(".toml")),
        }
        facts |= {"seed": seed} if control else {}
        self.layers = ()
        super().__init__(
            self._input.sampling_hz, self._input.window_samples, hop_s, facts, working_bytes=1
        )
        self._taps, self.layers = self._measure(taps)
        n_features = sum(layer.n_features for layer in self.layers)
        self._working_bytes = 4 * 2 * max(1, n_features)

    def activations(self, frames: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer of some windows."""
        return self.taps(frames, range(len(self.layers)))

    def taps(self, frames: torch.Tensor, wanted: Sequence[int]) -> Iterator[torch.Tensor]:
        """Yield some layers; one run of the graph gives them all."""
        names = [self._taps[index].name for index in wanted]
        outputs = self._run(frames, names)
        for index, values in zip(wanted, outputs, strict=True):
            tensor = torch.from_numpy(np.asarray(values, np.float32)).to(frames.device)
            yield _arranged(tensor, self._taps[index], self._input)

    def _measure(self, taps: Sequence[Tap]) -> tuple[tuple[Tap, ...], tuple[Layer, ...]]:
        """Run the graph once and read the sizes of the taps; those of no layer are left out."""
        n = self._batch or 2
        kept, layers = [], []
        outputs = self._run(torch.zeros(n, self._window), [tap.name for tap in taps])
        titles = _titles([tap.name for tap in taps])
        for tap, values in zip(taps, outputs, strict=True):
            if values.dtype.kind != "f" or values.ndim not in {2, 3, 4} or values.shape[0] != n:
                continue
            cells = _arranged(torch.from_numpy(np.asarray(values, np.float32)), tap, self._input)
            n_channels, n_times = cells.shape[1], cells.shape[2] if cells.ndim > 2 else 1
            kept.append(tap)
            layers.append(Layer(titles[tap.name], tap.kind, cells[0].numel(), n_channels, n_times))
        if not layers:
            msg = (
                f"{self._path}: none of its {len(taps)} convolutions, products and sums has two "
                f"to four axes with the batch first; there is no layer to use"
            )
            raise InputInvalidError(msg)
        return tuple(kept), tuple(layers)

    def _run(self, frames: torch.Tensor, names: Sequence[str]) -> list[Any]:
        """Run the graph on frames, in portions if its batch has a fixed size."""
        device = frames.device.type
        if self._session is None or device != self._device:
            self._session, self._device = _session(self._path, self._model, device), device
        (name,) = [item.name for item in self._session.get_inputs()]
        size = self._batch or len(frames)
        parts = []
        for start in range(0, len(frames), size):
            portion = frames[start : start + size].cpu()
            short = size - len(portion)
            padded = torch.nn.functional.pad(portion, (0, 0, 0, short))
            values = self._input(padded).numpy()
            try:
                outputs = self._session.run(list(names), {name: values})
            except Exception as error:
                reason = str(error).strip().splitlines()[0]
                msg = (
                    f"{self._path}: does not run on input of shape {values.shape} ({reason}); "
                    f"correct {self._path.with_suffix('.toml').name}"
                )
                raise InputInvalidError(msg) from error
            parts.append([output[: len(portion)] for output in outputs])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _titles(names: Sequence[str]) -> dict[str, str]:
    """Name layers by their tensors; of names that converters have joined, the first is enough."""
    short = {name: name.partition(";")[0] for name in names}
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def _chosen(path: Path, taps: Sequence[Tap], described: OnnxInput) -> list[Tap]:
    """Choose and correct taps as the description wants them."""
    by_name = {tap.name: tap for tap in taps}
    wanted = described.names or tuple(by_name)
    named = (*wanted, *described.channels_last, *described.channels_first)
    unknown = [name for name in named if name not in by_name]
    if unknown:
        msg = (
            f"{path.with_suffix('.toml')}: {unknown[0]!r} is no tap of {path.name}; list them "
            f"with `musicotopy-tools inspect-network {path}`"
        )
        raise InputInvalidError(msg)
    return [
        Tap(
            name,
            by_name[name].kind,
            name in described.channels_last
            or (by_name[name].channels_last and name not in described.channels_first),
        )
        for name in wanted
    ]


def _arranged(values: torch.Tensor, tap: Tap, described: OnnxInput) -> torch.Tensor:
    """Bring a tap into the order (n, n_channels, n_times, …)."""
    if values.ndim == 2:
        return values
    time = 1 if tap.channels_last else 2
    if values.ndim == 4:
        time = described.time_axis or time + (not described.time_before_mel)
    channels = values.ndim - 1 if tap.channels_last else 1
    return values.movedim((channels, time), (1, 2))


def _fixed_batch(model: Any) -> int:
    """Batch size that the graph demands; 0 if it takes any."""
    initialised = {tensor.name for tensor in model.graph.initializer}
    (first, *_) = [item for item in model.graph.input if item.name not in initialised]
    dimensions = first.type.tensor_type.shape.dim
    return int(dimensions[0].dim_value) if len(dimensions) else 0


def _session(path: Path, model: bytes, device: str) -> Any:
    """Start onnxruntime on as many threads as torch uses."""
    try:
        import onnxruntime
    except ImportError as error:
        msg = f"{path}: needs the package onnxruntime: pip install musicotopy[onnx]"
        raise ResourceUnavailableError(msg) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider"] if device == "cuda" else []
    providers = [name for name in (*wanted, "CPUExecutionProvider") if name in available]
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:
        msg = f"{path}: onnxruntime cannot run this model ({str(error).strip().splitlines()[0]})"
        raise InputInvalidError(msg) from error
