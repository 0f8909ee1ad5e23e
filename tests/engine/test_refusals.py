"""A dry run and a run refuse the same, with the same code and words, and a dry run writes nothing.

Each case spoils a dataset or asks for what cannot be. Which module refused is recorded, and every
module that refuses input has a case, or stands in `ELSEWHERE` with the reason why it has none.
"""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import bidsapp
from bidsapp.audio.corpus_index import build_index
from bidsapp.audio.networks import get_network
from bidsapp.cli.app import main
from bidsapp.errors import AppError
from tests.engine.conftest import FMRIPREP, SETTINGS, first

Case = Callable[[Path, Path], list[str]]
MNI = ["--space", "MNI152NLin2009cAsym"]
SHORT = [
    *("--set", "reconstruct.clip_s=10", "--set", "reconstruct.embedding_window_s=6"),
    *("--set", "reconstruct.n_folds=3"),
]
"""Settings with which the study has clips to decode."""


# ---------------------------------------------------------------- what is asked for


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


def images_not_fetched(study: Path, _: Path) -> list[str]:
    for path in study.rglob("*desc-preproc_bold.nii.gz"):
        path.unlink()
        path.symlink_to("../.git/annex/objects/absent")
    return MNI


def output_of_another_tool(_: Path, output: Path) -> list[str]:
    output.mkdir()
    content = {"Name": "x", "GeneratedBy": [{"Name": "XCP-D"}]}
    (output / "dataset_description.json").write_text(json.dumps(content))
    return []


def silent_sounds(study: Path, _: Path) -> list[str]:
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


def options(*words: str) -> Case:
    """Return a case of options alone."""

    def asked(study: Path, output: Path) -> list[str]:
        return [word.format(study=study, output=output) for word in words]

    asked.__name__ = " ".join(words)
    return asked


def network(name: str) -> list[str]:
    return ["--set", f'gradients.networks=["{name}"]']


def features(study: Path, sounds: list[str], until_s: float) -> list[str]:
    """Write a table of features of some sounds and ask for it."""
    rows = [
        f"{sound}\t{0.5 + second:g}\t{second % 7}"
        for sound in sounds
        for second in range(round(until_s))
    ]
    path = study.parent / "features.tsv"
    path.write_text("\n".join(["stim_file\ttime\tloudness", *rows]) + "\n")
    return network(f"features:{path}")


def sounds_of(study: Path) -> list[str]:
    folder = study / "stimuli"
    found = (path.relative_to(folder) for path in folder.rglob("*.*"))
    return sorted(path.as_posix() for path in found if path.suffix in (".wav", ".flac"))


def features_without_a_sound(study: Path, _: Path) -> list[str]:
    return features(study, sounds_of(study)[1:], 24)


def features_cut_short(study: Path, _: Path) -> list[str]:
    return features(study, sounds_of(study), 9)


def features_truncated(study: Path, _: Path) -> list[str]:
    path = study.parent / "features.npz"
    arrays = {"a.wav/time": np.arange(24.0), "a.wav/layer": np.zeros((24, 3))}
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:500])
    return network(f"features:{path}")


def weights_cut_short(study: Path, _: Path) -> list[str]:
    path = study.parent / "w.pth"
    path.write_bytes(b"PK\3\4" + bytes(3000))
    return ["--weights", str(path), *network("vggish")]


def weights_of_another_network(study: Path, _: Path) -> list[str]:
    import torch

    path = study.parent / "other.pth"
    torch.save({"a": torch.zeros(3)}, path)
    return ["--weights", str(path), *network("vggish")]


def weights_of_another_hash(study: Path, _: Path) -> list[str]:
    (study.parent / "vggish-10086976.pth").write_bytes(b"not these")
    return ["--weights", "pretrained", "--weights-dir", str(study.parent), *network("vggish")]


def onnx_without_description(study: Path, _: Path) -> list[str]:
    path = study.parent / "model.onnx"
    path.write_bytes(b"no graph")
    return network(f"onnx:{path}")


