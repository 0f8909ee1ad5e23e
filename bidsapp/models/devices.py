"""Which device numerical work runs on."""

from __future__ import annotations

from bidsapp.errors import ResourceUnavailableError, UsageError


def resolve_device(wish: str) -> str:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` into a torch device name.

    Raises
    ------
    UsageError
        If the wish is none of these.
    ResourceUnavailableError
        If a CUDA device is asked for and there is none.
    """
    import torch

    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = wish.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        msg = f"--device {wish!r}: choose auto, cpu, cuda or cuda:N"
        raise UsageError(msg)
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        msg = f"--device {wish}: there is no such CUDA device; in a container pass --gpus or --nv"
        raise ResourceUnavailableError(msg)
    return wish
