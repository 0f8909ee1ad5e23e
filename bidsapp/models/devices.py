"""Which device numerical work runs on."""

from __future__ import annotations

from bidsapp.errors import ResourceUnavailableError, UsageError


def refuse_name(wish: str) -> None:
    """Refuse what is no name of a device; whether it is there is not looked at.

    Raises
    ------
    UsageError
        If the wish is none of ``auto``, ``cpu``, ``cuda`` and ``cuda:N``.
    """
    kind, colon, number = wish.partition(":")
    known = wish in ("auto", "cpu", "cuda") or (kind == "cuda" and colon and number.isdecimal())
    if not known:
        msg = f"--device {wish!r}: choose auto, cpu, cuda or cuda:N"
        raise UsageError(msg)


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

    refuse_name(wish)
    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = wish.partition(":")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        msg = f"--device {wish}: there is no such CUDA device; in a container pass --gpus or --nv"
        raise ResourceUnavailableError(msg)
    return wish
