"""Cross-validation of models that tell the quadrant of a window of music.

Networks stop on songs of the training fold; classical models choose their regularisation there.
Nothing is fitted on the songs that are tested, and on the CPU a stopped run goes on bit for bit.

Source: Fong, Kumar and Sudhir, arXiv 2408.07113 (cross-entropy, 10-fold cross-validation). The
optimiser and the end of training are not published.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import cross_entropy, log_softmax

from bidsapp.audio.training.classical import fit_classical, macro_f1
from bidsapp.audio.training.descriptors import GROUPS
from bidsapp.audio.training.windows import RatedWindows, WindowContents
from bidsapp.errors import InputInvalidError, UsageError
from bidsapp.models.dropout import use_generator
from bidsapp.models.harmonic.names import QUADRANTS
from bidsapp.models.harmonic.networks import (
    NETWORKS2D,
    HarmonicSettings,
    MelNetwork,
    build,
    n_parameters,
)
from bidsapp.models.training_loop import (
    Row,
    Task,
    Trained,
    numpy_stream,
    shuffled_batches,
    torch_stream,
    train,
)
from bidsapp.progress import track
from bidsapp.scratch import FileCheckpoint
from bidsapp.stats.song_folds import SongFold

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MODELS = (*NETWORKS2D, *GROUPS)
"""Networks, and classical models of descriptors."""
DEFAULT_MODELS = ("harmonic", "contiguous", "random", *GROUPS)
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class EmotionSettings:
    """What a cross-validation depends on.

    Attributes
    ----------
    models
        Of `MODELS`; the first one is compared with the others.
    n_folds, by_song
        Folds over whole songs, or over single windows (leaky).
    epochs, patience
        At most so many; epochs without a lower validation loss until the end.
    batch, learning_rate, weight_decay
        Windows in a batch; of AdamW.
    n_permutations, n_resamples
        Of chance, and of intervals and comparisons.
    network
        Sizes of networks; its kind and seed are replaced.
    seed
        Of folds, weights, batches and draws.
    """

    models: tuple[str, ...] = DEFAULT_MODELS
    n_folds: int = 10
    by_song: bool = True
    epochs: int = 60
    patience: int = 8
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    n_permutations: int = 1000
    n_resamples: int = 2000
    network: HarmonicSettings = field(default_factory=HarmonicSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = [name for name in self.models if name not in MODELS]
        if wrong or not self.models:
            msg = f"--models {' '.join(wrong)}: choose some of {', '.join(MODELS)}"
            raise UsageError(msg)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Held-out predictions of one model.

    Attributes
    ----------
    model
        Of `MODELS`.
    log_proba
        (n, 4).
    ratings
        (n, 2) valence and arousal: mean ratings of the quadrants in the training fold, weighted
        by the predicted probabilities.
    fold
        (n,) fold in which each window was tested.
    n_parameters
        Fitted numbers.
    history
        Rows of all folds of a network, with the fold.
    states
        Weights of each fold's network.
    """

    model: str
    log_proba: Floats
    ratings: Floats
    fold: Ints
    n_parameters: int
    history: list[Row]
    states: list[dict[str, torch.Tensor]]

    @property
    def quadrant(self) -> Ints:
        """The likeliest quadrant of each window, (n,)."""
        return np.asarray(self.log_proba.argmax(axis=1), np.int64)


