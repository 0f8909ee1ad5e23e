"""The command line: spellings, precedence, refusals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bidsapp.cli.configure import parse_arguments
from bidsapp.cli.options import OPTIONS, POSITIONALS
from bidsapp.cli.parser import build_parser
from bidsapp.config import Config, configuration_hash, parse_memory, read_toml, sections, to_toml
from bidsapp.errors import InputMissingError, OutputError, UsageError


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def parse(bids: Path, *words: str) -> Config:
    return parse_arguments([str(bids), str(bids.parent / "out"), "participant", *words])


def test_table_and_config_agree() -> None:
    """Each option sets a field of Config and each field has its option, in the same section."""
    table = {option.name: option.group for option in (*POSITIONALS, *OPTIONS)}
    fields = {name: section for section, names in sections().items() for name in names}
    assert table == fields


def test_defaults_of_the_help_are_those_of_the_run(bids: Path) -> None:
    """The help names each default that is neither empty nor 'auto'."""
    config = parse(bids)
    for option in OPTIONS:
        value = getattr(config, option.name)
        plain = " ".join(value) if isinstance(value, tuple) else value
        said_otherwise = value in (None, (), {}, 0, "auto", ("auto",))
        assert option.default == (None if said_otherwise else plain), option.name


def test_flags_are_unique() -> None:
    flags = [flag for option in OPTIONS for flag in option.flags]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("option", [item for item in OPTIONS if "-" in item.flags[0][2:]])
def test_hyphens_and_underscores(option: object) -> None:
    flags = option.flags  # type: ignore[attr-defined]
    assert flags[0].replace("-", "_").replace("__", "--", 1) in flags


def test_prefixes_are_stripped(bids: Path) -> None:
    config = parse(bids, "--participant_label", "sub-01", "02", "-t", "task-happy")
    assert config.participant_label == ("01", "02")
    assert config.task_id == ("happy",)


@pytest.mark.parametrize(
    "words", [("--no-such-option",), ("--variant", "x"), ("--nprocs", "many"), ("--mem",)]
)
def test_words_that_are_wrong_get_one_sentence_and_a_hint(bids: Path, words) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]*; see musicotopy --help$"):
        parse(bids, *words)


def test_file_then_flags(bids: Path, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[workflow]\nvariant = "faithful"\nrandom_seed = 3\n[gradients]\nn_components = 20\n'
    )
    config = parse(bids, "--config-file", str(path), "--random-seed", "7")
    assert (config.variant, config.random_seed) == ("faithful", 7)
    assert config.recipe_settings == {"gradients": {"n_components": 20}}
    config = parse(bids, "--config-file", str(path), "--set", "gradients.n_components=30")
    assert config.recipe_settings == {"gradients": {"n_components": 30}}


def test_nested_settings(bids: Path, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[emotion3d.training]\nepochs = 20\nfloor = 1.0\n")
    recipe = ("--recipe", "emotion3d")
    words = ("--config-file", str(path), "--set", "emotion3d.training.epochs=3")
    config = parse(bids, *recipe, *words)
    assert config.recipe_settings == {"emotion3d": {"training": {"epochs": 3, "floor": 1.0}}}
    path.write_text(to_toml(config))
    assert parse(bids, "--config-file", str(path)) == config
    with pytest.raises(UsageError, match=r"emotion3d\.training has a value"):
        parse(bids, *recipe, "--set", "emotion3d.training=3", *words[2:])


def test_written_file_reads_back(bids: Path, tmp_path: Path) -> None:
    config = parse(
        bids, "-d", "fmriprep=/x y", "--mem", "4G", "--set", "gradients.lags_s=[4.0, 5.0]", "-vv"
    )
    path = tmp_path / "written.toml"
    path.write_text(to_toml(config))
    assert Config(**read_toml(path, ("gradients",))) == config


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[workflow]\nvarient = 'x'\n", "varient"),
        ("[nonsense]\na = 1\n", "nonsense"),
        ("[workflow]\nrandom_seed = 'one'\n", "random_seed"),
        ("[workflow]\nvariant = 'honest'\n", "honest"),
        ("not toml", "cannot be read"),
    ],
)
def test_wrong_file_names_the_mistake(bids: Path, tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=part):
        parse(bids, "--config-file", str(path))


def test_refusals(bids: Path, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="no such folder"):
        parse_arguments([str(tmp_path / "absent"), str(tmp_path), "participant"])
    with pytest.raises(UsageError, match="BIDS_DIR"):
        parse_arguments([str(bids), str(bids), "participant"])
    with pytest.raises(UsageError, match="work-dir"):
        parse(bids, "-w", str(bids / "work"))
    with pytest.raises(UsageError, match=r"RECIPE\.SETTING"):
        parse(bids, "--set", "n_components=3")
    with pytest.raises(UsageError, match="NAME=PATH"):
        parse(bids, "-d", "/some/where")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="folder"):
        parse(bids)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("16G", 16 * 2**30), ("800M", 800 * 2**20), ("4000", 4000 * 2**20), ("1.5 GiB", 3 * 2**29)],
)
def test_memory(text: str, expected: int) -> None:
    assert parse_memory(text) == expected


@given(st.text(max_size=6))
def test_memory_is_a_number_or_refused(text: str) -> None:
    try:
        assert parse_memory(text) >= 256 * 2**20
    except UsageError as error:
        assert "--mem" in str(error)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(seed=st.integers(0, 99), threads=st.integers(1, 64), memory=st.integers(1, 99))
def test_hash_ignores_performance(bids: Path, seed: int, threads: int, memory: int) -> None:
    """Threads, memory and folders never change the hash; the seed always does."""
    base = parse(bids, "--random-seed", str(seed))
    other = dataclasses.replace(base, nprocs=threads, mem=f"{memory}G", work_dir=Path("/w"))
    assert configuration_hash(base, "gradients", {}) == configuration_hash(other, "gradients", {})
    changed = dataclasses.replace(base, random_seed=seed + 1)
    assert configuration_hash(base, "gradients", {}) != configuration_hash(
        changed, "gradients", {}
    )


def test_hash_follows_file_content(bids: Path, tmp_path: Path) -> None:
    path = tmp_path / "filter.json"
    path.write_text("{}")
    config = parse(bids, "--bids-filter-file", str(path))
    before = configuration_hash(config, "gradients", {})
    path.write_text('{"bold": {}}')
    assert configuration_hash(config, "gradients", {}) != before


def test_help_lists_every_option() -> None:
    text = build_parser().format_help()
    for option in OPTIONS:
        assert option.flags[0] in text


def test_networks_of_the_user(bids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "f.tsv"
    table.write_text("stim_file\ttime\tx\na\t0\t1\n")
    config = parse(bids, "--network", "baseline", f"features:{table}")
    assert config.network == ("baseline", f"features:{table}")
    with pytest.raises(InputMissingError, match="no such file"):
        parse(bids, "--network", "onnx:nowhere.onnx")
    with pytest.raises(UsageError, match="known are vggish"):
        parse(bids, "--network", "vgish")
    settings = {"networks": (f"features:{table}",)}
    before = configuration_hash(config, "gradients", settings)
    table.write_text("stim_file\ttime\tx\na\t0\t2\n")
    assert configuration_hash(config, "gradients", settings) != before
    monkeypatch.setenv("MUSICOTOPY_WEIGHTS_DIR", str(tmp_path))
    assert parse(bids).weights_dir == tmp_path
