"""Read the parameters in a TensorFlow checkpoint (format V2) without TensorFlow.

``.index`` is an uncompressed sorted table: a footer of 48 bytes points to a block of handles, and
each handle to a block of entries whose keys share prefixes. A value is a protocol buffer that
says type, shape, offset and size of one tensor in ``.data-00000-of-00001``.

Source: LevelDB, table format; TensorFlow, tensor_bundle.proto (BundleEntryProto).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

_FOOTER_BYTES = 48
_MAGIC = 0xDB4775248B80FB57
_FLOAT32 = 1
_OPTIMISER = ("/Adam", "beta1_power", "beta2_power")


def read_checkpoint(name: str, index: bytes, data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Read all float32 tensors except those of the optimiser.

    Parameters
    ----------
    name
        Of the checkpoint, for messages.
    index, data
        Content of the two files.

    Returns
    -------
    dict
        Variable → array, in the order of names.

    Raises
    ------
    InputInvalidError
        The files are damaged, or of another format.
    """
    tensors = {}
    try:
        for key, value in _entries(index):
            variable = key.decode()
            if not variable or any(part in variable for part in _OPTIMISER):
                continue
            tensors[variable] = _tensor(value, data)
    except (IndexError, ValueError, struct.error) as error:
        msg = f"{name}: is no TensorFlow checkpoint that can be read ({error}); fetch it again"
        raise InputInvalidError(msg) from error
    return tensors


def _entries(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of every entry of the table."""
    footer = index[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("the footer of the index is not there")
    place = 0
    for _ in range(2):  # the handle of the meta index
        _, place = _varint(footer, place)
    for _, handle in _block(index, *_handle(footer, place)):
        yield from _block(index, *_handle(handle, 0))


def _handle(data: bytes, place: int) -> tuple[int, int]:
    """Offset and size of a block."""
    offset, place = _varint(data, place)
    size, _ = _varint(data, place)
    return offset, size


def _block(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a block: shared length of the key, its rest, the value."""
    if index[offset + size] != 0:
        raise ValueError("a block of the index is compressed")
    block = index[offset : offset + size]
    n_restarts = struct.unpack("<I", block[-4:])[0]
    end = size - 4 - 4 * n_restarts
    place, key = 0, b""
    while place < end:
        shared, place = _varint(block, place)
        n_key, place = _varint(block, place)
        n_value, place = _varint(block, place)
        key = key[:shared] + block[place : place + n_key]
        place += n_key
        yield key, block[place : place + n_value]
        place += n_value


def _tensor(entry: bytes, data: bytes) -> npt.NDArray[np.float32]:
    """Take one tensor out of the data file."""
    fields = dict(_fields(entry))
    if fields.get(1) != _FLOAT32:
        msg = f"a tensor has type {fields.get(1)!r}, not float32"
        raise ValueError(msg)
    sizes = [dict(_fields(part)) for number, part in _fields(_bytes(fields, 2)) if number == 2]
    shape = tuple(_integer(size, 1) for size in sizes)
    offset, n_bytes = _integer(fields, 4), _integer(fields, 5)
    if n_bytes != 4 * math.prod(shape) or offset + n_bytes > len(data):
        msg = f"{n_bytes} bytes at {offset} of {len(data)} do not hold a tensor of shape {shape}"
        raise ValueError(msg)
    return np.frombuffer(data, "<f4", math.prod(shape), offset).reshape(shape)


def _fields(message: bytes | int) -> Iterator[tuple[int, bytes | int]]:
    """Yield number and value of the fields of a protocol buffer."""
    if isinstance(message, int):
        raise ValueError("a number stands where a message should")
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if kind == 2:
            n_bytes, place = _varint(message, place)
        else:
            n_bytes = {1: 8, 5: 4}.get(kind, 0)
        if not n_bytes and kind != 2:
            msg = f"a field has the wire type {kind}"
            raise ValueError(msg)
        yield tag >> 3, message[place : place + n_bytes]
        place += n_bytes


def _bytes(fields: dict[int, bytes | int], number: int) -> bytes:
    value = fields.get(number, b"")
    return value if isinstance(value, bytes) else b""


def _integer(fields: dict[int, bytes | int], number: int) -> int:
    value = fields.get(number, 0)
    return value if isinstance(value, int) else 0


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place
