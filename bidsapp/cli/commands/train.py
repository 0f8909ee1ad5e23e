"""`musicotopy-tools train`: networks learn from a corpus of tagged clips."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the parser of the tools."""
    text = "Train a network whose layers recipes then use."
    train = tools.add_parser("train", help=text, description=text, allow_abbrev=False)
    kinds = train.add_subparsers(required=True, metavar="NETWORK")
    text = (
        "Train the residual network to tag music. The same command goes on after an "
        "interruption; the weights are used with --network resnet1d --weights DIR/resnet1d.pth."
    )
    tool = kinds.add_parser(
        "tagger", help="Residual network, tags.", description=text, allow_abbrev=False
    )
    tool.add_argument(
        "--corpus",
        type=Path,
        required=True,
        metavar="DIR",
        help="Folder with clips.tsv (path, tags separated by |, split), or MagnaTagATune.",
    )
    tool.add_argument("--out", type=Path, required=True, metavar="DIR", help="For the weights.")
    tool.add_argument(
        "--reader",
        default="auto",
        metavar="NAME",
        help="auto, table, magnatagatune, or magtag5k (MagnaTagATune with cleaned tags).",
    )
    tool.add_argument(
        "--cache", type=Path, metavar="DIR", help="For decoded clips (default: --out)."
    )
    numbers: dict[str, tuple[type, float, str]] = {
        "--tags": (int, 50, "Most frequent tags to learn."),
        "--epochs": (int, 100, "At most."),
        "--patience": (int, 10, "Epochs without a lower validation loss before the end."),
        "--batch": (int, 36, "Clips in a batch."),
        "--learning-rate": (float, 2e-4, "Of Adam."),
        "--width": (int, 64, "Channels of the first layer; 64 is the paper's network."),
        "--threads": (int, 1, "Decoders, and threads on the CPU."),
    }
    for name, (kind, default, text) in numbers.items():
        tool.add_argument(
            name,
            type=_positive(kind),
            default=default,
            metavar="N",
            help=f"{text} Default {default:g}.",
        )
    tool.add_argument("--seed", type=int, default=0, metavar="INT", help="Default 0.")
    tool.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N. Default auto.")
    tool.add_argument("--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_train_tagger)


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    """Return a parser of finite numbers above 0."""

    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < math.inf:
            msg = f"{text}: give a number above 0"
            raise argparse.ArgumentTypeError(msg)
        return value

    return number


def _train_tagger(options: argparse.Namespace) -> None:
    import torch

    from bidsapp.audio.training.run import train_tagger
    from bidsapp.audio.training.tagger import TaggerSettings
    from bidsapp.models.devices import resolve_device

    torch.set_num_threads(options.threads)
    settings = TaggerSettings(
        epochs=options.epochs,
        patience=options.patience,
        batch=options.batch,
        learning_rate=options.learning_rate,
        width=options.width,
        seed=options.seed,
    )
    facts = train_tagger(
        options.corpus,
        options.out,
        settings,
        reader=options.reader,
        n_tags=options.tags,
        cache_dir=options.cache,
        device=resolve_device(options.device),
        n_threads=options.threads,
        quiet=options.quiet,
    )
    print(
        f"best epoch {facts['best_epoch']} of {facts['epochs']}; on split {facts['judged_on']} "
        f"mean ROC-AUC {facts['mean_roc_auc']:.3f}, PR-AUC {facts['mean_pr_auc']:.3f}\n"
        f"weights: {options.out / str(facts['weights'])}"
    )
