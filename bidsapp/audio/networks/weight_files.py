"""Where the parameters of networks lie, and whether their files are whole; none is parsed."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from bidsapp.audio.io import content_hash
from bidsapp.errors import InputInvalidError, ResourceUnavailableError

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


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


def refuse_damaged(path: Path) -> str:
    """Refuse a file of parameters that is cut short, or not the one that its name promises.

    Parameters
    ----------
    path
        File. If its name ends in ``-`` and hexadecimal digits, they must be the beginning of its
        SHA-256; only then it is read.

    Returns
    -------
    str
        Its SHA-256; empty if it was not read.

    Raises
    ------
    InputInvalidError
        The message says what is wrong.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(4)
    if size == 0 or (start == b"PK\3\4" and not zipfile.is_zipfile(path)):
        msg = f"{path}: not a file of weights ({size} bytes, cut short); fetch it again"
        raise InputInvalidError(msg)
    promised = _HASH_IN_NAME.search(path.name)
    if not promised:
        return ""
    sha256 = content_hash(path)
    if not sha256.startswith(promised[1]):
        msg = (
            f"{path}: its SHA-256 begins with {sha256[:8]}, its name promises {promised[1]}; "
            f"the file is damaged or another one, fetch it again"
        )
        raise InputInvalidError(msg)
    return sha256
