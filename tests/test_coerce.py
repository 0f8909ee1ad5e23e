"""Values of options: what is converted, what is refused, and how a refusal reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.coerce import coerce
from bidsapp.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (bool, False, False),
        (str, "a", "a"),
        (Path, "/a", Path("/a")),
        (Path | None, None, None),
        (Path | None, "/a", Path("/a")),
        (Literal["a", "b"], "b", "b"),
        (tuple[float, ...], [1, 2.5], (1.0, 2.5)),
        (tuple[str, ...], "ab", ("ab",)),
        (Mapping[str, Path], {"x": "/a"}, {"x": Path("/a")}),
    ],
)
def test_what_is_converted(kind: Any, value: Any, expected: Any) -> None:
    result = coerce(kind, value, "o")
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "allowed"),
    [
        (int, True, "a whole number"),
        (int, 2.0, "a whole number"),
        (float, "2", "a number"),
        (float, True, "a number"),
        (bool, 1, "true or false"),
        (str, 1, "text"),
        (Path, 1, "a path"),
        (Path | None, 1, "a path"),
        (Literal["a", "b"], "c", "'a' or 'b'"),
        (tuple[float, ...], 4.0, "a list, each a number"),
        (tuple[float, ...], [4.0, "5"], "a list, each a number"),
        (Mapping[str, Path], "x", "a table of names, each a path"),
    ],
)
def test_what_is_refused(kind: Any, value: Any, allowed: str) -> None:
    with pytest.raises(UsageError) as refusal:
        coerce(kind, value, "file: option")
    assert str(refusal.value) == f"file: option = {value!r}: should be {allowed}"


@given(st.one_of(st.booleans(), st.integers(), st.floats(), st.text(), st.none()))
def test_nothing_is_converted_with_loss(value: Any) -> None:
    for kind in (int, float, str, bool):
        try:
            result = coerce(kind, value, "o")
        except UsageError:
            continue
        assert result == value or value != value  # noqa: PLR0124
        assert type(value) is kind or (kind is float and type(value) is int)
