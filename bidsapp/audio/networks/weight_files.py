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
    *,
    folder: bool = False,
) -> Path:
    """Turn the name of weights into a file, or into a folder.

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
    folder
        The weights are a folder.

    Raises
    ------
    ResourceUnavailableError
        None of them is a file (a folder); the message says what to put where.
    """
    names = known.get(str(weights), (str(weights),))
    candidates = [weights_dir / name for name in names] if weights_dir is not None else []
    if str(weights) not in known:
        candidates.insert(0, Path(weights))
    for candidate in candidates:
        if candidate.is_dir() if folder else candidate.is_file():
            return candidate
    if str(weights) not in known and len(Path(weights).parts) > 1:
        kind = "folder" if folder else "file"
        msg = f"{network} weights {weights!s}: no such {kind}; check the path of --weights"
        raise ResourceUnavailableError(msg)
    place = f"in {weights_dir}" if weights_dir is not None else "(no --weights-dir given)"
    run = f"run `musicotopy-tools {tool}`, or " if tool else ""
    msg = (
        f"{network} weights {weights!s} not found {place}; {run}put {' or '.join(names)} into a "
        f"folder and name it with --weights-dir, or run the untrained control with "
        f"--weights random"
    )
    raise ResourceUnavailableError(msg)
