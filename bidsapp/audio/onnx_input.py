"""What stands between a waveform and the input of an ONNX model: a TOML file beside the model.

::

    sampling_hz = 16000
    window_samples = 48128            # or window_s

    [input]
    kind = "mel"                      # or "waveform"
    layout = ["batch", 1, "time", "mel"]   # waveform: ["batch", "samples"]
    mean = 0.0                        # (x - mean) / sd
    sd = 1.0

    [mel]                             # constants of bidsapp.audio.networks.front_end.MelFrontEnd
    n_fft = 512

    [layers]                          # all of this may be left out
    names = ["/conv1/Conv_output_0"]  # taps to use, in this order
    channels_last = []                # taps whose last axis holds the channels
    channels_first = []
    time_axis = 2                     # of taps with four axes; 0 is the batch

    [weights]
    fixed = []                        # kernels that the controls leave as they are
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from bidsapp.audio.networks.front_end import MelFrontEnd
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError

_TOP = {"sampling_hz", "window_samples", "window_s", "input", "mel", "layers", "weights"}
_INPUT = {"kind", "layout", "mean", "sd", "name"}
_LAYERS = {"names", "channels_last", "channels_first", "time_axis"}
_AXES = {"waveform": {"batch", "samples"}, "mel": {"batch", "time", "mel"}}


@dataclass(frozen=True, slots=True)
class OnnxInput:
    """Description of a model's input and of the layers to use.

    Attributes
    ----------
    sampling_hz, window_samples
        Rate in Hz and length in samples of the waveform that one frame sees.
    layout
        Axes of the input: names, and whole numbers for axes of that size.
    front_end
        Mel spectrogram; None for waveforms.
    mean, sd
        Subtracted from the input, and divided by afterwards.
    names
        Taps to use; empty for all.
    channels_last, channels_first
        Taps whose channels stand elsewhere than the kind of the tap suggests.
    time_axis
        Of taps with four axes; 0 if not stated.
    fixed
        Kernels that controls leave as they are.
    """

    sampling_hz: int
    window_samples: int
    layout: tuple[str | int, ...]
    front_end: MelFrontEnd | None
    mean: float = 0.0
    sd: float = 1.0
    names: tuple[str, ...] = ()
    channels_last: frozenset[str] = frozenset()
    channels_first: frozenset[str] = frozenset()
    time_axis: int = 0
    fixed: tuple[str, ...] = ()

    @property
    def time_before_mel(self) -> bool:
        """Whether time is the first of the two axes of a spectrogram."""
        axes = [axis for axis in self.layout if axis in {"time", "mel"}]
        return axes != ["mel", "time"]

    def __call__(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Make the model's input from waveforms (n, n_samples)."""
        if self.front_end is None:
            values, named = waveforms, ["batch", "samples"]
        else:
            values, named = self.front_end(waveforms), ["batch", "time", "mel"]
        values = (values - self.mean) / self.sd
        order = [named.index(axis) for axis in self.layout if isinstance(axis, str)]
        values = values.permute(order)
        for place, axis in enumerate(self.layout):
            if isinstance(axis, int):
                values = values.unsqueeze(place)
        sizes = [axis if isinstance(axis, int) else -1 for axis in self.layout]
        return values.expand(*sizes).contiguous()


def read_input(model: Path) -> OnnxInput:
    """Read the TOML file beside a model.

    Parameters
    ----------
    model
        ``NAME.onnx``; its description is ``NAME.toml``.

    Raises
    ------
    InputMissingError
        There is none.
    InputInvalidError
        It says something that cannot be; the message says what.
    """
    path = model.with_suffix(".toml")
    if not path.is_file():
        msg = (
            f"{path}: is not there, so the input of {model.name} is not known; print one to fill "
            f"in with `musicotopy-tools inspect-network {model}`"
        )
        raise InputMissingError(msg)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return _parse(document)
    except (tomllib.TOMLDecodeError, TypeError, ValueError, KeyError, UsageError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        msg = f"{path}: cannot be used ({what}); see docs/networks.md for its form"
        raise InputInvalidError(msg) from error


def _parse(document: Mapping[str, Any]) -> OnnxInput:
    _refuse_unknown(document, _TOP, "the file")
    given, layers = document["input"], document.get("layers", {})
    _refuse_unknown(given, _INPUT, "[input]")
    _refuse_unknown(layers, _LAYERS, "[layers]")
    kind = given["kind"]
    layout = tuple(given["layout"])
    named = [axis for axis in layout if isinstance(axis, str)]
    if kind not in _AXES or sorted(named) != sorted(_AXES[kind]) or layout[0] != "batch":
        msg = (
            f"kind {kind!r} with layout {list(layout)}: a waveform has the axes batch and "
            f"samples, mel has batch, time and mel, batch first"
        )
        raise ValueError(msg)
    rate = int(document["sampling_hz"])
    front_end = _front_end(document.get("mel", {}), rate) if kind == "mel" else None
    samples = document.get("window_samples") or document["window_s"] * rate
    if samples != round(samples) or samples < 1:
        msg = f"the window is {samples} samples long; give a whole number"
        raise ValueError(msg)
    return OnnxInput(
        sampling_hz=rate,
        window_samples=round(samples),
        layout=layout,
        front_end=front_end,
        mean=float(given.get("mean", 0.0)),
        sd=float(given.get("sd", 1.0)),
        names=tuple(layers.get("names", ())),
        channels_last=frozenset(layers.get("channels_last", ())),
        channels_first=frozenset(layers.get("channels_first", ())),
        time_axis=int(layers.get("time_axis", 0)),
        fixed=tuple(document.get("weights", {}).get("fixed", ())),
    )


def _front_end(table: Mapping[str, Any], sampling_hz: int) -> MelFrontEnd:
    _refuse_unknown(table, {item.name for item in fields(MelFrontEnd)}, "[mel]")
    sizes = {"win_length": table.get("n_fft", MelFrontEnd().n_fft)} | dict(table)
    return MelFrontEnd(**(sizes | {"sampling_hz": sampling_hz}))


def _refuse_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        msg = f"{where} has {unknown[0]!r}; known are {', '.join(sorted(known))}"
        raise ValueError(msg)
