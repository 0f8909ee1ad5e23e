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
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from bidsapp.audio.corpora import Corpus
from bidsapp.audio.networks.resnet1d import SAMPLES, WIDTH, ResNet
from bidsapp.audio.networks.weights import he_initialise
from bidsapp.audio.training.evaluation import mean_scores, tag_logits, tag_scores
from bidsapp.audio.training.waveforms import Waveforms
from bidsapp.errors import OutputError
from bidsapp.models.training_loop import Task, numpy_stream, shuffled_batches, train
from bidsapp.progress import track
from bidsapp.scratch import FileCheckpoint

CHECKPOINT = "checkpoint.pt"
_Batch = tuple[npt.NDArray[np.integer], torch.Tensor]


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
    trained = train(
        run.task(),
        settings.epochs,
        settings.patience,
        checkpoint=_Kept(FileCheckpoint(folder / CHECKPOINT), run.identity()),
    )
    module = ResNet(len(corpus.tags), settings.width)
    module.load_state_dict(trained.state)
    return Fitted(module.eval(), list(trained.history), trained.best_epoch)


@dataclass(frozen=True)
class _Kept:
    """A checkpoint that names its file when it is of another run."""

    file: FileCheckpoint
    identity: str

    def load(self) -> dict[str, Any] | None:
        state = self.file.load()
        if state is not None and state.get("identity") != self.identity:
            msg = (
                f"{self.file.path}: belongs to training with another corpus or other settings; "
                f"name another --out or remove it"
            )
            raise OutputError(msg)
        return state

    def save(self, state: dict[str, Any]) -> None:
        self.file.save(state)


class _Run:
    """What the loop trains: the network, its batches of excerpts, loss and validation."""

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
        self.labels = torch.from_numpy(corpus.labels.astype(np.float32))
        self.started, self.n_batches = 0.0, 0

    def task(self) -> Task[_Batch]:
        """Return the network and its epoch for the loop."""
        settings = self.settings
        adam = torch.optim.Adam(
            self.module.parameters(), lr=settings.learning_rate, betas=settings.betas, eps=1e-8
        )
        return Task(
            network=self.module,
            optimiser=adam,
            batches=self.batches,
            loss=self.loss,
            judge=self.judge,
            monitor="validation_loss",
            identity=self.identity(),
        )

    def batches(self, number: int) -> Iterator[_Batch]:
        """Draw an epoch's batches, and for every clip where its excerpt lies."""
        self.started = time.monotonic()
        stream = numpy_stream(self.settings.seed, number)
        batches = shuffled_batches(self.corpus.clips("train"), self.settings.batch, stream)
        where = stream.random(len(self.labels))
        self.n_batches = len(batches)
        label = f"Epoch {number} of at most {self.settings.epochs}"
        excerpts = self._excerpts(batches, where)
        return track(excerpts, total=len(batches), label=label, quiet=self.quiet)

    def _excerpts(
        self, batches: list[npt.NDArray[np.integer]], where: npt.NDArray[np.float64]
    ) -> Iterator[_Batch]:
        """Yield batches with their excerpts (n, n_samples), read one batch ahead."""

        def read(clips: npt.NDArray[np.integer]) -> torch.Tensor:
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

    def loss(self, batch: _Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Binary cross-entropy of the tags of a batch; on CUDA the network runs in float16."""
        clips, sounds = batch
        wanted = self.labels[torch.from_numpy(clips)].to(self.device)
        mixed = self.device.startswith("cuda")
        with torch.autocast(self.device.partition(":")[0], torch.float16, mixed):
            logits = self.module(sounds.to(self.device, non_blocking=True))
        loss = binary_cross_entropy_with_logits(logits.float(), wanted)
        return loss, {"loss": loss}

    def judge(self, number: int, sums: Mapping[str, float]) -> dict[str, float]:
        """Score the validation clips; return the row of the history."""
        validation_loss, roc_auc = self.validate()
        return {
            "epoch": number,
            "loss": sums["loss"] / self.n_batches,
            "validation_loss": validation_loss,
            "validation_roc_auc": roc_auc,
            "seconds": round(time.monotonic() - self.started, 1),
        }

    def validate(self) -> tuple[float, float]:
        """Return the loss and the mean area under the ROC curve of the validation clips."""
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

    def identity(self) -> str:
        """State what must be the same for a checkpoint to be gone on from."""
        settings = dataclasses.asdict(self.settings)
        fixed = {key: value for key, value in settings.items() if key not in _MAY_GROW}
        return json.dumps({"corpus": self.corpus.identity(), **fixed}, sort_keys=True)


_MAY_GROW = ("epochs", "patience")
