"""`--help` and `--version` answer at once: nothing heavy is imported."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = (
    *("torch", "nilearn", "pandas", "sklearn", "numpy", "scipy", "nibabel", "bids", "librosa"),
    *("onnx", "onnxruntime", "safetensors", "pyarrow"),
)


@pytest.mark.parametrize("module", ["bidsapp.cli.app", "bidsapp.cli.tools"])
@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_nothing_heavy(module: str, flag: str) -> None:
    code = (
        f"import sys\nfrom {module} import main\n"
        f"try:\n    main(['{flag}'])\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "LOADED []" in done.stdout


def cpu_s(code: str) -> float:
    """Smallest of twenty CPU times of an interpreter that runs `code`, in seconds."""
    times = []
    for _ in range(20):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_the_app_answers_within_four_times_bare_python(flag: str) -> None:
    assert cpu_s(f"from bidsapp.cli.app import main; main(['{flag}'])") <= 4 * cpu_s("pass")


def test_help_looks_no_recipe_up() -> None:
    """The parser needs names only; settings, results and the configuration wait for a run."""
    code = (
        "import sys\nfrom bidsapp.cli.app import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED ")[2].split())
    assert "bidsapp.recipes" in loaded
    assert not {name for name in loaded if name.startswith("bidsapp.recipes.")}
    assert loaded.isdisjoint({"bidsapp.config", "dataclasses", "inspect", "logging", "typing"})


@pytest.mark.parametrize("word", ["features", "inspect-network", "fetch"])
def test_help_of_tools_is_light(word: str) -> None:
    code = (
        "import sys\nfrom bidsapp.cli.tools import main\n"
        f"try:\n    main(['{word}', '--help'])\nexcept SystemExit as end:\n    "
        f"assert not end.code\nprint('LOADED', [x for x in {HEAVY!r} if x in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "LOADED []" in done.stdout


def test_settings_have_sources() -> None:
    """Every setting of every recipe says what the paper did and where it says so."""
    import dataclasses

    from bidsapp.recipes import RECIPES

    for recipe in RECIPES.values():
        assert set(recipe.variants) == {"robust", "faithful"}
        for item in dataclasses.fields(next(iter(recipe.variants.values()))):
            assert item.metadata["paper"], item.name
            assert item.metadata["source"], item.name
