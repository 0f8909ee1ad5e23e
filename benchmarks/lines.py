"""How much code there is, and how much of it a run reaches.

    python benchmarks/lines.py [ROOT] [--depth 2]
    python benchmarks/lines.py [ROOT] --reached BIDS_DIR OUTPUT_DIR participant [OPTIONS]

The first counts lines of code (no docstrings, comments, blank lines) of each package of the app
and of its tests below ROOT, a working copy (default: this one). The second runs the app of ROOT,
and lists the modules of the app that are loaded when the first map is written: from the command
line to a map. OUTPUT_DIR should be new, for results that exist are not written again.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "bidsapp"
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
#: runs the app, and prints the loaded modules when a map is opened for writing for the first time
_WATCH = """
import os, sys
seen = []
def watch(event, arguments):
    if event == "open" and not seen and "_statmap" in str(arguments[0]):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR):
            seen.append(True)
            for name, module in sorted(sys.modules.items()):
                if name.partition(".")[0] == "bidsapp" and module.__file__:
                    print("REACHED", module.__file__, flush=True)
sys.addaudithook(watch)
from bidsapp.cli.app import main
sys.exit(main())
"""


def code_lines(source: str) -> int:
    """Count the lines of a module that are no docstring, no comment and not blank."""
    documentation: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            documentation |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in documentation
        for number, line in enumerate(source.splitlines(), 1)
    )


def counts(root: Path, package: str, depth: int) -> tuple[Counter[str], Counter[str]]:
    """Return lines of code and number of modules of each package below `root`.

    Parameters
    ----------
    root
        Working copy.
    package
        Folder in it.
    depth
        Number of folders that are told apart: 1 counts everything together.
    """
    lines: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).parts[:-1]
        name = "/".join(parts[:depth])
        lines[name] += code_lines(path.read_text(encoding="utf-8"))
        modules[name] += 1
    return lines, modules


def reached(root: Path, words: list[str]) -> Iterator[Path]:
    """Run the app and yield the modules that are loaded when the first map is written."""
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", _WATCH, *words],
        env={**os.environ, "PYTHONPATH": path},
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith("REACHED "):
            yield Path(line.removeprefix("REACHED "))


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, nargs="?", default=Path(__file__).parent.parent)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--reached", nargs=argparse.REMAINDER, metavar="WORD")
    options = parser.parse_args()
    root = options.root.resolve()
    if options.reached:
        files = list(reached(root, options.reached))
        total = sum(code_lines(file.read_text(encoding="utf-8")) for file in files)
        for file in files:
            print(file.relative_to(root))
        print(f"{len(files)} modules, {total:,} lines of code")
        return
    for package in (PACKAGE, "tests"):
        lines, modules = counts(root, package, options.depth)
        for name, number in lines.most_common():
            print(f"{number:>8,} {modules[name]:>5} {name}")
        print(f"{lines.total():>8,} {modules.total():>5} {package}: all\n")


if __name__ == "__main__":
    main()
