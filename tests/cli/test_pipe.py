"""A reader that leaves early is no error."""

from __future__ import annotations

import subprocess
import sys


def test_a_reader_that_leaves_is_no_error() -> None:
    code = (
        "import bidsapp.cli.tools as t, argparse\n"
        "def many(options): [print('line') for _ in range(100_000)]\n"
        "t.build_parser = lambda: argparse.ArgumentParser()\n"
        "argparse.ArgumentParser.parse_args = lambda self, words: "
        "argparse.Namespace(function=many)\n"
        "raise SystemExit(t.main([]))\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    assert writer.stdout.readline() == b"line\n"
    writer.stdout.close()
    assert writer.wait(timeout=60) == 0
    assert writer.stderr.read() == b""
    writer.stderr.close()
