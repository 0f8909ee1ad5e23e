"""Where the parameters of networks lie; nothing of them is read here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bidsapp.errors import ResourceUnavailableError


def find_weights(
    network: str,
    weights: str | Path,
    weights_dir: Path | None,
    known: Mapping[str, tuple[str, ...]],
    tool: str = "",
) -> Path:
    """Turn the name of weights into a file.

    Parameters
    ----------
    network
        Name of the network, for the message.
    weights
        A key of `known`, the name of a file in `weights_dir`, or a path.
    weights_dir
        Folder of weights.
    known
        Name → file names, in order of preference.
    tool
        Words of `musicotopy-tools` that make or bring them, for the message: ``fetch vggish``.

    Raises
    ------
    ResourceUnavailableError
        None of them is a file; the message says what to put where.
    """
    names = known.get(str(weights), (str(weights),))
    folders = [weights_dir] if weights_dir is not None else []
    candidates = [folder / name for folder in folders for name in names]
    if str(weights) not in known:
        candidates.insert(0, Path(weights))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if str(weights) not in known and len(Path(weights).parts) > 1:
        msg = f"{network} weights {weights!s}: no such file; check the path of --weights"
        raise ResourceUnavailableError(msg)
    place = f"in {weights_dir}" if weights_dir is not None else "(no --weights-dir given)"
    run = f"run `musicotopy-tools {tool}`, or " if tool else ""
    msg = (
        f"{network} weights {weights!s} not found {place}; {run}put {' or '.join(names)} into a "
        f"folder and name it with --weights-dir, or run the untrained control with "
        f"--weights random"
    )
    raise ResourceUnavailableError(msg)
