"""Fetch a file: go on where the last attempt stopped, check the hash, then give it its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bidsapp.bids.atomic import output_errors, output_lock, write_bytes
from bidsapp.errors import InputInvalidError, ResourceUnavailableError
from bidsapp.fetch.table import Bundle, RemoteFile

if TYPE_CHECKING:
    import requests

SUMS: Final = "SHA256SUMS"
"""Recorded hashes beside the files, as ``sha256sum -c`` reads them."""
_BLOCK_BYTES: Final = 1 << 18
_TIMEOUT_S: Final = (20, 60)


def fetch_bundle(
    bundle: Bundle, folder: Path, *, mirror: str | None = None, quiet: bool = False
) -> list[Path]:
    """Bring all files of a bundle into a folder.

    Files that are there and have the right hash are left alone. Hashes are recorded in
    ``SHA256SUMS``; a file whose hash its authors do not publish must from then on keep the one of
    its first download.

    Parameters
    ----------
    bundle
        What to fetch.
    folder
        Made if needed; one fetch at a time works in it.
    mirror
        Address that stands in for the authors': files are asked for at ``mirror/name``.
    quiet
        Show no progress.

    Returns
    -------
    list of Path
        In the order of the bundle.

    Raises
    ------
    ResourceUnavailableError
        The server does not answer, refuses, or stops in the middle.
    InputInvalidError
        A file has another hash than promised.
    OutputError
        The folder cannot be written.
    """
    paths = []
    with output_lock(folder):
        for file in bundle.files:
            recorded = read_sums(folder)
            promised = file.sha256 if len(file.sha256) == 64 else recorded.get(file.name, "")
            path = _fetch(file, folder, promised or file.promised, mirror, quiet=quiet)
            sums = {**recorded, file.name: file_hash(path)}
            if sums != recorded:
                write_sums(folder, sums)
            paths.append(path)
    return paths


def read_sums(folder: Path) -> dict[str, str]:
    """Read the recorded hashes of a folder: name → SHA-256; none if nothing is recorded."""
    path = folder / SUMS
    if not path.exists():
        return {}
    pairs = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
    return {pair[1].lstrip("*"): pair[0] for pair in pairs if len(pair) == 2}


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Record hashes (name → SHA-256) in a folder, in the order of names."""
    lines = [f"{sums[name]}  {name}\n" for name in sorted(sums)]
    write_bytes(folder / SUMS, "".join(lines).encode())


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """SHA-256 of a file as 64 hexadecimal digits, or its hash by another algorithm."""
    import pooch

    return str(pooch.file_hash(str(path), alg=algorithm))


def _fetch(
    file: RemoteFile, folder: Path, promised: str, mirror: str | None, *, quiet: bool
) -> Path:
    import pooch

    path = folder / file.name
    if path.is_file() and path.stat().st_size == 0:  # TemplateFlow's placeholder
        path.unlink()
    if path.is_file():
        _check(path, path, promised)
        return path
    download = _Download(path, promised, quiet=quiet)
    url = f"{mirror.rstrip('/')}/{file.name}" if mirror else file.url
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        pooch.utils.get_logger().setLevel("WARNING")
        pooch.retrieve(url, None, file.name, folder, downloader=download)
    return path


def _check(path: Path, shown: Path | str, promised: str) -> None:
    kind, _, digits = promised.rpartition(":")
    digest = file_hash(path, kind or "sha256")
    if not digest.startswith(digits):
        n_digits = min(len(digits), 16)
        msg = (
            f"{shown}: its {'MD5' if kind else 'SHA-256'} begins with {digest[:n_digits]}, "
            f"promised is {digits[:n_digits]}; the file is damaged or another one, remove it and "
            f"fetch again"
        )
        raise InputInvalidError(msg)


class _Download:
    """A downloader for pooch that keeps what it has when the connection breaks.

    Parameters
    ----------
    path
        The file's final name; parts are kept beside it, with ``.part`` appended.
    promised
        Digits the SHA-256 must begin with, or ``md5:`` and the MD5.
    quiet
        Show no progress.
    """

    def __init__(self, path: Path, promised: str, *, quiet: bool) -> None:
        self._part = path.with_name(path.name + ".part")
        self._promised = promised
        self._quiet = quiet

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Fetch `url` and leave it, checked, in `output_file`."""
        resumed = self._part.exists() and self._part.stat().st_size > 0
        self._fill(url)
        try:
            _check(self._part, url, self._promised)
        except InputInvalidError:
            self._part.unlink()
            if not resumed:
                raise
            self._fill(url)  # the first part may have been of another version
            _check(self._part, url, self._promised)
        self._part.replace(output_file)

    def _fill(self, url: str) -> None:
        """Fetch what the part lacks."""
        import requests

        done = self._part.stat().st_size if self._part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        try:
            with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
                if answer.status_code == 416:  # nothing is left to send
                    return
                refuse_answer(url, answer)
                self._receive(answer, done if answer.status_code == 206 else 0)
        except requests.RequestException as error:
            kept = self._part.stat().st_size if self._part.exists() else 0
            msg = (
                f"{url}: the connection failed ({type(error).__name__}) with {kept} bytes "
                "received; the same command goes on from there, --mirror names another server"
            )
            raise ResourceUnavailableError(msg) from error

    def _receive(self, answer: requests.Response, done: int) -> None:
        """Append the body to the part, or start it anew."""
        length = int(answer.headers.get("Content-Length", 0))
        with self._part.open("ab" if done else "wb") as part:
            for block in self._shown(answer, done, length):
                part.write(block)
            received = part.tell()
        if length and received < done + length:
            msg = (
                f"{answer.url}: {received} of {done + length} bytes arrived; the same command "
                "goes on from there"
            )
            raise ResourceUnavailableError(msg)

    def _shown(self, answer: requests.Response, done: int, length: int) -> Iterator[bytes]:
        from tqdm import tqdm

        name = self._part.name.removesuffix(".part")
        total = done + length if length else None
        with tqdm(
            total=total,
            initial=done,
            unit="B",
            unit_scale=True,
            desc=name,
            leave=False,
            disable=self._quiet or None,
        ) as bar:
            for block in answer.iter_content(_BLOCK_BYTES):
                yield block
                bar.update(len(block))


def refuse_answer(url: str, answer: Any) -> None:
    """Refuse what a server (an answer of ``requests``) does not deliver.

    Raises
    ------
    ResourceUnavailableError
        It answers with an error.
    """
    if not answer.ok:
        msg = (
            f"{url}: the server answers {answer.status_code} {answer.reason}; try again later, "
            f"or name another server with --mirror"
        )
        raise ResourceUnavailableError(msg)