def cross_validate(
    model: str,
    windows: RatedWindows,
    contents: WindowContents,
    folds: Sequence[SongFold],
    settings: EmotionSettings,
    folder: Path,
    *,
    identity: str = "",
    device: str = "cpu",
    quiet: bool = False,
) -> Predictions:
    """Predict every window by a model that has not seen its song.

    Parameters
    ----------
    model
        Of `MODELS`.
    windows, contents
        Rated windows and what is in them.
    folds
        From `bidsapp.stats.song_folds.song_folds`.
    settings
        How.
    folder
        For checkpoints of networks, one per fold.
    identity
        Of the corpus; a checkpoint of another one is refused.
    device
        ``cpu`` or ``cuda``.
    quiet
        Show no progress.

    Raises
    ------
    InputInvalidError
        A checkpoint is of other settings.
    """
    n = len(windows.quadrant)
    log_proba, ratings = np.full((n, len(QUADRANTS)), np.nan), np.full((n, 2), np.nan)
    tested = np.zeros(n, np.int64)
    history: list[Row] = []
    states: list[dict[str, torch.Tensor]] = []
    size = 0
    numbered = track(
        list(enumerate(folds)), total=len(folds), label=f"Folds of {model}", quiet=quiet
    )
    for number, fold in numbered:
        if model in GROUPS:
            classical = fit_classical(model, windows.quadrant, contents.descriptors, fold)
            log_proba[fold.test] = classical(contents.descriptors[fold.test])
            size = len(QUADRANTS) * (len(GROUPS[model]) + 1)
        else:
            trained = fit_network(
                model,
                windows.quadrant,
                contents,
                fold,
                settings,
                seed=settings.seed + 1000 * (number + 1),
                checkpoint=folder / f"{model}_fold{number:02d}.pt",
                identity=identity,
                device=device,
            )
            network = built(model, settings, trained.state, device)
            log_proba[fold.test] = network_log_proba(network, contents, fold.test)
            history += [{"fold": number, **row} for row in trained.history]
            states.append(trained.state)
            size = n_parameters(network)
        means = quadrant_means(windows, np.concatenate([fold.train, fold.validation]))
        ratings[fold.test] = np.exp(log_proba[fold.test]) @ means
        tested[fold.test] = number
    return Predictions(model, log_proba, ratings, tested, size, history, states)


def quadrant_means(windows: RatedWindows, rows: Ints) -> Floats:
    """Mean valence and arousal (4, 2) of the windows of each quadrant; of all where none is."""
    own, classes = windows.ratings[rows], windows.quadrant[rows]
    return np.stack(
        [
            own[classes == k].mean(axis=0) if (classes == k).any() else own.mean(axis=0)
            for k in range(len(QUADRANTS))
        ]
    )


def class_weights(classes: Ints) -> Floats:
    """Weights (4,) inverse to the frequency of each class, of mean 1 over the windows."""
    counts = np.bincount(classes, minlength=len(QUADRANTS)).astype(np.float64)
    weights = np.where(counts > 0, 1.0 / np.maximum(counts, 1.0), 0.0)
    return np.asarray(weights * counts.sum() / (weights * counts).sum())


def built(
    model: str, settings: EmotionSettings, state: Mapping[str, torch.Tensor], device: str = "cpu"
) -> MelNetwork:
    """Return a network with trained weights, ready to predict."""
    network = build(replace(settings.network, kind=cast("Any", model), seed=settings.seed))
    network.load_state_dict(dict(state))
    return network.to(device).eval()


@torch.no_grad()
def network_log_proba(network: MelNetwork, contents: WindowContents, rows: Ints) -> Floats:
    """Log-probabilities (n_rows, 4) of some windows."""
    network.eval()
    device = next(network.parameters()).device
    parts = [np.empty((0, len(QUADRANTS)))]
    for start in range(0, len(rows), _AT_ONCE):
        x = mel_batch(contents, rows[start : start + _AT_ONCE]).to(device)
        parts.append(log_softmax(network(x).float(), dim=1).cpu().numpy())
    return np.concatenate(parts).astype(np.float64)


def mel_batch(contents: WindowContents, rows: Ints) -> torch.Tensor:
    """Mel spectrograms (n_rows, 256, 259) of some windows, float32."""
    return torch.from_numpy(np.asarray(contents.mel_db[rows], np.float32))


