"""`musicotopy-tools train`: networks learn from a corpus of tagged clips."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any


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
    _add_numbers(tool, numbers)
    tool.add_argument("--seed", type=int, default=0, metavar="INT", help="Default 0.")
    tool.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N. Default auto.")
    tool.add_argument("--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_train_tagger)
    _add_harmony(kinds)


def _add_harmony(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = (
        "Cross-validate the harmonic network and its rivals on music rated for valence and "
        "arousal, and train it on all of it. The same command goes on after an interruption; the "
        "weights are used with --network harmonic --weights DIR/harmonic.pth."
    )
    tool = kinds.add_parser(
        "harmony", help="Harmonic network, emotions.", description=text, allow_abbrev=False
    )
    tool.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="With the sounds.")
    tool.add_argument(
        "--annotations",
        required=True,
        metavar="NAME",
        help="deam, soundtracks, table (ratings.tsv in the corpus: path, valence, arousal, and if "
        "known song, onset, kind, valence_middle, arousal_middle), or the path of such a table.",
    )
    tool.add_argument("--out", type=Path, required=True, metavar="DIR", help="For the weights.")
    tool.add_argument(
        "--arousal", default="energy", help="Soundtracks: energy or tension. Default energy."
    )
    tool.add_argument(
        "--static", action="store_true", help="DEAM: one rating per song, not those over time."
    )
    tool.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="harmonic, contiguous, random, dealt, learnable, cnn, descriptors, loudness, "
        "tempo, consonance. Default: all but dealt, learnable and cnn.",
    )
    tool.add_argument(
        "--by-window",
        action="store_true",
        help="Hold out single windows instead of songs, as published. This leaks.",
    )
    tool.add_argument(
        "--test-corpus", type=Path, metavar="DIR", help="Test on another corpus too."
    )
    tool.add_argument("--test-annotations", metavar="NAME", help="As --annotations.")
    tool.add_argument(
        "--cache", type=Path, metavar="DIR", help="For decoded windows (default: --out)."
    )
    numbers: dict[str, tuple[type, float, str]] = {
        "--folds": (int, 10, "Parts of the cross-validation."),
        "--epochs": (int, 60, "At most."),
        "--patience": (int, 8, "Epochs without a lower validation loss before the end."),
        "--batch": (int, 32, "Windows in a batch."),
        "--learning-rate": (float, 1e-3, "Of AdamW."),
        "--permutations": (int, 1000, "Of the labels, for chance."),
        "--threads": (int, 1, "On the CPU."),
    }
    _add_numbers(tool, numbers)
    tool.add_argument("--seed", type=int, default=0, metavar="INT", help="Default 0.")
    tool.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N. Default auto.")
    tool.add_argument("--quiet", action="store_true", help="Show no progress.")
    tool.set_defaults(function=_train_harmony)


def _add_numbers(
    tool: argparse.ArgumentParser, numbers: dict[str, tuple[type, float, str]]
) -> None:
    for name, (kind, default, text) in numbers.items():
        tool.add_argument(
            name,
            type=_positive(kind),
            default=default,
            metavar="N",
            help=f"{text} Default {default:g}.",
        )


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


def _train_harmony(options: argparse.Namespace) -> None:
    import torch

    from bidsapp.audio.training.emotion import DEFAULT_MODELS, EmotionSettings
    from bidsapp.audio.training.emotion_run import train_harmony
    from bidsapp.errors import UsageError
    from bidsapp.models.devices import resolve_device

    if (options.test_corpus is None) != (options.test_annotations is None):
        msg = "--test-corpus and --test-annotations belong together; give both or neither"
        raise UsageError(msg)
    torch.set_num_threads(options.threads)
    settings = EmotionSettings(
        models=tuple(options.models or DEFAULT_MODELS),
        n_folds=options.folds,
        by_song=not options.by_window,
        epochs=options.epochs,
        patience=options.patience,
        batch=options.batch,
        learning_rate=options.learning_rate,
        n_permutations=options.permutations,
        seed=options.seed,
    )
    facts = train_harmony(
        options.corpus,
        options.annotations,
        options.out,
        settings,
        arousal=options.arousal,
        static=options.static,
        test_corpus=options.test_corpus and (options.test_corpus, options.test_annotations),
        cache_dir=options.cache,
        device=resolve_device(options.device),
        quiet=options.quiet,
    )
    print(
        f"{facts['windows']} windows of {facts['songs']} songs ({facts['windows_on_a_threshold']} "
        f"on a threshold and {facts['windows_without_rating']} without a rating left out), "
        f"{options.folds} folds over {facts['folds']}"
    )
    if facts["caution"]:
        print(f"caution: {facts['caution']}")
    scores: Any = facts["scores"]
    for row in scores:
        print(
            f"{row['model']}: macro F1 {row['macro_f1']:.3f} (95 % interval "
            f"{row['macro_f1_low']:.3f} to {row['macro_f1_high']:.3f}; chance "
            f"{row['chance_macro_f1']:.3f}, p = {row['p_macro_f1']:.4f})"
        )
    print(f"weights: {options.out / str(facts['weights'])}")