def atlas_of_surfaces_for_volumes(study: Path, _: Path) -> list[str]:
    path = study.parent / "lh.aparc.annot"
    path.write_bytes(b"")
    return ["--atlas", str(path), *MNI]


def overlapping(study: Path, _: Path) -> list[str]:
    for path in study.rglob("*task-*_events.tsv"):
        head, *rows = path.read_text().splitlines()
        place = head.split("\t").index("onset")
        cells = [row.split("\t") for row in rows]
        for row in cells:
            row[place] = str(float(row[place]) / 4)
        path.write_text("\n".join([head, *("\t".join(row) for row in cells)]) + "\n")
    return []


def one_run_twice(study: Path, _: Path) -> list[str]:
    for path in (study / FMRIPREP).glob("*run-1_*"):
        shutil.copy(path, path.with_name(path.name.replace("run-1_", "run-01_")))
    return []


def several_derivatives(study: Path, _: Path) -> list[str]:
    shutil.copytree(study / "derivatives" / "fmriprep", study / "derivatives" / "fmriprep-24.1.0")
    return []


def labels_without_start(study: Path, _: Path) -> list[str]:
    """Let two rows of a run name one sound, and none say from where it was played."""
    for path in study.rglob("*task-*_events.tsv"):
        name = sounds_of(study)[0]
        rows = [f"{onset}\t10\t{name}" for onset in (2, 13, 24)]
        path.write_text("\n".join(["onset\tduration\tstim_file", *rows]) + "\n")
    return []


def little_music(study: Path, _: Path) -> list[str]:
    """Leave one presentation of the first run."""
    for path in sorted(study.rglob("*task-*_events.tsv")):
        head, row, *_rest = path.read_text().splitlines()
        path.write_text("\n".join([head, row]) + "\n" if "run-1" in path.name else head + "\n")
    return []


def little_music_for_harmony(study: Path, output: Path) -> list[str]:
    return [*little_music(study, output), "--recipe", "harmony"]


def no_sound_can_be_read(study: Path, _: Path) -> list[str]:
    for name in sounds_of(study):
        (study / "stimuli" / name).write_text("<html>not found</html>")
    return []


def weights_that_are_none(study: Path, _: Path) -> list[str]:
    path = study.parent / "w.pth"
    path.write_text("words")
    return ["--weights", str(path), *network("vggish")]


def surfaces_without_a_mesh(study: Path, _: Path) -> list[str]:
    for path in (study / FMRIPREP).glob("*space-fsaverage5*"):
        path.rename(path.with_name(path.name.replace("fsaverage5", "fsnative")))
    return ["--space", "fsnative"]


def labels_that_do_not_occur(study: Path, _: Path) -> list[str]:
    path = study.parent / "map.tsv"
    path.write_text("source\ttarget\nweather\train\n")
    return ["--recipe", "emotion3d", "--set", f'emotion3d.label_map="{path}"', *MNI]


def filter_file(text: str) -> Case:
    def asked(study: Path, _: Path) -> list[str]:
        path = study.parent / "filter.json"
        path.write_text(text)
        return ["--bids-filter-file", str(path)]

    asked.__name__ = f"filter {text}"
    return asked


def configuration(text: str) -> Case:
    def asked(study: Path, _: Path) -> list[str]:
        path = study.parent / "config.toml"
        path.write_text(text)
        return ["--config-file", str(path)]

    asked.__name__ = f"configuration {text}"
    return asked


def results_of_other_settings(_: Path, output: Path) -> list[str]:
    (output / "logs" / "jobs").mkdir(parents=True)
    name = "gradients_sub-09_space-fsaverage5"
    record = {
        **{"job": name, "recipe": "gradients", "level": "participant", "subject": "09"},
        **{"space": "fsaverage5", "state": "done", "configuration_hash": "0" * 8},
        "inputs_hash": "",
    }
    (output / "logs" / "jobs" / f"{name}.json").write_text(json.dumps(record))
    return []


def a_journal_that_leads_out(_: Path, output: Path) -> list[str]:
    folder = output / ".staging-x"
    folder.mkdir(parents=True)
    (folder / ".publish").write_text('{"remove": ["../study/README"], "move": []}')
    return []


