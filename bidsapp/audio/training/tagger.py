"""Training the residual network to tag music.

Batches, excerpts and first weights follow from the seed and the number of the epoch alone, so a
run that is cut off and taken up again ends where an uninterrupted one does.

Source: Thielen et al., Deep neural network: Adam (2e-4; 0.5, 0.999), batches of 36, binary
cross-entropy, excerpts of 50,176 samples, initialisation of He et al. Early stopping on the
validation loss is ours; the paper does not say when it stopped.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.amp.grad_scaler import GradScaler
from torch.nn.functional import binary_cross_entropy_with_logits

from bidsapp.audio.corpora import Corpus
from bidsapp.audio.networks.resnet1d import SAMPLES, WIDTH, ResNet
from bidsapp.audio.networks.weights import he_initialise
from bidsapp.audio.training.evaluation import mean_scores, tag_logits, tag_scores
from bidsapp.audio.training.waveforms import Waveforms
from bidsapp.errors import OutputError
from bidsapp.progress import track

CHECKPOINT = "checkpoint.pt"
_EPOCHS_KEY = 1 << 32
"""Streams of epochs begin here; those below belong to the weights of layers."""


@dataclass(frozen=True, slots=True)
class TaggerSettings:
    """What the course of training depends on.

    Attributes
    ----------
    epochs
        At most; a clip gives one excerpt per epoch.
    patience
        Epochs without a lower validation loss after which training ends.
    batch
        Clips in a batch; what is left over at the end of an epoch is passed over.
    learning_rate, betas
        Of Adam.
    samples
        Length of an excerpt at 16 kHz.
    width
        Channels of the first layer.
    seed
        Of weights, batches and excerpts.
    """

    epochs: int = 100
    patience: int = 10
    batch: int = 36
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    samples: int = SAMPLES
    width: int = WIDTH
    seed: int = 0


@dataclass(slots=True)
class Fitted:
    """Result of training.

    Attributes
    ----------
    module
        The network as it was in its best epoch.
    history
        One row per epoch: epoch, loss, validation_loss, validation_roc_auc, seconds.
    best_epoch
        From 1.
    """

    module: ResNet
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0


def fit_tagger(
    corpus: Corpus,
    waveforms: Waveforms,
    folder: Path,
    settings: TaggerSettings,
    *,
    device: str = "cpu",
    quiet: bool = False,
) -> Fitted:
    """Train on the clips of split train, choose the epoch by those of split validation.

    Parameters
    ----------
    corpus
        Tags; clips of split test are not touched.
    waveforms
        Its decoded clips.
    folder
        For ``checkpoint.pt``, written after every epoch and gone on from if it is there.
    settings
        What to do. `epochs` and `patience` may be raised between calls.
    device
        ``cpu`` or ``cuda``; on CUDA in mixed precision.
    quiet
        Show no progress.

    Raises
    ------
    OutputError
        The checkpoint in `folder` is of another corpus or other settings.
    """
    run = _Run(corpus, waveforms, settings, device, quiet)
    run.resume(folder / CHECKPOINT)
    while not run.finished:
        run.epoch()
        run.save(folder / CHECKPOINT)
    return run.fitted()


class _Run:
    """The state of training between epochs."""

    def __init__(
        self,
        corpus: Corpus,
        waveforms: Waveforms,
        settings: TaggerSettings,
        device: str,
        quiet: bool,
    ) -> None:
        self.corpus, self.waveforms, self.settings = corpus, waveforms, settings
        self.device, self.quiet = device, quiet
        self.module = ResNet(len(corpus.tags), settings.width)
        he_initialise(self.module, settings.seed)
        self.module.to(device)
        self.adam = torch.optim.Adam(
            self.module.parameters(), lr=settings.learning_rate, betas=settings.betas, eps=1e-8
        )
        self.mixed = device.startswith("cuda")
        self.scaler = GradScaler("cuda", enabled=self.mixed)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.labels = torch.from_numpy(corpus.labels.astype(np.float32))

    @property
    def best_epoch(self) -> int:
        """Epoch of the lowest validation loss, from 1; 0 before the first."""
        losses = [row["validation_loss"] for row in self.history]
        return 1 + int(np.argmin(np.nan_to_num(losses, nan=np.inf))) if losses else 0

    @property
    def finished(self) -> bool:
        """Whether all epochs are done or the last ones brought nothing."""
        done = len(self.history)
        waited = done - self.best_epoch
        return done >= self.settings.epochs or (done > 0 and waited >= self.settings.patience)

    def epoch(self) -> None:
        """Pass once over the training clips, then judge on the validation clips."""
        started, number = time.monotonic(), len(self.history) + 1
        loss = self._train(number)
        validation_loss, roc_auc = self._validate()
        row = {
            "epoch": number,
            "loss": loss,
            "validation_loss": validation_loss,
            "validation_roc_auc": roc_auc,
            "seconds": round(time.monotonic() - started, 1),
        }
        self.history.append(row)
        if self.best_epoch == number:
            state = self.module.state_dict()
            self.best = {name: value.detach().cpu().clone() for name, value in state.items()}

    def _train(self, number: int) -> float:
        self.module.train()
        batches, where = self._draw(number)
        label = f"Epoch {number} of at most {self.settings.epochs}"
        total = torch.zeros((), device=self.device)
        excerpts = self._excerpts(batches, where)
        for clips, sounds in track(excerpts, total=len(batches), label=label, quiet=self.quiet):
            wanted = self.labels[clips].to(self.device)
            self.adam.zero_grad(set_to_none=True)
            with torch.autocast(self.device.partition(":")[0], torch.float16, self.mixed):
                logits = self.module(sounds.to(self.device, non_blocking=True))
            loss = binary_cross_entropy_with_logits(logits.float(), wanted)
            torch.autograd.backward(self.scaler.scale(loss))
            self.scaler.step(self.adam)
            self.scaler.update()
            total += loss.detach()
        return float(total) / len(batches)

    def _draw(self, number: int) -> tuple[list[npt.NDArray[np.intp]], npt.NDArray[np.float64]]:
        """Draw an epoch's batches, and for every clip where its excerpt lies."""
        key = [self.settings.seed, _EPOCHS_KEY + number]
        stream = np.random.Generator(np.random.Philox(key=key))
        clips = stream.permutation(self.corpus.clips("train"))
        where = stream.random(len(self.labels))
        size = min(self.settings.batch, len(clips))
        starts = range(0, len(clips) - size + 1, size)
        return [clips[start : start + size] for start in starts], where

    def _excerpts(
        self, batches: list[npt.NDArray[np.intp]], where: npt.NDArray[np.float64]
    ) -> Iterator[tuple[npt.NDArray[np.intp], torch.Tensor]]:
        """Yield batches with their excerpts (n, n_samples), read one batch ahead."""

        def read(clips: npt.NDArray[np.intp]) -> torch.Tensor:
            n = self.settings.samples
            sounds = [self.waveforms.excerpt(int(i), float(where[i]), n) for i in clips]
            return torch.from_numpy(np.stack(sounds))

        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(read, batches[0])
            for position, clips in enumerate(batches):
                sounds = coming.result()
                if position + 1 < len(batches):
                    coming = pool.submit(read, batches[position + 1])
                yield clips, sounds

    def _validate(self) -> tuple[float, float]:
        clips = self.corpus.clips("validation")
        logits = tag_logits(
            self.module,
            self.waveforms,
            clips,
            at_least=self.settings.samples,
            device=self.device,
            quiet=True,
        )
        loss = binary_cross_entropy_with_logits(torch.from_numpy(logits), self.labels[clips])
        scores = tag_scores(self.corpus.labels[clips], logits, self.corpus.tags)
        return float(loss), mean_scores(scores)[0]

    def _facts(self) -> str:
        """State what must be the same for a checkpoint to be gone on from."""
        settings = dataclasses.asdict(self.settings)
        fixed = {key: value for key, value in settings.items() if key not in _MAY_GROW}
        return json.dumps({"corpus": self.corpus.identity(), **fixed}, sort_keys=True)

    def save(self, path: Path) -> None:
        """Write everything the next epoch depends on, at once."""
        state = {
            "facts": self._facts(),
            "module": self.module.state_dict(),
            "adam": self.adam.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": self.history,
            "best": self.best,
        }
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            torch.save(state, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def resume(self, path: Path) -> None:
        """Take up a checkpoint if there is one."""
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            return
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        if state["facts"] != self._facts():
            msg = (
                f"{path}: belongs to training with another corpus or other settings; "
                f"name another --out or remove it"
            )
            raise OutputError(msg)
        self.module.load_state_dict(state["module"])
        self.adam.load_state_dict(state["adam"])
        if self.mixed and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.history = state["history"]
        self.best = {name: value.cpu() for name, value in state["best"].items()}

    def fitted(self) -> Fitted:
        """Return the network of the best epoch."""
        module = ResNet(len(self.corpus.tags), self.settings.width)
        module.load_state_dict(self.best)
        return Fitted(module.eval(), self.history, self.best_epoch)


_MAY_GROW = ("epochs", "patience")
