"""The shared loop: which epoch is kept, when it ends, and resuming bit for bit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss

from bidsapp.errors import InputInvalidError
from bidsapp.models.training_loop import (
    Task,
    cpu_state,
    numpy_stream,
    shuffled_batches,
    torch_stream,
    train,
)

X = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([[1.0], [-2.0], [0.5]])


def make_task(monitored=None, seed=0):
    """A linear network on noisy data; `monitored` replaces the validation loss by given values."""
    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.BatchNorm1d(1))
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.05)

    def batches(number):
        noise = torch_stream(seed, number, "cpu")
        for rows in shuffled_batches(np.arange(20), 6, numpy_stream(seed, number)):
            yield torch.from_numpy(rows), noise

    def loss(batch):
        rows, noise = batch
        value = mse_loss(network(X[rows] + 0.1 * torch.randn(6, 3, generator=noise)), Y[rows])
        return value, {"loss": value, "n": torch.tensor(len(rows))}

    def judge(number, sums):
        assert sums["n"] == 18
        network.eval()
        with torch.no_grad():
            val = float(mse_loss(network(X), Y)) if monitored is None else monitored[number - 1]
        return {"epoch": number, "loss": sums["loss"] / 3, "val": val}

    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.05, total_steps=30)
    return Task(network, optimiser, batches, loss, judge, "val", f"toy {seed}", schedule)


class Memory:
    """A checkpoint that stops the run when it has been saved some times."""

    def __init__(self, stop_after=None):
        self.state, self.left = None, stop_after

    def load(self):
        return copy.deepcopy(self.state)

    def save(self, state):
        self.state = copy.deepcopy(state)
        if self.left is not None:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt


@pytest.mark.parametrize("patience", [None, 4])
@pytest.mark.parametrize("stop", [1, 4, 8])
def test_a_resumed_run_ends_with_the_same_weights(patience, stop):
    whole = train(make_task(), 9, patience)
    memory = Memory(stop)
    with pytest.raises(KeyboardInterrupt):
        train(make_task(), 9, patience, checkpoint=memory)
    memory.left = None
    rows = []
    resumed = train(make_task(), 9, patience, checkpoint=memory, on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == list(range(stop + 1, len(whole.history) + 1))
    assert resumed.history == whole.history
    assert resumed.best_epoch == whole.best_epoch
    assert all(torch.equal(value, resumed.state[name]) for name, value in whole.state.items())


def test_patience_keeps_the_best_epoch_and_nan_is_never_better():
    values = [0.5, 0.4, float("nan"), 0.4, 0.6, 0.1]
    memory = Memory(2)
    with pytest.raises(KeyboardInterrupt):
        train(make_task(values), 6, 3, checkpoint=memory)
    trained = train(make_task(values), 6, 3)
    assert trained.best_epoch == 2
    assert len(trained.history) == 5
    second = memory.state["network"]
    assert all(torch.equal(value, trained.state[name]) for name, value in second.items())


def test_without_patience_the_last_epoch_is_kept():
    task = make_task([0.1, 0.5, float("nan")])
    trained = train(task, 3)
    assert trained.best_epoch == 3
    state = cpu_state(task.network)
    assert all(torch.equal(value, trained.state[name]) for name, value in state.items())


def test_a_checkpoint_of_another_run_is_refused_and_more_epochs_are_not():
    memory = Memory()
    train(make_task(), 2, checkpoint=memory)
    with pytest.raises(InputInvalidError, match="another training run"):
        train(make_task(seed=1), 2, checkpoint=memory)
    longer, whole = train(make_task(), 5, checkpoint=memory), train(make_task(), 5)
    assert all(torch.equal(value, longer.state[name]) for name, value in whole.state.items())


def test_batches_are_a_permutation_cut_to_size():
    batches = shuffled_batches(np.arange(11), 4, numpy_stream(0, 1))
    assert [len(batch) for batch in batches] == [4, 4]
    assert len(set(np.concatenate(batches))) == 8
    assert sorted(shuffled_batches(np.arange(3), 4, numpy_stream(0, 1))[0]) == [0, 1, 2]
