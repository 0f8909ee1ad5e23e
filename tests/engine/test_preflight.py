"""A dry run and a run refuse the same, with the same code, and a dry run writes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bidsapp.audio.networks import network_entry
from bidsapp.cli.app import main
from bidsapp.cli.parser import parse_arguments
from bidsapp.engine.plan import make_plan
from bidsapp.engine.preflight import checked
from bidsapp.simulate.dataset import MusicOptions, simulate
from tests.faults.conftest import noise_features

SETTINGS = [
    *("--weights", "random", "--nprocs", "1", "--mem", "2G"),
    *("--set", "gradients.min_block_s=10", "--set", "gradients.n_components=8"),
    *("--set", "gradients.n_parcels=12", "--set", "gradients.n_shifts=19"),
    *("--set", 'gradients.networks=["baseline"]'),
]
FMRIPREP = "derivatives/fmriprep/sub-01/func"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preflight") / "study"
    options = MusicOptions.quick(
        n_participants=1,
        n_pieces=6,
        piece_s=24.0,
        spaces=("fsaverage5", "MNI152NLin2009cAsym"),
    )
    simulate(folder, options, features=noise_features, quiet=True)
    return folder


@pytest.fixture
def study(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "study"))


def first(folder: Path, pattern: str) -> Path:
    return sorted((folder / FMRIPREP).glob(pattern))[0]


def without_confounds(study: Path, _: Path) -> list[str]:
    first(study, "*confounds*.tsv").unlink()
    return []


def words_in_confounds(study: Path, _: Path) -> list[str]:
    path = first(study, "*confounds*.tsv")
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    lines[7][lines[0].index("trans_y")] = "0,5"
    path.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    return ["--confounds", "motion6"]


def aroma(_: Path, __: Path) -> list[str]:
    return ["--confounds", "aroma+wmcsf"]


def no_weights(_: Path, output: Path) -> list[str]:
    empty = output.parent / "empty"
    empty.mkdir()
    vggish = 'gradients.networks=["vggish"]'
    return ["--weights", "pretrained", "--weights-dir", str(empty), "--set", vggish]


def smoothing(_: Path, __: Path) -> list[str]:
    return ["--smoothing-fwhm-mm", "4", "--space", "fsaverage5"]


def output_of_another_tool(_: Path, output: Path) -> list[str]:
    output.mkdir()
    content = {"Name": "x", "GeneratedBy": [{"Name": "XCP-D"}]}
    (output / "dataset_description.json").write_text(json.dumps(content))
    return []


def silent_sounds(study: Path, _: Path) -> list[str]:
    import numpy as np
    import soundfile

    for path in (study / "stimuli").rglob("*.*"):
        if path.suffix in (".wav", ".flac"):
            soundfile.write(path, np.zeros(24 * 16000), 16000)
    return []


def unknown_task(_: Path, __: Path) -> list[str]:
    return ["--task-id", "nothere"]


def unknown_space(_: Path, __: Path) -> list[str]:
    return ["--space", "MNI152NLin6Asym"]


def foreign_settings(_: Path, __: Path) -> list[str]:
    return ["--set", "rsa.n_samples=3"]


def absent_atlas(_: Path, output: Path) -> list[str]:
    return ["--atlas", "NoSuchAtlas2020", "--space", "fsaverage5"]


REFUSALS = {
    absent_atlas: 69,
    without_confounds: 66,
    words_in_confounds: 65,
    aroma: 66,
    no_weights: 69,
    smoothing: 2,
    output_of_another_tool: 73,
    silent_sounds: 65,
    unknown_task: 66,
    unknown_space: 66,
    foreign_settings: 2,
}


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.__name__)
def test_both_refuse_the_same(study, tmp_path, capsys, refusal) -> None:
    output = tmp_path / "out"
    options = refusal(study, output)
    words = [str(study), str(output), "participant", *SETTINGS, *options]
    before = files(tmp_path)
    assert main([*words, "--dry-run"]) == REFUSALS[refusal]
    dry = capsys.readouterr()
    assert files(tmp_path) == before
    assert "not ready" in dry.out.splitlines()[0] if dry.out else dry.err
    assert main(words) == REFUSALS[refusal]
    assert "Traceback" not in capsys.readouterr().err
    if refusal is output_of_another_tool:
        assert files(tmp_path) == before


def test_ready_names_what_it_needs(study, tmp_path, capsys) -> None:
    words = [str(study), str(tmp_path / "out"), "participant", *SETTINGS, "--dry-run"]
    assert main(words) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("ready: 1 participant x 1 space; needs ")


def test_a_run_that_cannot_be_used_is_said_and_has_its_code(study, tmp_path, capsys) -> None:
    path = first(study, "*run-2*hemi-L*fsaverage5*.gii")
    path.write_bytes(b"")
    words = [str(study), str(tmp_path / "out"), "participant", *SETTINGS]
    words += ["--space", "fsaverage5"]
    assert main([*words, "--dry-run"]) == 3
    assert "without 1: sub-01_task-" in capsys.readouterr().out
    assert main(words) == 3
    assert "done, without 1 run that could not be used: sub-01_" in capsys.readouterr().err
    status = json.loads((tmp_path / "out" / "logs" / "status.json").read_text())
    assert [name[-5:] for name in status["Jobs"][0]["left_out"]] == ["run-2"]
    assert main(words) == 3  # reused, and said again
    assert "nothing to do, 0 failed, 0 computed, 1 reused" in capsys.readouterr().out
    assert main([*words, "--reports-only"]) == 3
    assert "0 failed, 1 report written again" in capsys.readouterr().out


def test_a_group_is_counted_on_the_participants_of_the_same_command(
    study, tmp_path, capsys
) -> None:
    words = [str(study), str(tmp_path / "out"), "participant", "group", *SETTINGS, "--dry-run"]
    main(words)
    out = capsys.readouterr().out
    assert "holds no finished participant" not in out
    assert "planned or done: 01" in out or "1 participants will be there" in out


def test_other_weights_are_other_inputs(study, tmp_path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    vggish = ["--weights-dir", str(folder), "--weights", "pretrained", "--set"]
    words = [str(study), str(tmp_path / "out"), "participant", *vggish]
    config = parse_arguments([*words, 'gradients.networks=["vggish"]'])
    name = next(iter(network_entry("vggish").weight_files.values()))[0]
    hashes = []
    for content in (b"one", b"three"):
        (folder / name).write_bytes(content)
        (job,) = checked(make_plan(config), config).jobs
        assert [path.name for path in job.weights] == [name]
        hashes.append(job.inputs_hash)
    assert hashes[0] != hashes[1]