def a_file_above_the_output(_: Path, output: Path) -> list[str]:
    output.write_text("a file")
    return []


def no_slurm(_: Path, __: Path) -> list[str]:
    pytest.importorskip("dask_jobqueue")
    return ["--executor", "slurm"]


def no_scheduler(study: Path, _: Path) -> list[str]:
    pytest.importorskip("distributed")
    return ["--executor", "dask", "--dask-scheduler", str(study.parent / "none.json")]


def crossnobis_of_one_presentation(study: Path, _: Path) -> list[str]:
    for path in study.rglob("*run-2*_events.tsv"):
        path.write_text("onset\tduration\tstim_file\n")
    return ["--recipe", "rsa", "--set", 'rsa.dissimilarity="crossnobis"', *MNI]


def rsa(*assignments: str) -> Case:
    words = [word for assignment in assignments for word in ("--set", f"rsa.{assignment}")]
    return options("--recipe", "rsa", *words, *MNI)


def group(*assignments: str) -> Case:
    """Return a case of settings of the group level, which both levels of a command refuse."""
    words = [word for item in assignments for word in ("--set", f"gradients_group.{item}")]
    return options("group", *words)


def a_reference_of_one_side(study: Path, _: Path) -> list[str]:
    path = study.parent / "mine_hemi-L.func.gii"
    shutil.copy(first(study, "*hemi-L_space-fsaverage5_bold.func.gii"), path)
    return ["group", "--set", f'gradients_group.references=["{path}"]']


def a_reference_on_another_mesh(study: Path, _: Path) -> list[str]:
    import nibabel

    path = study.parent / "mine_hemi-L.func.gii"
    values = np.arange(2562, dtype=np.float32)
    for side in "LR":
        image = nibabel.gifti.GiftiImage(darrays=[nibabel.gifti.GiftiDataArray(values)])
        nibabel.save(image, path.with_name(f"mine_hemi-{side}.func.gii"))
    return ["group", "--set", f'gradients_group.references=["{path}"]']


def reconstruct(*assignments: str) -> Case:
    words = [word for item in assignments for word in ("--set", f"reconstruct.{item}")]
    return options("--recipe", "reconstruct", *words, "--network", "baseline", *SHORT, *MNI)


def a_corpus(spoil: str) -> Case:
    """Return a case of an index that is of another network, half gone, or whose sounds are."""

    def asked(study: Path, output: Path) -> list[str]:
        folder = study.parent / "index"
        network, layer = get_network("consonance" if spoil == "network" else "baseline"), 0
        sounds = [("a.wav", study / "stimuli" / sounds_of(study)[0])]
        build_index(sounds, folder, network, layer, window_s=4, hop_s=4, memory_bytes=2**28)
        if spoil == "cut":
            path = folder / "embeddings.npy"
            path.write_bytes(path.read_bytes()[:40])
        name = network.layers[0].name if spoil in ("cut", "sounds") else ""
        place = [f'corpus_sounds="{study}"'] if spoil == "sounds" else []
        return reconstruct(f'corpus="{folder}"', f'embedding_layer="{name}"', *place)(
            study, output
        )

    asked.__name__ = f"corpus, wrong: {spoil}"
    return asked


def emotion(*words: str) -> Case:
    return options("--recipe", "emotion3d", *words)