def fit_network(
    model: str,
    classes: Ints,
    contents: WindowContents,
    fold: SongFold,
    settings: EmotionSettings,
    *,
    seed: int,
    checkpoint: Path | None = None,
    identity: str = "",
    device: str = "cpu",
) -> Trained:
    """Train a network on one fold.

    Parameters
    ----------
    model
        Of `NETWORKS2D`.
    classes
        (n,) quadrants.
    contents
        What is in the windows.
    fold
        Training rows are learned from; validation rows choose the epoch.
    settings
        How.
    seed
        Of batches and dropout in this fold.
    checkpoint
        File that is written after each epoch and gone on from.
    identity
        Of the corpus.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    InputInvalidError
        The checkpoint is of other settings.
    """
    run = _Run(model, classes, contents, fold, settings, seed, identity, device)
    kept = None if checkpoint is None else FileCheckpoint(checkpoint)
    if checkpoint is not None:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
    try:
        return train(run.task(), settings.epochs, settings.patience, checkpoint=kept)
    except InputInvalidError as error:
        if str(checkpoint) in str(error):
            raise
        msg = f"{checkpoint}: {error}"
        raise InputInvalidError(msg) from error


class _Run:
    """What the loop trains: a network, its batches of windows, loss and validation."""

    def __init__(
        self,
        model: str,
        classes: Ints,
        contents: WindowContents,
        fold: SongFold,
        settings: EmotionSettings,
        seed: int,
        identity: str,
        device: str,
    ) -> None:
        self.classes, self.contents, self.fold = classes, contents, fold
        self.settings, self.seed, self.device = settings, seed, device
        plan = replace(settings.network, kind=cast("Any", model), seed=settings.seed)
        self.network = build(plan).to(device)
        weights = class_weights(classes[fold.train])
        self.weights = torch.tensor(weights, dtype=torch.float32, device=device)
        self.labels = torch.from_numpy(np.asarray(classes, np.int64)).to(device)
        sizes = {key: v for key, v in asdict(settings).items() if key not in _NOT_OF_A_FIT}
        rows = [fold.train.tolist(), fold.validation.tolist(), classes[fold.train].tolist()]
        self.identity = json.dumps([identity, model, sizes, seed, rows], sort_keys=True)
        self.started, self.n_batches = 0.0, 0

    def task(self) -> Task[Ints]:
        """Return the network and its epoch for the loop."""
        settings = self.settings
        optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        return Task(
            network=self.network,
            optimiser=optimiser,
            batches=self.batches,
            loss=self.loss,
            judge=self.judge,
            monitor="validation_loss",
            identity=self.identity,
        )

    def batches(self, number: int) -> Iterator[Ints]:
        """Draw the batches of an epoch."""
        self.started = time.monotonic()
        use_generator(self.network, torch_stream(self.seed, number - 1, self.device))
        stream = numpy_stream(self.seed, number)
        batches = shuffled_batches(self.fold.train, self.settings.batch, stream)
        self.n_batches = len(batches)
        return iter(cast("list[Ints]", batches))

    def loss(self, batch: Ints) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Cross-entropy of a batch, classes weighted."""
        x = mel_batch(self.contents, batch).to(self.device, non_blocking=True)
        loss = cross_entropy(self.network(x), self.labels[batch], weight=self.weights)
        return loss, {"loss": loss}

    def judge(self, number: int, sums: Mapping[str, float]) -> Row:
        """Score the validation windows; return the row of the history."""
        rows = self.fold.validation
        log_proba = network_log_proba(self.network, self.contents, rows)
        weights = class_weights(self.classes[self.fold.train])[self.classes[rows]]
        losses = -log_proba[np.arange(len(rows)), self.classes[rows]]
        total = max(float(weights.sum()), 1e-12)
        return {
            "epoch": number,
            "loss": sums["loss"] / self.n_batches,
            "validation_loss": float((weights * losses).sum()) / total,
            "validation_macro_f1": macro_f1(self.classes[rows], log_proba.argmax(axis=1)),
            "seconds": round(time.monotonic() - self.started, 2),
        }


_NOT_OF_A_FIT = (
    "models",
    "n_folds",
    "by_song",
    "epochs",
    "patience",
    "n_permutations",
    "n_resamples",
)
