from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from bidsapp.audio.networks.base import Layer
from bidsapp.bids.records import Presentation
from bidsapp.features.extract import FeatureBank
from tests import runs

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


def _run(name="1", n_trs=100, tr_s=1.0, start_time_s=0.0):
    path = Path(f"sub-01_task-music_run-{name}_bold.nii.gz")
    clock = {"tr_s": tr_s, "n_trs": n_trs, "start_time_s": start_time_s}
    return runs.make_run(name, space="MNI152NLin2009cAsym", bold=(path,), **clock)


def _presentation(run, onset_s=0.0, duration_s=60.0, stim_file="a.wav", stim_start_s=0.0):
    return Presentation(
        run_name=run.name,
        onset_s=onset_s,
        duration_s=duration_s,
        stim_file=stim_file,
        path=Path("/stimuli") / stim_file,
        stim_start_s=stim_start_s,
        source="events.tsv",
    )


def _bank(piece_s, hop_s=0.1, window_s=0.2):
    """Frames without features: pieces of given lengths, stamped like a network's."""
    counts = [1 + int((length - window_s) / hop_s + 1e-9) for length in piece_s.values()]
    times = [window_s / 2 + hop_s * np.arange(n) for n in counts]
    return FeatureBank(
        network="none",
        layers=(Layer("only", "input", 1),),
        weights={},
        window_s=window_s,
        hop_s=hop_s,
        pieces=tuple(piece_s),
        piece_s=tuple(piece_s.values()),
        frame_piece=np.repeat(np.arange(len(counts)), counts),
        frame_time_s=np.concatenate(times),
        key="",
        folder=Path(),
    )


@pytest.fixture(scope="session")
def make_run():
    return _run


@pytest.fixture(scope="session")
def make_presentation():
    return _presentation


@pytest.fixture(scope="session")
def make_bank():
    return _bank
