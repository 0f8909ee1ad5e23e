"""Nonsense on the command line and in configuration files: one sentence, never a traceback."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bidsapp.cli.configure import parse_arguments
from bidsapp.cli.options import OPTIONS
from bidsapp.config import Config, sections
from bidsapp.errors import AppError, InputMissingError, UsageError
from bidsapp.recipes import RECIPES, SETTINGS_TABLES

MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = st.one_of(
    st.sampled_from(["", "-1", "0", "nan", "inf", "1e999", "\x00", "/etc", "a=b", "=", "💥"]),
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
)
VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**62), 2**62),
        st.floats(),
        st.text(st.characters(codec="utf-8"), max_size=8),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def parsed(bids: Path, *words: str) -> Config | None:
    """Parse; None where it was refused in one sentence."""
    try:
        config = parse_arguments([str(bids), str(bids.parent / "out"), "participant", *words])
        for recipe in RECIPES.values():
            recipe.settings(config)
            recipe.group_settings(config)
    except AppError as error:
        assert str(error).strip()
        return None
    return config


@MANY
@given(option=st.sampled_from(OPTIONS), word=WORDS)
def test_any_word_behind_any_option(bids: Path, option, word) -> None:
    parsed(bids, f"{option.flags[0]}={word}")


@MANY
@given(data=st.data())
def test_any_value_in_a_configuration_file(bids: Path, data) -> None:
    section = data.draw(st.sampled_from([*sections(), *SETTINGS_TABLES, "elsewhere"]))
    names = [*sections().get(section, ()), "networks", "n_shifts", "lags_s"]
    table = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))
    path = bids.parent / "config.toml"
    path.write_bytes(tomli_w.dumps({section: table}).encode())
    parsed(bids, "--config-file", str(path))


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 20_000 + "]" * 20_000,
        "[workflow]\nrandom_seed = " + "9" * 5000,
        '[inputs]\nderivatives = "x"',
        "[inputs]\nderivatives = [1]",
        '[inputs]\nbids_dir = "\\u0000"',
        "inputs = 3",
        "\x00",
        "é".encode("latin-1"),
    ],
)
def test_configuration_files_that_broke_readers(bids: Path, text) -> None:
    path = bids.parent / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert parsed(bids, "--config-file", str(path)) is None


@pytest.mark.parametrize(
    "words",
    [
        ("--random-seed", "-1"),
        ("--high-pass-hz", "nan"),
        ("--high-pass-hz", "inf"),
        ("--high-pass-hz=-1",),
        ("--smoothing-fwhm-mm=-2",),
        ("--workers=-1",),
        ("--dropped-volumes=-1",),
        ("--start-time", "nan"),
    ],
)
def test_numbers_out_of_range(bids: Path, words) -> None:
    assert parsed(bids, *words) is None


@pytest.mark.parametrize("which", [0, 1])
def test_an_empty_folder_name_is_not_the_current_folder(bids: Path, which) -> None:
    words = [str(bids), str(bids.parent / "out"), "participant"]
    words[which] = ""
    with pytest.raises(UsageError, match="is empty"):
        parse_arguments(words)


def test_a_folder_of_sounds_without_anything_is_refused(bids: Path, tmp_path: Path) -> None:
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    words = [str(bids), str(tmp_path / "out"), "participant", "--stimuli-dir", str(sounds)]
    with pytest.raises(InputMissingError, match="the folder is empty"):
        parse_arguments(words)
    (sounds / "a.wav").touch()
    assert parse_arguments(words).stimuli_dir == sounds
    words[-1] = str(sounds / "a.wav")
    with pytest.raises(InputMissingError, match="no folder"):
        parse_arguments(words)


def test_processors_are_at_most_those_there_are(bids: Path) -> None:
    config = parsed(bids, "--nprocs", "100000", "--omp-nthreads", "100000")
    assert config is not None
    assert config.n_processors == parsed(bids).n_processors
    assert config.n_threads == parsed(bids).n_processors


@pytest.mark.parametrize(
    "assignment",
    [
        *(
            "n_components=-3",
            "n_components=0",
            "lags_s=[nan]",
            "hop_s=0.0",
            "hop_s=inf",
            "hop_s=nan",
        ),
        *("log10_alpha=[nan]", "log10_alpha=[400.0]", "n_parcels=0", "min_shift_s=nan"),
        *("n_shifts=-5", "min_block_s=-9.0", "purge_s=-5.0", "max_outer_folds=0"),
        *("max_outer_folds=1", "max_inner_folds=1", "significance=2.0", "significance=0.0"),
    ],
)
def test_settings_out_of_range(bids: Path, assignment) -> None:
    config = parse_arguments(
        [str(bids), str(bids.parent / "out"), "participant", "--set", f"gradients.{assignment}"]
    )
    with pytest.raises(UsageError, match=r"gradients\.\w+ = .*should be"):
        RECIPES["gradients"].settings(config)


@pytest.mark.parametrize(
    "assignment",
    [
        *("hop_s=0.0", "moment_s=0.0", "n_components=0", "n_parcels=0", "log10_alpha=[400.0]"),
        *("max_outer_folds=1", "max_inner_folds=1", "significance=0.0"),
    ],
)
def test_settings_of_harmony_out_of_range(bids: Path, assignment) -> None:
    words = [str(bids), str(bids.parent / "out"), "participant", "--recipe", "harmony"]
    config = parse_arguments([*words, "--set", f"harmony.{assignment}"])
    with pytest.raises(UsageError, match=r"harmony\.\w+ = .*should be"):
        RECIPES["harmony"].settings(config)


@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -7])
def test_every_number_of_every_recipe_has_a_range(bids: Path, name, bad) -> None:
    config = parsed(bids)
    assert config is not None
    recipe = RECIPES[name]
    levels = {name: recipe.settings, recipe.group_table: recipe.group_settings}
    for table, make in levels.items():
        for item in dataclasses.fields(make(config)):
            value = getattr(make(config), item.name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or value < 0 or (isinstance(value, int) and bad != -7):
                continue
            changed = dataclasses.replace(config, recipe_settings={table: {item.name: bad}})
            with pytest.raises(UsageError, match=item.name):
                make(changed)


def test_settings_of_a_recipe_that_does_not_run_are_refused(bids: Path) -> None:
    words = [str(bids), str(bids.parent / "out"), "participant", "--set", "rsa.n_items=3"]
    with pytest.raises(UsageError, match="rsa does not run"):
        parse_arguments(words)
