"""Intermediates are keyed by content, written at once, and a killed loop ends the same."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bidsapp.scratch import Scratch, identity


@dataclass(frozen=True)
class Pair:
    score: np.ndarray
    count: np.ndarray


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_keys_differ_exactly_when_values_do(one, other):
    assert (identity(one) == identity(other)) == (repr(one) == repr(other))


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(max_dims=2, max_side=4), elements=st.floats(0, 1, width=32)
    )
)
def test_the_key_of_an_array_holds_type_shape_and_content(array):
    assert identity(array) == identity(array.copy(order="F"))
    assert identity(array) != identity(array.astype(np.float64))
    assert identity(array) != identity(array[None])
    changed = array.copy()
    changed.flat[0] += 1
    assert identity(array) != identity(changed)


def test_keys_of_dataclasses_paths_and_joined_texts():
    assert identity(Pair(np.zeros(2), np.ones(2))) != identity(Pair(np.ones(2), np.zeros(2)))
    assert identity("ab", "c") != identity("a", "bc")
    assert len({identity(value) for value in (1, 1.0, True, "1", b"1", Path("1"))}) == 6
    with pytest.raises(TypeError, match="set"):
        identity({1})


def test_an_array_is_made_once_and_a_failed_one_leaves_nothing(tmp_path):
    scratch = Scratch.of(tmp_path, "toy", "key")

    def fail(out):
        out[:] = 1
        raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        scratch.array("a", (3, 2), np.float32, fail)
    assert not [path for path in scratch.folder.iterdir() if path.suffix == ".npy"]
    kept = scratch.array("a", (3, 2), np.float32, lambda out: out.__setitem__(..., 7))
    assert isinstance(kept, np.memmap)
    assert not kept.flags.writeable
    again = scratch.array("a", (3, 2), np.float32, fail)
    np.testing.assert_array_equal(again, np.full((3, 2), 7, np.float32))
    scratch.remove()
    assert not scratch.folder.exists()


def test_room_is_made_anew_each_time_and_goes_with_the_folder(tmp_path):
    scratch = Scratch(tmp_path / "scratch")
    first, second = (scratch.room("values", (2, 3)) for _ in range(2))
    assert isinstance(first, np.memmap)
    first[:] = 7.0
    assert not second.any()
    assert len(list(scratch.folder.iterdir())) == 2
    scratch.remove()
    assert (first == 7.0).all()  # mapped until it is let go
    assert not scratch.folder.exists()


def test_a_dataclass_is_kept_bit_for_bit_and_a_damaged_one_made_again(tmp_path):
    scratch = Scratch(tmp_path)
    value = Pair(np.random.default_rng(0).standard_normal(5), np.arange(3))
    calls = []
    for _ in range(2):
        pair = scratch.kept("p", Pair, lambda: (calls.append(1), value)[1])
        np.testing.assert_array_equal(pair.score, value.score)
        assert pair.count.dtype == value.count.dtype
    assert len(calls) == 1
    scratch.path("p.npz").write_bytes(scratch.path("p.npz").read_bytes()[:40])
    scratch.kept("p", Pair, lambda: (calls.append(1), value)[1])
    assert len(calls) == 2


def step(rows):
    return [np.random.default_rng(row).standard_normal(2) for row in rows]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), min_size=1, max_size=4))
def test_rows_do_not_depend_on_how_often_and_how_they_were_asked_for(tmp_path_factory, calls):
    scratch = Scratch(tmp_path_factory.mktemp("s"))
    longest = 0
    for n, at_once in calls:
        computed = []

        def note(rows, computed=computed):
            computed.extend(rows)
            return step(rows)

        rows = scratch.resume("null", n, note, row=(2,), at_once=at_once)
        np.testing.assert_array_equal(rows, np.reshape(step(range(n)), (n, 2)))
        assert computed == list(range(longest, n))
        longest = max(longest, n) if computed or not longest else longest


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from bidsapp.scratch import Scratch

folder, stop = Path(sys.argv[1]), int(sys.argv[2])

def step(rows):
    (folder / f"at-{rows.start}").touch()
    while rows.start == stop:
        time.sleep(0.01)
    return [np.random.default_rng(row).standard_normal(2) for row in rows]

Scratch(folder / "s").resume("null", 12, step, row=(2,), at_once=3)
"""


@pytest.mark.parametrize("stop", [0, 3, 9])
def test_a_killed_loop_goes_on_to_the_same_end(tmp_path, stop):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), str(stop)])
    try:
        until = time.monotonic() + 60
        while not (tmp_path / f"at-{stop}").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    scratch = Scratch(tmp_path / "s")
    starts = []

    def note(rows):
        starts.append(rows.start)
        return step(rows)

    rows = scratch.resume("null", 12, note, row=(2,), at_once=3)
    assert starts == list(range(stop, 12, 3))
    np.testing.assert_array_equal(rows, step(range(12)))
    assert [path.name for path in scratch.folder.iterdir()] == ["null.npz"]
