from __future__ import annotations

import pytest
import torch

from bidsapp.models.threads import map_single_threaded


def test_results_come_in_order_from_single_threaded_workers():
    before = torch.get_num_threads()
    results = map_single_threaded(lambda n: (n, torch.get_num_threads()), range(20), n_workers=4)
    assert results == [(n, 1) for n in range(20)]
    assert torch.get_num_threads() == before
    assert map_single_threaded(abs, []) == []


def test_errors_come_through_and_threads_are_restored():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        map_single_threaded(lambda n: 1 // n, [1, 0, 2])
    assert torch.get_num_threads() == before
