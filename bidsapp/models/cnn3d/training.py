"""Training of one network on some volumes, and its predictions.

On the CPU a run is determined by its seed: weights, order, augmentation and dropout draw from
generators keyed by (seed, epoch), so a resumed run goes on exactly like an uninterrupted one.
On CUDA, masked values travel and are scattered there, in autocast and channels-last layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import cross_entropy, log_softmax
from torch.utils.data import DataLoader, Dataset

from bidsapp.errors import InputInvalidError
from bidsapp.models import training_loop
from bidsapp.models.cnn3d.augment import perturb, translate
from bidsapp.models.cnn3d.networks import Network3d, build
from bidsapp.models.cnn3d.volumes import Volumes, scatter
from bidsapp.models.training_loop import Checkpoint, torch_stream

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]
_Batch = tuple[IntArray, torch.Tensor]


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes
    ----------
    network
        Of `NETWORKS3D`.
    epochs, batch_size
        At most so many epochs, volumes per step.
    optimiser, learning_rate, weight_decay, schedule
        AdamW with the one-cycle schedule peaking at `learning_rate`, or Adam at a constant rate.
    label_smoothing
        Share of each target spread over all classes.
    class_weights
        Weight classes by 1 / sqrt(n volumes) in the loss.
    patience
        Epochs without a better validation loss until training stops; None: never, and the last
        epoch is kept instead of the best.
    max_shift, noise, scale
        Augmentation, see `bidsapp.models.cnn3d.augment`; voxels, standard deviations, share.
    workers
        Processes that load volumes for CUDA.
    """

    network: str = "small"
    epochs: int = 20
    batch_size: int = 16
    optimiser: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    schedule: Literal["onecycle", "constant"] = "onecycle"
    label_smoothing: float = 0.05
    class_weights: bool = True
    patience: int | None = 8
    max_shift: int = 1
    noise: float = 0.1
    scale: float = 0.1
    workers: int = 4


@dataclass(frozen=True)
class EpochRecord:
    """One row of the history; losses in nats, accuracies as shares, NaN without validation.

    `loss` and `accuracy` are those of training batches as they were learned from: augmented and
    with dropout.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network.

    Attributes
    ----------
    settings, n_classes, n_channels, shape, seed
        What `network` is built from.
    state
        Weights, on the CPU.
    history
        One row per epoch.
    best_epoch
        The epoch whose weights are kept, from 1.
    """

    settings: TrainingSettings
    n_classes: int
    n_channels: int
    shape: tuple[int, int, int]
    seed: int
    state: dict[str, torch.Tensor]
    history: tuple[EpochRecord, ...]
    best_epoch: int

    def network(self, device: str = "cpu") -> Network3d:
        """Return the network with its weights, ready to predict."""
        made = build(self.settings.network, self.n_classes, self.n_channels, self.shape, self.seed)
        made.load_state_dict(self.state)
        return made.to(device).eval()