REFUSALS: dict[Case, int] = {
    without_confounds: 66,
    words_in_confounds: 65,
    aroma: 66,
    no_weights: 69,
    images_not_fetched: 66,
    smoothing: 2,
    output_of_another_tool: 73,
    silent_sounds: 65,
    unknown_task: 66,
    unknown_space: 66,
    foreign_settings: 2,
    options("--device", "tpu"): 2,
    options("--device", "cuda:77"): 69,
    no_slurm: 69,
    no_scheduler: 69,
    options("--dask-scheduler", "tcp://127.0.0.1:9"): 2,
    options("--slurm", "queue=main"): 2,
    features_without_a_sound: 66,
    features_cut_short: 65,
    features_truncated: 65,
    options("--network", "features:nowhere.tsv"): 66,
    weights_cut_short: 65,
    weights_of_another_network: 65,
    weights_of_another_hash: 65,
    onnx_without_description: 66,
    options("--atlas", "{study}/README", *MNI): 65,
    options("--high-pass-hz", "0.2", "--confounds", "none"): 65,
    options("--atlas", "nowhere.nii.gz"): 66,
    options("--atlas", "NoSuchAtlas2020", "--space", "fsaverage5"): 69,
    atlas_of_surfaces_for_volumes: 65,
    little_music: 65,
    little_music_for_harmony: 65,
    no_sound_can_be_read: 65,
    weights_that_are_none: 65,
    surfaces_without_a_mesh: 65,
    options("--task-id", "music", "nowhere"): 66,
    overlapping: 65,
    labels_without_start: 65,
    one_run_twice: 65,
    several_derivatives: 2,
    filter_file('{"bold": {"desc": "nowhere"}}'): 66,
    filter_file('{"bould": {}}'): 2,
    configuration("x = ["): 2,
    configuration('[workflow]\nrandom_seed = "many"'): 2,
    options("--mem", "much"): 2,
    options("--shard", "3/2"): 2,
    options("--participant-label", "77"): 66,
    options("--adapter", "nowhere"): 2,
    options("--confounds", "everything"): 2,
    options("--set", "gradients.nothing=3"): 2,
    results_of_other_settings: 73,
    a_journal_that_leads_out: 73,
    a_file_above_the_output: 73,
    rsa("drop_s=1000.0"): 65,
    rsa('nuisance=["weather"]'): 2,
    crossnobis_of_one_presentation: 65,
    options("--recipe", "reconstruct", "--set", 'reconstruct.test_task="nowhere"', *MNI): 65,
    options("--recipe", "reconstruct", "--set", "reconstruct.embedding_window_s=600", *MNI): 65,
    labels_that_do_not_occur: 66,
    group('references=["gradient9"]'): 2,
    group('references=["neuromaps:a/b"]'): 2,
    group('references=["neuromaps:hcps1200/myelinmap/fsLR/32k"]'): 69,
    group('annotations=["fcgradient01"]'): 69,
    group('annotations=["{study}/README"]'): 65,
    a_reference_of_one_side: 66,
    a_reference_on_another_mesh: 65,
    reconstruct('embedding_layer="no_layer"'): 2,
    reconstruct('corpus="{study}"'): 66,
    reconstruct('generator="{study}"'): 66,
    **dict.fromkeys(map(a_corpus, ("network", "layer", "cut")), 65),
    a_corpus("sounds"): 66,
    emotion("--space", "fsaverage5"): 2,
    emotion("--set", 'emotion3d.label_map="nowhere"', *MNI): 2,
    emotion("--network", "baseline"): 2,
}

