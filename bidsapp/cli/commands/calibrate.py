"""`musicotopy-tools calibrate`: how often tests pass where there is nothing to find.

``bench`` draws null data for every entry of the registry of inferences. ``study`` analyses a
study with music that nobody heard: BOLD and settings stay as they are, the whole pipeline runs,
and every p-value that is written is counted.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from bidsapp.bids.atomic import write_text
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError

LEVEL = 0.05
Key = tuple[str, str, str, str]
_COLUMNS = (
    "recipe",
    "level",
    "table",
    "column",
    "test",
    "studies",
    "values",
    "rate",
    "any",
    "low",
    "high",
)


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand.

    Parameters
    ----------
    tools
        Subparsers of `musicotopy-tools`.
    """
    text = "Measure error rates: of each test on null data, or of a study on foreign music."
    tool = tools.add_parser("calibrate", help=text, description=text)
    kinds = tool.add_subparsers(required=True, metavar="bench|study")
    _add_bench(kinds)
    _add_study(kinds)


def _add_bench(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Rates of p <= .05 and .01, and coverage, of the inferences on simulated null data."
    bench = kinds.add_parser("bench", help=text, description=text)
    bench.add_argument("--sets", type=int, default=100, metavar="N", help="Default 100.")
    bench.add_argument("--only", nargs="+", metavar="KEY", help="Some entries.")
    bench.add_argument("--seed", type=int, default=0, metavar="INT", help="Default 0.")
    bench.add_argument(
        "--table",
        type=Path,
        metavar="FILE.tsv",
        help="Write the rates here, too; what it has with these sets and seed is not drawn again.",
    )
    bench.set_defaults(function=_bench)


def _add_study(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = (
        "Analyse a study with music that nobody heard, and count how often its tests pass. "
        "Everything else stays: BOLD, events, ratings, settings."
    )
    study = kinds.add_parser(
        "study",
        help=text,
        description=text,
        usage="musicotopy-tools calibrate study [options] BIDS_DIR OUTPUT_DIR "
        "[-- options of musicotopy]",
    )
    study.add_argument("bids_dir", type=Path, metavar="BIDS_DIR")
    study.add_argument("output_dir", type=Path, metavar="OUTPUT_DIR", help="New folder.")
    study.add_argument("--sounds", type=Path, metavar="DIR", help="Default: BIDS_DIR/stimuli.")
    study.add_argument("--sets", type=int, default=1, metavar="N", help="Default 1.")
    study.add_argument(
        "--music",
        choices=("synthetic", "reversed", "own"),
        default="synthetic",
        help="synthetic: composed pieces (default); reversed: the sounds played backwards; own: "
        "the sounds themselves, to see that effects are found.",
    )
    study.add_argument(
        "--for",
        type=Path,
        metavar="DIR",
        dest="shown_in",
        help="Results of the study as it is, made with the same options: their pages then show "
        "these rates.",
    )
    study.set_defaults(function=_study, options=[])


# ------------------------------------------------------------------ the registry

_BENCH = ("inference", "sets", "seed", "p <= .05", "p <= .01", "coverage", "standard error")


def _bench(options: argparse.Namespace) -> None:
    import numpy as np

    from bidsapp.results.inferences import INFERENCES

    unknown = sorted(set(options.only or ()) - set(INFERENCES))
    if unknown:
        msg = f"--only {unknown[0]}: not known; choose from {', '.join(INFERENCES)}"
        raise UsageError(msg)
    done = _finished(options.table)
    print("\t".join(_BENCH))
    for key in options.only or INFERENCES:
        given = (key, str(options.sets), str(options.seed))
        row = done.get(given)
        if row is None:
            entry = INFERENCES[key]
            values = entry.load_calibration()(np.random.default_rng(options.seed), options.sets)
            if entry.gives == "interval":
                rates = ["", "", f"{values.mean():.3f}"]
                share = float(values.mean())
            else:
                share = float(np.mean(values <= LEVEL))
                rates = [f"{share:.3f}", f"{np.mean(values <= 0.01):.3f}", ""]
            error = np.sqrt(share * (1 - share) / options.sets)
            row = done[given] = (*given, *rates, f"{error:.3f}")
            if options.table is not None:
                lines = ["\t".join(cells) for cells in (_BENCH, *done.values())]
                write_text(options.table, "\n".join(lines) + "\n")
        print("\t".join(row), flush=True)


def _finished(path: Path | None) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Inference, sets and seed → row of an earlier table."""
    if path is None or not path.exists():
        return {}
    header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    if header.split("\t") != list(_BENCH):
        msg = f"{path}: is no table of calibrate bench; name another file"
        raise UsageError(msg)
    rows = [tuple(line.split("\t")) for line in lines]
    return {row[:3]: row for row in rows}


# ------------------------------------------------------------------ a study


@dataclass
class Count:
    """P-values of one column of one table.

    Attributes
    ----------
    test
        Title of the inference.
    shares
        Share of p at or below the level, one for each participant or group and set.
    n_values
        p-values in all.
    """

    test: str
    shares: list[float] = field(default_factory=list)
    n_values: int = 0


def _study(options: argparse.Namespace) -> None:
    from bidsapp.report.rates import own_rates_path
    from bidsapp.simulate.foreign import Music, write_foreign_sounds

    assert options.music in get_args(Music)
    if options.sets > 1 and options.music != "synthetic":
        msg = f"--sets {options.sets}: there is one set of {options.music} sounds; leave it out"
        raise UsageError(msg)
    folder = options.sounds or options.bids_dir / "stimuli"
    counts: dict[Key, Count] = {}
    for number in range(1, options.sets + 1):
        out = options.output_dir / f"set-{number:03d}"
        sounds = out / "sounds"
        n = write_foreign_sounds([folder], sounds, music=options.music, number=number)
        print(f"set {number} of {options.sets}: {n} {options.music} sounds", flush=True)
        words = [options.bids_dir, out / "results", "participant", "group"]
        run_app([*map(str, words), "--stimuli-dir", str(sounds), *options.options])
        count_p(out / "results", counts)
    rows = list(rates(counts))
    path = options.output_dir / "calibration.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(
            f"{row['recipe']}, {row['level']}, {row['table']}, {row['column']} ({row['test']}): "
            f"{row['rate']} of {row['values']} values pass; in {row['any']} of {row['studies']} "
            f"analyses at least one [{row['low']}, {row['high']}]"
        )
    print(f"wrote {path}")
    if options.shown_in is not None:
        kept = own_rates_path(options.shown_in)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
        words = [options.bids_dir, options.shown_in, "participant", "group", "--reports-only"]
        run_app([*map(str, words), *options.options])


def run_app(words: Sequence[str]) -> None:
    """Run the app in a process of its own.

    Raises
    ------
    InputInvalidError
        It did not end well.
    """
    command = [sys.executable, "-m", "bidsapp.cli.app", *words]
    done = subprocess.run(command, check=False)
    if done.returncode:
        msg = f"{' '.join(words)}: ended with {done.returncode}; see its last lines"
        raise InputInvalidError(msg)


def count_p(output: Path, counts: dict[Key, Count]) -> None:
    """Add the p-values of all written tables.

    Parameters
    ----------
    output
        Results of the app.
    counts
        (recipe, level, title of the table, column) → what was counted so far; changed in place.
    """
    import numpy as np

    for recipe, level, table, column, test, values in p_values(output):
        known = values[np.isfinite(values)]
        if known.size:
            count = counts.setdefault((recipe, level, table, column), Count(test))
            count.shares.append(float(np.mean(known <= LEVEL)))
            count.n_values += known.size


def p_values(output: Path) -> Iterator[tuple[str, str, str, str, str, Any]]:
    """Yield recipe, level, table, column, test and values of each written column of p-values."""
    from bidsapp.recipes import RECIPES
    from bidsapp.results.inferences import INFERENCES
    from bidsapp.results.kinds import Table
    from bidsapp.results.read import Results

    folders = sorted(path.name[4:] for path in output.glob("sub-*") if path.is_dir())
    for recipe in RECIPES.values():
        for subject in (*folders, ""):
            level = "participant" if subject else "group"
            try:
                results = Results(output, recipe.name, recipe.results, subject)
            except InputMissingError:  # another recipe, or a level that was not asked for
                continue
            for table in (item for item in recipe.results if isinstance(item, Table)):
                if table.level not in (level, "both"):
                    continue
                columns = [
                    item
                    for item in table.columns
                    if item.by and INFERENCES[item.by].gives == "p" and item.name[0] == "p"
                ]
                for frame in _frames(results, table) if columns else ():
                    for column in columns:
                        if column.name in frame:
                            values = frame[column.name].to_numpy(float)
                            title = INFERENCES[column.by].title
                            yield recipe.name, level, table.title, column.name, title, values


def _frames(results: Any, table: Any) -> Iterator[Any]:
    """Yield a table in each space and for each network that it is written for."""
    spaces = results.spaces if table.by_space else results.spaces[:1] and (None,)
    for space in spaces:
        for network in results.networks(space) if table.by_network else ("",):
            if results.written(table, space, network):
                yield results.table(table, space, network)


def rates(counts: dict[Key, Count]) -> Iterator[dict[str, Any]]:
    """Yield one row per column of p-values.

    Parameters
    ----------
    counts
        From `count_p`.

    Yields
    ------
    dict
        ``rate``: mean share of values at or below the level; ``any``: analyses with at least one
        such value, with the exact 95 % interval of their share.
    """
    from bidsapp.stats.proportions import clopper_pearson

    grouped: dict[str, list[tuple[Key, Count]]] = defaultdict(list)
    for key, count in counts.items():
        grouped[key[1]].append((key, count))
    for level in ("participant", "group"):
        for (recipe, _, table, column), count in grouped[level]:
            n, n_any = len(count.shares), sum(share > 0 for share in count.shares)
            low, high = clopper_pearson(n_any, n)
            yield {
                "recipe": recipe,
                "level": level,
                "table": table,
                "column": column,
                "test": count.test,
                "studies": n,
                "values": count.n_values,
                "rate": f"{sum(count.shares) / n:.3f}",
                "any": n_any,
                "low": f"{float(low):.2f}",
                "high": f"{float(high):.2f}",
            }
