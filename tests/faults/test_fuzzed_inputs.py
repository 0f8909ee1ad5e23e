"""Any bytes in any small file of a dataset: a documented code, never a traceback."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bidsapp.bids import adapters
from bidsapp.cli.app import main
from tests.faults.conftest import BOLD, DERIVATIVES, SETTINGS

ADAPTERS = Path(adapters.__file__).parent / "adapters"
CODES = {0, 2, 3, 65, 66, 69, 73}
RAW = "sub-01/func"
FUNC = f"{DERIVATIVES}/sub-01/func"
FILES = {
    "events": f"{RAW}/*run-1_events.tsv",
    "raw image": f"{RAW}/*run-1_bold.nii.gz",
    "shared sidecar": "task-*_bold.json",
    "sidecar": f"{FUNC}/*run-1*desc-preproc_bold.json",
    "confounds": f"{FUNC}/*run-1*confounds*.tsv",
    "confounds sidecar": f"{FUNC}/*run-1*confounds*.json",
    "image": f"{FUNC}/*run-1*{BOLD.removeprefix('*')}",
    "mask": f"{FUNC}/*run-1*mask.nii.gz",
    "description": "dataset_description.json",
    "derivative description": f"{DERIVATIVES}/dataset_description.json",
    "participants": "participants.tsv",
    "catalogue": "stimuli/stimuli.tsv",
    "sound": "stimuli/*.flac",
    "rating": f"{RAW}/*run-1_recording-emotionality_stim.tsv.gz",
    "rating sidecar": f"{RAW}/*run-1_recording-emotionality_stim.json",
    "labels": "stimuli/annotations/*_events.tsv",
}
MADE = {
    "presentations": (
        "stimuli/presentations.tsv",
        "task\trun\tsubject\tonset\tduration\tstim_file",
    ),
    "filter": ("../filter.json", '{"bold": {"task": "music", "run": [1]}}'),
    "adapter": ("../adapter.toml", (ADAPTERS / "ds003085.toml").read_text("utf-8")),
    "features": ("../features.tsv", "stim_file\ttime\ta/x\nx.flac\t0.5\t1\nx.flac\t1.5\t2\n"),
    "label map": ("../map.tsv", "source\ttarget\nhappy\tjoy\n"),
}
OPTIONS = {
    "filter": ["--bids-filter-file", "{}"],
    "adapter": ["--adapter", "{}"],
    "features": ["--set", 'gradients.networks=["features:{}"]'],
    "label map": ["--recipe", "emotion3d", "--set", 'emotion3d.label_map="{}"'],
}
PIECES = st.sampled_from(
    [
        *(b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\t", b"\n", b"\r\n\r\n", b"n/a", b"nan"),
        *(
            b"-1",
            b"1e999",
            b"0",
            b"12,5",
            b"9" * 400,
            b"true",
            b"null",
            b"[]",
            b"{}",
            b'"',
            b"../x",
        ),
        *(b"\x1f\x8b", b"[" * 3000, b"\tonset\t", b"\t" * 50, "\u202e\U0001f3b5".encode()),
    ]
)


@st.composite
def spoiled(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut a file short, put pieces into it, or take pieces out."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        stop = draw(st.integers(start, min(len(content), start + 40)))
        what = draw(st.one_of(PIECES, st.binary(max_size=8), st.just(None)))
        content = content[:start] if what is None else content[:start] + what + content[stop:]
    return content


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_bytes_in_any_small_file(dataset: Path, tmp_path: Path, data: st.DataObject) -> None:
    study = tmp_path / "study"
    shutil.rmtree(study, ignore_errors=True)
    shutil.copytree(dataset, study, copy_function=os.link)
    name = data.draw(st.sampled_from([*FILES, *MADE]))
    if name in MADE:
        path, text = study / MADE[name][0], MADE[name][1]
        content = text.encode()
    else:
        found = sorted(study.glob(FILES[name]))
        if not found:
            pytest.fail(f"the dataset has no {FILES[name]}")
        path, content = found[0], found[0].read_bytes()
        path.unlink()
    path.write_bytes(data.draw(spoiled(content)))
    options = [word.format(path) for word in OPTIONS.get(name, ())]
    words = [*([] if name == "label map" else SETTINGS), *options, "--weights", "random"]
    logging.getLogger("musicotopy").handlers.clear()
    code = main([str(study), str(tmp_path / "out"), "participant", *words, "--dry-run"])
    assert code in CODES, (name, code)
    assert not (tmp_path / "out").exists()