def fit(
    volumes: Volumes,
    labels: IntArray,
    train: IntArray,
    val: IntArray | None,
    settings: TrainingSettings,
    *,
    n_classes: int,
    seed: int,
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Fitted:
    """Train a network.

    Parameters
    ----------
    volumes
        All volumes.
    labels : integer array of shape (n_volumes,)
        Classes from 0; rows with -1 are left out.
    train, val
        Rows; without `val` nothing stops early.
    settings
        How.
    n_classes
        Outputs.
    seed
        Of this run.
    device
        ``cpu``, ``cuda``, ``cuda:1``.
    checkpoint
        Where to resume from and to write after each epoch.
    on_epoch
        Called with each row of the history.

    Returns
    -------
    Fitted

    Raises
    ------
    InputInvalidError
        If no training volume has a label, or a checkpoint is of another run.
    """
    train = _labelled(train, labels)
    val = _labelled(np.zeros(0, np.int64) if val is None else val, labels)
    if not train.size:
        msg = "none of the training volumes has a label; check the labels' times and the split"
        raise InputInvalidError(msg)
    run = _Run(volumes, labels, train, val, settings, n_classes, seed, torch.device(device))
    trained = training_loop.train(
        run.task(),
        settings.epochs,
        settings.patience if val.size else None,
        checkpoint=checkpoint,
        on_epoch=None if on_epoch is None else lambda row: on_epoch(_record(row)),
    )
    return Fitted(
        settings,
        n_classes,
        volumes.n_channels,
        volumes.shape,
        seed,
        trained.state,
        tuple(map(_record, trained.history)),
        trained.best_epoch,
    )


def _record(row: training_loop.Row) -> EpochRecord:
    return EpochRecord(**row)  # type: ignore[arg-type]


def predict_log_proba(
    fitted: Fitted,
    volumes: Volumes,
    rows: IntArray,
    *,
    device: str = "cpu",
    batch_size: int = 32,
) -> FloatArray:
    """Predict classes.

    Parameters
    ----------
    fitted
        From `fit`.
    volumes
        All volumes.
    rows
        Those to predict.
    device
        As in `fit`.
    batch_size
        Memory, not results.

    Returns
    -------
    array of shape (n_rows, n_classes)
        Log-probabilities, float64.
    """
    if not len(rows):
        return np.zeros((0, fitted.n_classes))
    where = torch.device(device)
    network = _placed(fitted.network(device), where)
    return _log_proba(network, volumes, rows, where, batch_size).double().cpu().numpy()


def ensemble(log_probas: list[FloatArray]) -> FloatArray:
    """Average probabilities of several seeds; returns log-probabilities of the same shape."""
    stacked = np.stack(log_probas)
    averaged: FloatArray = np.logaddexp.reduce(stacked, axis=0) - np.log(len(stacked))
    return averaged


class _Run:
    """What the loop trains: the network, its batches of volumes, loss and validation."""

    def __init__(
        self,
        volumes: Volumes,
        labels: IntArray,
        train: IntArray,
        val: IntArray,
        settings: TrainingSettings,
        n_classes: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.volumes, self.labels, self.train, self.val = volumes, labels, train, val
        self.settings, self.n_classes, self.seed, self.device = settings, n_classes, seed, device
        network = build(settings.network, n_classes, volumes.n_channels, volumes.shape, seed)
        self.network = _placed(network.to(device), device)
        self.index = volumes.index(device)
        self.weights = self._class_weights().to(device)

    def task(self) -> training_loop.Task[_Batch]:
        """Return the network and its epoch for the loop."""
        settings = self.settings
        make = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
        self.optimiser = make(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        steps = max(-(-len(self.train) // settings.batch_size) * settings.epochs, 2)
        fixed = asdict(settings) | {"workers": 0}
        rows = self.train.tolist(), self.val.tolist()
        return training_loop.Task(
            network=self.network,
            optimiser=self.optimiser,
            batches=self.batches,
            loss=self.loss,
            judge=self.judge,
            monitor="val_loss",
            identity=repr((fixed, self.n_classes, self.seed, rows)),
            schedule=torch.optim.lr_scheduler.OneCycleLR(
                self.optimiser, settings.learning_rate, total_steps=steps, cycle_momentum=False
            )
            if settings.schedule == "onecycle"
            else torch.optim.lr_scheduler.ConstantLR(self.optimiser, factor=1.0, total_iters=0),
        )

    def _class_weights(self) -> torch.Tensor:
        counts = np.bincount(self.labels[self.train], minlength=self.n_classes)
        raw = np.where(counts > 0, 1 / np.sqrt(np.maximum(counts, 1)), 0.0)
        if not self.settings.class_weights:
            raw = np.ones(self.n_classes)
        return torch.tensor(raw * counts.sum() / (raw * counts).sum(), dtype=torch.float32)

    def batches(self, number: int) -> Iterator[_Batch]:
        """Draw the order of the training volumes of an epoch."""
        self.generator = torch_stream(self.seed, number - 1, "cpu")
        self.on_device = torch_stream(self.seed, number - 1, self.device)
        self.network.use_generator(self.on_device)
        order = self.train[torch.randperm(len(self.train), generator=self.generator).numpy()]
        return _batches(self.volumes, order, self.settings, self.device)

    def loss(self, batch: _Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Cross-entropy of a batch of augmented volumes; its sum and the hits are reported."""
        rows, values = batch
        settings = self.settings
        values = perturb(
            values, noise=settings.noise, scale=settings.scale, generator=self.on_device
        )
        x = scatter(values, self.index, self.volumes.shape)
        x = translate(x, max_shift=settings.max_shift, generator=self.generator)
        y = torch.as_tensor(np.asarray(self.labels[rows], np.int64), device=self.device)
        with _autocast(self.device):
            logits = self.network(_laid_out(x, self.device))
            loss = cross_entropy(
                logits.float(), y, weight=self.weights, label_smoothing=settings.label_smoothing
            )
        hits = (logits.argmax(dim=1) == y).sum()
        return loss, {"loss": loss.double() * len(rows), "hits": hits}

    def judge(self, number: int, sums: Mapping[str, float]) -> training_loop.Row:
        """Score the validation volumes; return the row of the history."""
        val_loss, val_accuracy = self._validate()
        record = EpochRecord(
            number,
            sums["loss"] / len(self.train),
            sums["hits"] / len(self.train),
            val_loss,
            val_accuracy,
            self.optimiser.param_groups[0]["lr"],
        )
        return asdict(record)

    def _validate(self) -> tuple[float, float]:
        if not self.val.size:
            return np.nan, np.nan
        log_proba = _log_proba(self.network, self.volumes, self.val, self.device, 32)
        y = torch.as_tensor(np.asarray(self.labels[self.val], np.int64), device=self.device)
        loss = -log_proba[torch.arange(len(y), device=self.device), y].double().mean()
        return float(loss), float((log_proba.argmax(dim=1) == y).double().mean())


class _Batches(Dataset[torch.Tensor]):
    """Masked values of ready-made batches, for loading in other processes."""

    def __init__(self, volumes: Volumes, batches: list[IntArray]) -> None:
        self.volumes, self.batches = volumes, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> torch.Tensor:
        return self.volumes.values(self.batches[number])


def _batches(
    volumes: Volumes, order: IntArray, settings: TrainingSettings, device: torch.device
) -> Iterator[tuple[IntArray, torch.Tensor]]:
    """Rows and masked values on the device; loaded ahead by other processes for CUDA."""
    starts = range(0, len(order), settings.batch_size)
    batches = [order[start : start + settings.batch_size] for start in starts]
    if device.type != "cuda":
        for rows in batches:
            yield rows, volumes.values(rows)
        return
    loader = DataLoader(
        _Batches(volumes, batches), batch_size=None, num_workers=settings.workers, pin_memory=True
    )
    for rows, values in zip(batches, loader, strict=True):
        yield rows, values.to(device, non_blocking=True)


@torch.no_grad()
def _log_proba(
    network: Network3d, volumes: Volumes, rows: IntArray, device: torch.device, batch_size: int
) -> torch.Tensor:
    network.eval()
    index, parts = volumes.index(device), []
    for start in range(0, len(rows), batch_size):
        values = volumes.values(rows[start : start + batch_size]).to(device)
        x = _laid_out(scatter(values, index, volumes.shape), device)
        with _autocast(device):
            parts.append(log_softmax(network(x).float(), dim=1))
    return torch.cat(parts)


def _autocast(device: torch.device) -> Any:
    return torch.autocast("cuda") if device.type == "cuda" else nullcontext()


def _placed(network: Network3d, device: torch.device) -> Network3d:
    if device.type == "cuda":
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]
    return network


def _laid_out(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d) if device.type == "cuda" else x


def _labelled(rows: IntArray, labels: IntArray) -> IntArray:
    rows = np.asarray(rows)
    return rows[labels[rows] >= 0]
