"""How well a tagger tags: whole clips slid through the network, areas under two curves per tag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from bidsapp.audio.training.waveforms import Waveforms
from bidsapp.progress import track

_CLIPS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class TagScore:
    """How well one tag is told.

    Attributes
    ----------
    tag
        Its name.
    n_clips, n_tagged
        Clips judged, and those among them that have the tag.
    roc_auc
        Probability that a clip with the tag is ranked above one without; chance is 0.5.
    pr_auc
        Average precision; chance is ``n_tagged / n_clips``. Both are NaN where all or none of
        the clips have the tag.
    """

    tag: str
    n_clips: int
    n_tagged: int
    roc_auc: float
    pr_auc: float


def tag_logits(
    module: torch.nn.Module,
    waveforms: Waveforms,
    clips: npt.NDArray[np.intp],
    *,
    at_least: int,
    device: str = "cpu",
    label: str = "Clips",
    quiet: bool = False,
) -> npt.NDArray[np.float32]:
    """Slide whole clips through a network that averages over time.

    Parameters
    ----------
    module
        Gives logits (n, n_tags) of waveforms (n, n_samples) of any length.
    waveforms
        The corpus.
    clips
        (n_clips,) positions.
    at_least
        Samples below which a clip is continued by silence.
    device
        Where to compute.
    label, quiet
        Of the progress bar.

    Returns
    -------
    numpy.ndarray
        (n_clips, n_tags) float32.

    Source: Thielen et al., Deep neural network (full clips slid through the network, averaged).
    """
    order = sorted(range(len(clips)), key=lambda row: waveforms.length(int(clips[row])))
    batches = []
    for _, equal in groupby(order, key=lambda row: waveforms.length(int(clips[row]))):
        rows = list(equal)
        starts = range(0, len(rows), _CLIPS_AT_ONCE)
        batches += [rows[start : start + _CLIPS_AT_ONCE] for start in starts]
    found: dict[int, npt.NDArray[np.float32]] = {}
    module.eval().to(device)
    for rows in track(batches, total=len(batches), label=label, quiet=quiet):
        sounds = [waveforms.clip(int(clips[row])) for row in rows]
        padded = np.stack([np.pad(x, (0, max(0, at_least - len(x)))) for x in sounds])
        with torch.no_grad():
            logits = module(torch.from_numpy(padded).to(device)).float().cpu().numpy()
        found |= dict(zip(rows, logits, strict=True))
    return np.stack([found[row] for row in range(len(clips))])


def tag_scores(
    labels: npt.NDArray[np.bool_], logits: npt.NDArray[np.float32], tags: Sequence[str]
) -> list[TagScore]:
    """Score every tag.

    Parameters
    ----------
    labels
        (n_clips, n_tags).
    logits
        (n_clips, n_tags), the higher the likelier.
    tags
        (n_tags,) names.
    """
    scores = []
    for tag, truth, told in zip(tags, labels.T, logits.T, strict=True):
        judge = 0 < truth.sum() < len(truth)
        areas: list[Callable[..., float]] = [roc_auc_score, average_precision_score]
        roc, precision = (float(area(truth, told)) if judge else float("nan") for area in areas)
        scores.append(TagScore(tag, len(truth), int(truth.sum()), roc, precision))
    return scores


def mean_scores(scores: Sequence[TagScore]) -> tuple[float, float]:
    """Mean ROC-AUC and PR-AUC over the tags that can be judged; NaN if there is none."""
    values = np.array([(score.roc_auc, score.pr_auc) for score in scores])
    judged = values[np.isfinite(values[:, 0])]
    if not judged.size:
        return float("nan"), float("nan")
    roc, precision = judged.mean(axis=0)
    return float(roc), float(precision)
