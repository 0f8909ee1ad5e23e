"""From a folder of tagged clips to weights, a table of scores and its picture."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from bidsapp.audio.corpora import SPLITS, read_corpus
from bidsapp.audio.networks import DEFAULT_HOP_S, get_network
from bidsapp.audio.training.evaluation import TagScore, mean_scores, tag_logits, tag_scores
from bidsapp.audio.training.figure import tag_figure
from bidsapp.audio.training.tagger import TaggerSettings, fit_tagger
from bidsapp.audio.training.waveforms import decode_clips
from bidsapp.bids.atomic import output_errors, write_json

WEIGHTS = "resnet1d.pth"


def train_tagger(
    corpus_dir: Path,
    out_dir: Path,
    settings: TaggerSettings,
    *,
    reader: str = "auto",
    n_tags: int = 50,
    cache_dir: Path | None = None,
    device: str = "cpu",
    n_threads: int = 1,
    quiet: bool = False,
) -> Mapping[str, object]:
    """Train the residual network on a corpus and judge it on the test clips.

    Parameters
    ----------
    corpus_dir, reader, n_tags
        As `bidsapp.audio.corpora.read_corpus` takes them.
    out_dir
        Gets ``resnet1d.pth`` (best epoch), ``training.json``, ``history.tsv``, ``tags.tsv`` with
        ``tags.png`` and ``tags.svg``, and ``checkpoint.pt``, with which the same call goes on.
    settings
        Of the training.
    cache_dir
        For decoded clips; `out_dir` if None.
    device
        ``cpu`` or ``cuda``.
    n_threads
        Decoders at work at once.
    quiet
        Show no progress.

    Returns
    -------
    Mapping
        What ``training.json`` holds.

    Raises
    ------
    InputMissingError, InputInvalidError
        The corpus cannot be used.
    OutputError
        `out_dir` cannot be written or holds training with other settings.
    """
    corpus = read_corpus(corpus_dir, reader, n_tags)
    with output_errors(out_dir):
        out_dir.mkdir(parents=True, exist_ok=True)
        waveforms = decode_clips(
            corpus.paths, cache_dir or out_dir, n_threads=n_threads, quiet=quiet
        )
        fitted = fit_tagger(corpus, waveforms, out_dir, settings, device=device, quiet=quiet)
        save_weights(fitted.module.state_dict(), out_dir / WEIGHTS)
        write_table(out_dir / "history.tsv", fitted.history)
        judged = "test" if corpus.clips("test").size else "validation"
        clips = corpus.clips(judged)
        logits = tag_logits(
            fitted.module,
            waveforms,
            clips,
            at_least=settings.samples,
            device=device,
            label=f"Judging on split {judged}",
            quiet=quiet,
        )
        scores = tag_scores(corpus.labels[clips], logits, corpus.tags)
        _write_scores(out_dir, scores, judged)
        roc_auc, pr_auc = mean_scores(scores)
        facts = {
            "network": "resnet1d",
            "weights": WEIGHTS,
            "weights_sha256": _check_weights(out_dir / WEIGHTS),
            "corpus": corpus.name,
            "tags": list(corpus.tags),
            "clips": {split: int(corpus.clips(split).size) for split in SPLITS},
            "songs_in_several_splits": corpus.shared_songs(),
            "left_out": list(corpus.notes),
            "settings": dataclasses.asdict(settings),
            "epochs": len(fitted.history),
            "best_epoch": fitted.best_epoch,
            "judged_on": judged,
            "mean_roc_auc": roc_auc,
            "mean_pr_auc": pr_auc,
            "tags_judged": sum(math.isfinite(score.roc_auc) for score in scores),
            "device": device,
            "torch": torch.__version__,
        }
        write_json(out_dir / "training.json", facts)
    return facts


def save_weights(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a state dict at once."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        torch.save(dict(state), part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _check_weights(path: Path) -> str:
    """Load the weights as a recipe would and return their SHA-256."""
    return str(get_network("resnet1d", weights=path, hop_s=DEFAULT_HOP_S).weights["sha256"])


def _write_scores(folder: Path, scores: Sequence[TagScore], judged: str) -> None:
    write_table(folder / "tags.tsv", [dataclasses.asdict(score) for score in scores])
    figure = tag_figure(scores, f"clips of split {judged}")
    for kind in ("png", "svg"):
        figure.savefig(folder / f"tags.{kind}", dpi=150)


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows with the same columns; missing numbers are ``n/a``."""
    lines = ["\t".join(rows[0])]
    lines += ["\t".join(map(_text, row.values())) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _text(value: object) -> str:
    if isinstance(value, float):
        return "n/a" if math.isnan(value) else f"{value:.6g}"
    return str(value)