ELSEWHERE = {
    **dict.fromkeys(
        (
            *("audio.corpora", "audio.emotion_corpora", "audio.listening"),
            *("audio.training", "cli.commands", "cli.tools", "features.export"),
            *("fetch", "simulate"),
        ),
        "musicotopy-tools",
    ),
    **dict.fromkeys(
        (
            *("brain.clean", "brain.confounds", "brain.cortex", "brain.geometry", "brain.images"),
            "brain.grey_matter",
            *("brain.maps", "brain.projection", "brain.searchlights"),
            *("brain.stored_volumes", "brain.units", "brain.working_grid"),
        ),
        "what only the content of images tells, which is not read beforehand",
    ),
    **dict.fromkeys(
        (
            *("audio.mel", "audio.networks.base", "audio.networks.clap", "audio.networks.encodec"),
            *("audio.networks.front_end", "audio.networks.model_folders"),
            *("audio.networks.onnx_network", "audio.networks.resnet1d", "audio.networks.table"),
            *("audio.networks.taggers", "audio.networks.vggish", "audio.networks.windows"),
            *("audio.onnx_graph", "features.banks", "features.design", "features.extract"),
            *("models", "stats", "recipes.reconstruct.windows"),
            *("audio.networks.self_supervised", "recipes.reconstruct.decode"),
        ),
        "arguments and content of computations; what they share with preflight is refused there",
    ),
    **dict.fromkeys(
        (
            *("recipes.base.group", "recipes.base.group_maps", "recipes.emotion3d.group_volumes"),
            *("recipes.rsa.design", "recipes.rsa.group", "recipes.reconstruct.group", "results"),
            *(
                "recipes.reconstruct.across",
                "recipes.reconstruct.encoding",
                "bids.templateflow",
                "brain.annotations",
            ),
            "brain.surrogates",
        ),
        "results and references, which the group level reads",
    ),
    **dict.fromkeys(
        ("bids.atomic", "bids.names", "brain.strategies", "engine.work"),
        "files that are written, and names that the parser has refused before",
    ),
    "cli.app": "--reports-only without results",
    "scratch": "a checkpoint in the work folder that is cut off, found when training goes on",
    "recipes.emotion3d.labels": "folds that a label's segments do not fill",
}


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def refusing() -> set[str]:
    """Modules that raised an error in a case."""
    return set()


@pytest.fixture
def recorded(refusing: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = AppError.__init__

    def record(self: AppError, *arguments: object) -> None:
        frame = sys._getframe(1)
        refusing.add(frame.f_globals["__name__"].removeprefix("bidsapp."))
        plain(self, *arguments)

    monkeypatch.setattr(AppError, "__init__", record)


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.__name__)
def test_both_refuse_the_same(study, tmp_path, capsys, monkeypatch, refusal) -> None:
    if refusal is no_slurm:
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    output = tmp_path / "out"
    asked = refusal(study, output)
    if refusal is a_file_above_the_output:
        output = output / "sub"
    settings = [] if "--recipe" in asked else SETTINGS
    monkeypatch.setenv("NEUROMAPS_DATA", str(tmp_path / "neuromaps"))
    levels = ["participant", *asked[: asked[:1] == ["group"]]]
    words = [str(study), str(output), *levels, *settings, *asked[len(levels) - 1 :]]
    words += [] if "--weights" in words else ["--weights", "random"]
    before = files(tmp_path)
    assert main([*words, "--dry-run"]) == REFUSALS[refusal]
    dry = capsys.readouterr()
    assert files(tmp_path) == before
    reason = said(dry.out, dry.err)
    assert "Traceback" not in dry.err
    assert main(words) == REFUSALS[refusal]
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert reason in error
    assert files(tmp_path) == before or not (output / "dataset_description.json").exists()


def said(out: str, err: str) -> str:
    """Return the first sentence of a refusal."""
    line = (out or err).splitlines()[0].removeprefix("not ready: ").removeprefix("musicotopy: ")
    assert not line.startswith("ready"), line
    return line.partition("cannot run: ")[2] or line


def refusing_modules() -> set[str]:
    """Return every module of the app that raises one of its errors."""
    root = Path(bidsapp.__file__).parent
    names = {kind.__name__ for kind in AppError.__subclasses__()}
    names -= {"JobsFailedError", "RunsLeftOutError"}
    modules = set()
    for path in root.rglob("*.py"):
        calls = (
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        )
        if any(isinstance(call.func, ast.Name) and call.func.id in names for call in calls):
            module = path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
            modules.add(module.removesuffix(".__init__"))
    return modules


def is_elsewhere(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in ELSEWHERE)


def test_every_module_that_refuses_has_a_case(request, refusing: set[str]) -> None:
    n_run = sum("test_both_refuse" in item.nodeid for item in request.session.items)
    if n_run < len(REFUSALS):
        pytest.skip("needs all cases of this file")
    modules = refusing_modules()
    assert sorted({name for name in modules if not is_elsewhere(name)} - refusing) == []
    assert {name for name in ELSEWHERE if not any(map(name_of(name), modules))} == set()


def name_of(name: str) -> Callable[[str], bool]:
    return lambda module: module == name or module.startswith(f"{name}.")
