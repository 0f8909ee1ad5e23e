"""Which files a model of the Hugging Face hub consists of, and what they must hash to."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any, Final

from bidsapp.errors import InputInvalidError, ResourceUnavailableError
from bidsapp.fetch.download import refuse_answer
from bidsapp.fetch.table import RemoteFile

HUB: Final = "https://huggingface.co"
_KINDS: Final = (".json", ".txt", ".safetensors", ".bin")
_TIMEOUT_S: Final = 60


def hub_files(repository: str, mirror: str | None = None) -> tuple[RemoteFile, ...]:
    """Ask the hub for the files of a model in its present state.

    Settings, vocabularies and weights are taken; weights as pickles only where a folder has none
    as safetensors. Large files carry the SHA-256 that the hub states for them.

    Parameters
    ----------
    repository
        ``OWNER/NAME``.
    mirror
        Address that answers as the hub does.

    Returns
    -------
    tuple of RemoteFile
        Named ``NAME/PATH``; their addresses belong to one commit.

    Raises
    ------
    ResourceUnavailableError
        The hub does not answer, or refuses.
    InputInvalidError
        Its answer is not that of the hub, or names no weights.
    """
    address = (mirror or HUB).rstrip("/")
    url = f"{address}/api/models/{repository}?blobs=true"
    answer = _ask(url)
    commit, items = answer.get("sha"), answer.get("siblings")
    if not isinstance(commit, str) or not isinstance(items, list):
        msg = f"{url}: the answer names no files; check --mirror"
        raise InputInvalidError(msg)
    paths = {str(item["rfilename"]): (item.get("lfs") or {}).get("sha256", "") for item in items}
    chosen = [path for path in sorted(paths) if _wanted(path, list(paths))]
    if not any(path.endswith((".safetensors", ".bin")) for path in chosen):
        msg = f"{url}: the model has no weights as safetensors or .bin; it cannot be used"
        raise InputInvalidError(msg)
    folder = repository.rpartition("/")[2]
    return tuple(
        RemoteFile(
            f"{folder}/{path}", f"{address}/{repository}/resolve/{commit}/{path}", paths[path]
        )
        for path in chosen
    )


def _ask(url: str) -> dict[str, Any]:
    import requests

    try:
        answer = requests.get(url, timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        msg = (
            f"{url}: the connection failed ({type(error).__name__}); try again later, or name "
            f"another server with --mirror"
        )
        raise ResourceUnavailableError(msg) from error
    refuse_answer(url, answer)
    try:
        content = json.loads(answer.content)
    except ValueError as error:
        msg = f"{url}: the answer is no JSON; check --mirror"
        raise InputInvalidError(msg) from error
    return content if isinstance(content, dict) else {}


def _wanted(path: str, paths: list[str]) -> bool:
    """Whether a file of a repository is needed."""
    if not path.endswith(_KINDS) or ".." in PurePosixPath(path).parts or path.startswith("/"):
        return False
    if not path.endswith(".bin"):
        return True
    folder = PurePosixPath(path).parent
    return not any(
        other.endswith(".safetensors") and PurePosixPath(other).parent == folder for other in paths
    )
