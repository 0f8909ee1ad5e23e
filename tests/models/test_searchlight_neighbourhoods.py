from __future__ import annotations

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods


@pytest.fixture
def three() -> Neighbourhoods:
    return Neighbourhoods.from_lists([[4, 1], [], [3, 2, 0]], [1, 5, 2], [2.0, 0.0, 3.0])


def test_members_are_sorted_within_each_searchlight(three: Neighbourhoods) -> None:
    assert three.n_centres == 3
    assert three.sizes.tolist() == [2, 0, 3]
    assert [three.of(i).tolist() for i in range(3)] == [[1, 4], [], [0, 2, 3]]


def test_slabs_are_the_whole_in_order(three: Neighbourhoods) -> None:
    for size in (1, 2, 5):
        slabs = list(three.slabs(size))
        joined = [slab.of(i).tolist() for _, slab in slabs for i in range(slab.n_centres)]
        assert joined == [[1, 4], [], [0, 2, 3]]
        assert np.concatenate([slab.centres for _, slab in slabs]).tolist() == [1, 5, 2]
    assert three.subset(slice(3, 1)).n_centres == 0


def test_misfits_are_refused(three: Neighbourhoods) -> None:
    with pytest.raises(InputInvalidError, match="do not form searchlights"):
        Neighbourhoods(three.members, three.starts[:-1], three.centres, three.radius_mm)
    with pytest.raises(InputInvalidError, match="out of order"):
        Neighbourhoods(three.members[::-1], three.starts, three.centres, three.radius_mm)
    with pytest.raises(InputInvalidError, match="step 2"):
        three.subset(slice(0, 3, 2))
