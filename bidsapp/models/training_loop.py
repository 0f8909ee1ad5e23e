"""The loop that trains a network: epochs, best state, patience, and going on from a checkpoint.

What differs between networks (batches, loss, validation) is passed in. An epoch draws all its
random numbers from generators that are keyed by the seed and the number of the epoch, so that on
the CPU a run that is stopped and resumed ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.errors import InputInvalidError

Batch = TypeVar("Batch")
State = dict[str, Any]
Row = dict[str, float]
Tensors = dict[str, torch.Tensor]

_EPOCHS_KEY = 1 << 32
"""Philox streams of epochs begin here; those below belong to the first weights of layers."""


class Checkpoint(Protocol):
    """Where the state of a run is kept between epochs; `torch.save` can write the state."""

    def load(self) -> State | None:
        """Return the last state, or None."""

    def save(self, state: State) -> None:
        """Keep a state."""


@dataclass(frozen=True, eq=False)
class Task(Generic[Batch]):
    """A network and how one epoch of its training goes.

    Attributes
    ----------
    network
        On its device, with its first weights.
    optimiser
        Of the network's parameters.
    batches
        From the number of the epoch (from 1) to its batches.
    loss
        From a batch to the loss (a scalar tensor) that is minimised and to scalar tensors whose
        sums over the batches of the epoch are reported.
    judge
        From the number of the epoch and those sums to a row of the history; it is called after
        the last batch and validates the network.
    monitor
        Key of the row whose smallest value marks the best epoch; NaN counts as infinite.
    identity
        Everything the weights depend on, as text.
    schedule
        Of the learning rate, stepped after each batch.
    """

    network: torch.nn.Module
    optimiser: torch.optim.Optimizer
    batches: Callable[[int], Iterable[Batch]]
    loss: Callable[[Batch], tuple[torch.Tensor, Mapping[str, torch.Tensor]]]
    judge: Callable[[int, Mapping[str, float]], Row]
    monitor: str
    identity: str
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """What training ends with.

    Attributes
    ----------
    state
        Weights of the epoch that is kept, on the CPU.
    history
        One row per epoch.
    best_epoch
        The epoch that is kept, from 1; 0 if none was better than the first weights.
    """

    state: Tensors
    history: tuple[Row, ...]
    best_epoch: int


def train(
    task: Task[Any],
    epochs: int,
    patience: int | None = None,
    *,
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[Row], None] | None = None,
) -> Trained:
    """Train until all epochs are done or patience has run out.

    Parameters
    ----------
    task
        What is trained.
    epochs
        At most so many, those of a resumed run included.
    patience
        Epochs without a smaller monitored value after which training ends, the weights of the
        best epoch being kept; None: all epochs, and the last one is kept.
    checkpoint
        Where the state is read at the start and written after every epoch.
    on_epoch
        Called with each new row of the history.

    Returns
    -------
    Trained

    Raises
    ------
    InputInvalidError
        The checkpoint is of another training run.
    """
    run = _Run(task, patience)
    if checkpoint is not None and (state := checkpoint.load()) is not None:
        run.restore(state)
    while not run.finished(epochs):
        row = run.epoch()
        if checkpoint is not None:
            checkpoint.save(run.state())
        if on_epoch is not None:
            on_epoch(row)
    return Trained(run.best_state, tuple(run.history), run.best_epoch)


@dataclass(eq=False)
class _Run:
    """A training run between two epochs."""

    task: Task[Any]
    patience: int | None
    history: list[Row] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = np.inf

    def __post_init__(self) -> None:
        device = next(self.task.network.parameters()).device
        self.scaler = torch.GradScaler(device.type, enabled=device.type == "cuda")
        self.best_state = cpu_state(self.task.network)

    def finished(self, epochs: int) -> bool:
        """Whether all epochs are done or patience has run out."""
        done = len(self.history)
        waited = done - self.best_epoch
        return done >= epochs or (
            self.patience is not None and done > 0 and waited >= self.patience
        )

    def epoch(self) -> Row:
        """Train once over the batches, then validate."""
        task, number = self.task, len(self.history) + 1
        task.network.train()
        sums: Tensors = {}
        for batch in task.batches(number):
            task.optimiser.zero_grad(set_to_none=True)
            loss, reported = task.loss(batch)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            self.scaler.step(task.optimiser)
            self.scaler.update()
            if task.schedule is not None:
                task.schedule.step()
            for name, value in reported.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        row = task.judge(number, {name: float(value) for name, value in sums.items()})
        self.history.append(row)
        if self.patience is None or row[task.monitor] < self.best_value:
            self.best_value, self.best_epoch = row[task.monitor], number
            self.best_state = cpu_state(task.network)
        return row

    def state(self) -> State:
        """Everything that the next epoch depends on."""
        task = self.task
        return {
            "identity": task.identity,
            "network": cpu_state(task.network),
            "optimiser": copy.deepcopy(task.optimiser.state_dict()),
            "schedule": None
            if task.schedule is None
            else copy.deepcopy(task.schedule.state_dict()),
            "scaler": self.scaler.state_dict(),
            "best": (self.best_epoch, self.best_value, self.best_state),
            "history": [dict(row) for row in self.history],
        }

    def restore(self, state: State) -> None:
        """Go on from a state."""
        task = self.task
        if state.get("identity") != task.identity:
            msg = "the checkpoint is of another training run; remove it or use its settings"
            raise InputInvalidError(msg)
        task.network.load_state_dict(state["network"])
        task.optimiser.load_state_dict(state["optimiser"])
        if task.schedule is not None:
            task.schedule.load_state_dict(state["schedule"])
        if state["scaler"]:  # empty in the checkpoint of a run on the CPU
            self.scaler.load_state_dict(state["scaler"])
        self.best_epoch, self.best_value, self.best_state = state["best"]
        self.history = [dict(row) for row in state["history"]]


def cpu_state(network: torch.nn.Module) -> Tensors:
    """Return a copy of the weights and buffers of a network on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def torch_stream(seed: int, epoch: int, device: torch.device | str) -> torch.Generator:
    """Return the generator of torch for one epoch (from 0) of the run with this seed."""
    words = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(words[0] >> np.uint64(1)))


def numpy_stream(seed: int, epoch: int) -> np.random.Generator:
    """Return the generator of numpy (Philox) for one epoch (from 1) of the run with this seed."""
    return np.random.Generator(np.random.Philox(key=[seed, _EPOCHS_KEY + epoch]))


def shuffled_batches(
    rows: npt.NDArray[np.integer], size: int, stream: np.random.Generator
) -> list[npt.NDArray[np.integer]]:
    """Permute rows and cut them into batches of `size`; an incomplete last batch is left out.

    Parameters
    ----------
    rows : integer array of shape (n,)
    size
        Rows of a batch; of fewer rows, all are one batch.
    stream
        Where the order is drawn from.
    """
    order = stream.permutation(rows)
    size = min(size, len(order))
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
