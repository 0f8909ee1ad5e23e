"""Settings of `emotion3d` at both levels: the poster of Tanemura and colleagues, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from bidsapp.recipes.base.settings import setting

_MODEL = "poster: Model parameterized by 3DCNN"
_CODE = "public code of the poster (lungerjo/DeepEmotion)"
_LABELS = f"{_CODE}: annotations"
_INFERENCE = "poster: Inference is powerful"
_CROSS = "poster: Performance generalizes across subjects"
_coded = partial(setting, source=_CODE)
_labelled = partial(setting, source=_LABELS)
_across = partial(setting, source=_CROSS)
_ours = partial(setting, paper="none")
"""Declares a setting of what the paper does not do."""
_unaugmented = partial(setting, paper="no augmentation", source=_CODE)
"""Declares a setting of augmentation."""


@dataclass(frozen=True)
class Emotion3dSettings:
    """What the recipe does; the defaults are those of the robust variant."""

    label_source: Literal["annotations", "events"] = _labelled(
        "annotations",
        paper="intervals rated by observers of the film",
        why="'events' takes trial_type of ordinary events.tsv instead",
    )
    label_map: str = _labelled(
        "five-emotions",
        paper="22 emotions pooled into happiness, fear, sadness, love, anger",
        why="'identity' makes every label a class; or a table with columns source, target",
    )
    min_agreement: float = setting(
        0.5, paper="at least half of the observers", source=f"{_LABELS}; paper of the code"
    )
    rater_modality: Literal["audio", "audiovisual", "any"] = _labelled(
        "audio",
        paper="9 observers who saw and heard the film; the scanned people heard it",
        why="listeners' labels come from observers who listened, where there are any",
    )
    shift_s: float = _coded(
        5.0,
        paper="none: each volume has the label of its own time",
        why="the BOLD response peaks 4 to 6 s after its cause; the scan of shifts is reported, "
        "and a better one is named",
    )
    window_s: float = _labelled(
        0.0,
        paper="label at one moment, every 2 s",
        why="majority over the time a volume stands for; 0 is one repetition time",
    )
    min_share: float = setting(
        0.5,
        paper="not stated",
        why="a class has to win more than this share of the window; 0.99 drops label borders",
    )
    drop_volumes: int = _coded(
        4, paper="none", why="signal and attention settle at the start of a run"
    )
    purge_stimulus: bool = _coded(
        True,
        paper="no: runs overlap by 16 s of the film",
        why="the same stimulus in training and test is no new stimulus",
    )
    voxel_mm: float = _coded(
        4.0,
        paper="native grid of 1.4 mm",
        why="costs 1/23 and keeps what smooth responses carry; 0 keeps the native grid",
    )
    denoise: bool = _coded(
        True,
        paper="motion and distortion corrected, nothing regressed, no filter",
        why="--confounds and --high-pass-hz: slow drifts tell the run and its time",
    )
    normalise: Literal["run", "none"] = _coded(
        "run",
        paper="none",
        why="raw intensity tells the run, and the run tells the label; z-scores of a run do not",
    )
    n_frames: int = setting(
        1, paper="single volumes", source=_MODEL, why="more stacks the volumes before as channels"
    )
    split: Literal["auto", "leave_run_out", "blocked"] = _coded(
        "auto",
        paper="single volumes drawn at random",
        why="whole runs; contiguous blocks when there is one run",
    )
    shuffled: bool = _coded(
        False,
        paper="80 % of the volumes train, 20 % test, at random",
        why="LEAKY: noise scores 80 to 97 % under it; computed for comparison only",
    )
    embargo_s: float = _coded(
        20.0,
        paper="none",
        why="longer than the haemodynamic response, between training and test volumes",
    )
    network: Literal["small", "residual", "faithful"] = setting(
        "small",
        paper="three convolutions, two max-pools, 128 hidden units",
        source=f"{_MODEL}; {_CODE}",
        why="four blocks of stride 2 with group normalisation cost 1/30 and keep place",
    )
    n_seeds: int = _coded(
        1,
        paper="1",
        why="more average the probabilities of several networks; each costs a whole "
        "cross-validation",
    )
    epochs: int = setting(
        20, paper="50", source=_MODEL, why="at most; training stops on a run of its own"
    )
    batch_size: int = _coded(16, paper="20", why="chosen without a comparison")
    optimiser: Literal["adamw", "adam"] = setting(
        "adamw", paper="Adam", source=_MODEL, why="decays weights apart from the gradient's scale"
    )
    learning_rate: float = setting(
        3e-3, paper="0.001", source=_MODEL, why="peak of the one-cycle schedule"
    )
    weight_decay: float = _coded(0.01, paper="0", why="few volumes for the size of the network")
    schedule: Literal["onecycle", "constant"] = _coded(
        "onecycle", paper="constant", why="few epochs suffice"
    )
    label_smoothing: float = _coded(0.05, paper="none", why="labels are noisy")
    class_weights: bool = _coded(
        True, paper="no", why="1 / sqrt(n): rare classes are not given up"
    )
    patience: int = _coded(
        8,
        paper="none: the last epoch counts",
        why="epochs without a better loss on the inner run until training stops; 0 never stops",
    )
    max_shift_voxels: int = _unaugmented(
        1, why="random translation closed most of the gap to a linear decoder in simulations"
    )
    noise: float = _unaugmented(0.1, why="few volumes for the size of the network")
    scale: float = _unaugmented(0.1, why="few volumes for the size of the network")
    linear: Literal["logistic", "ridge", "svm"] = setting(
        "ridge",
        paper="no other decoder",
        source=_INFERENCE,
        why="a network has to beat a linear decoder on the same folds and volumes; ridge is as "
        "good as logistic regression and refitted under shifted labels in a fraction of its time",
    )
    n_components: int = _ours(300, why="principal components of the training volumes")
    n_parcels: int = _ours(200, why="for the linear decoder of parcels; without an atlas")
    n_shifts: int = setting(
        200,
        paper="none: no test",
        source=_INFERENCE,
        why="labels shifted within runs, everything fitted again; least p: 1 / (n_shifts + 1)",
    )
    n_cnn_shifts: int = setting(
        0,
        paper="none: no test",
        source=_INFERENCE,
        why="as n_shifts; each costs as much as the network's whole cross-validation, and p < .05 "
        "needs 20: the linear decoder on the same folds is tested instead",
    )
    min_shift_s: float = _ours(20.0, why="longer than the haemodynamic response")
    scan_lags_s: tuple[float, ...] = _ours(
        (0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0),
        why="the linear decoder's score over shifts says whether labels and volumes meet",
    )
    explain_per_class: int = _coded(
        5,
        paper="gradient-weighted class activation of single volumes",
        why="correctly classified held-out volumes per class and fold; 0 for no maps",
    )
    n_baselines: int = _ours(4, why="volumes that integrated gradients begin at")
    n_embedding_shifts: int = setting(
        1000, paper="none", source="poster: Emotion clustering", why="null of the separability"
    )


VARIANTS = {
    "robust": Emotion3dSettings(),
    "faithful": Emotion3dSettings(
        rater_modality="audiovisual",
        shift_s=0.0,
        drop_volumes=0,
        purge_stimulus=False,
        voxel_mm=0.0,
        denoise=False,
        normalise="none",
        shuffled=True,
        network="faithful",
        n_seeds=1,
        epochs=50,
        batch_size=20,
        optimiser="adam",
        learning_rate=1e-3,
        weight_decay=0.0,
        schedule="constant",
        label_smoothing=0.0,
        class_weights=False,
        patience=0,
        max_shift_voxels=0,
        noise=0.0,
        scale=0.0,
        n_cnn_shifts=0,
    ),
}
"""Defaults of both variants."""


@dataclass(frozen=True)
class GroupSettings:
    """What the group level does; the defaults are those of the robust variant."""

    leave_participant_out: bool = setting(
        True,
        paper="one model of all 19 participants, tested on volumes of the same participants",
        source=f"{_CROSS}; {_CODE}",
        why="SAME STIMULUS in training and test: shows shared responses, no new stimulus",
    )
    leave_participant_and_run_out: bool = _across(
        True, paper="none", why="new participant and new stimulus at once: the strictest question"
    )
    max_participant_folds: int = _across(
        10, paper="none", why="participants are left out in at most this many groups"
    )
    cnn: bool = _across(
        False,
        paper="the network of single participants",
        why="its score means nothing without n_cnn_shifts refits of the whole cross-validation",
    )
    n_seeds: int = _coded(1, paper="1")
    epochs: int = setting(
        20, paper="50", source=_MODEL, why="as for single participants, with more volumes in each"
    )
    max_shift_voxels: int = _unaugmented(
        2, why="the same response lies up to two voxels apart in two participants"
    )
    n_shifts: int = _across(
        100,
        paper="none: no test",
        why="labels shifted alike in all participants, linear decoder fitted again",
    )
    n_cnn_shifts: int = _across(
        19,
        paper="none: no test",
        why="as n_shifts; each costs as much as the network's whole cross-validation",
    )
    n_flips: int = _ours(
        5000, why="sign flips of participants; all of them when they are not more than this"
    )
    significance: float = _ours(0.05)


GROUP_VARIANTS = {
    "robust": GroupSettings(),
    "faithful": GroupSettings(cnn=True, epochs=50, max_shift_voxels=0, n_cnn_shifts=0),
}
"""Defaults of both variants at the group level."""
