"""Settings of `reconstruct` at both levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bidsapp.recipes.base.settings import setting

_PAPER = "Denk et al. 2025"
_METHODS = f"{_PAPER}, music embedding prediction from fMRI data"


@dataclass(frozen=True)
class ReconstructSettings:
    """What the recipe does; the defaults are those of the robust variant."""

    networks: tuple[str, ...] = setting(
        ("musicnn-mtt", "baseline"),
        paper="MuLan (music and text), w2v-BERT and SoundStream",
        source=_METHODS,
        why="MuLan is not public; acoustic descriptors stand beside a trained network",
    )
    embedding_layer: str = setting(
        "",
        paper="the embedding of the music tower",
        source=_METHODS,
        why="empty: the layer before the tags, or the last one; --network CLAP has an embedding",
    )
    hop_s: float = setting(
        0.5, paper="1.5 s", source=_METHODS, why="frames are averaged within each window"
    )
    embedding_window_s: float = setting(10.0, paper="10 s", source=_METHODS, above=0)
    step_s: float = setting(1.5, paper="1.5 s", source=_METHODS, above=0)
    clip_s: float = setting(
        15.0, paper="clips of 15 s", source=_METHODS, why="longer sounds are cut into such clips"
    )
    shift_s: float = setting(
        5.0,
        paper="0 s: scans of the same seconds",
        source=_METHODS,
        why="the response to a sound peaks about 5 s later",
    )
    drop_first_s: float = setting(
        0.0,
        paper="the first 15 s of each run are left out",
        source=_PAPER,
        why="the adapter of ds003720 already leaves out the first event of each run",
    )
    test_task: str = setting(
        "",
        paper="60 clips of the test runs",
        source=_METHODS,
        why="empty: cross-validation, so that every clip is held out once",
    )
    n_folds: int = setting(
        6,
        paper="one split",
        source=_METHODS,
        why="five folds are left to choose penalties",
        least=3,
    )
    fold_order: Literal["time", "genre"] = setting(
        "time",
        paper="not stated",
        source="-",
        why="clips heard one after the other are held out together, for their responses and slow "
        "noise overlap; genre: dealt by genre and name",
    )
    fold_gap_s: float = setting(
        30.0,
        paper="not stated",
        source="-",
        why="clips that begin or end closer to a held-out clip are not trained on, for slow noise "
        "is alike in them; they are where too few would be left, which the page says",
    )
    n_parcels: int = setting(
        150,
        paper="150 regions of the Destrieux atlas",
        source=_METHODS,
        why="without --atlas: compact parcels of the template",
        least=1,
    )
    min_units: int = setting(
        10, paper="not stated", source="-", why="smaller regions are not decoded from", least=1
    )
    n_best: int = setting(6, paper="6 regions", source=_METHODS, least=1)
    whole_brain: bool = setting(
        True, paper="regions only", source=_METHODS, why="shows what the choice of regions adds"
    )
    log10_alpha: tuple[float, ...] = setting(
        (0.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0),
        paper="chosen in five folds, grid not stated",
        source=f"{_PAPER}, hyperparameter tuning",
        why="spans no to complete shrinkage when the mean variance of responses is 1",
    )
    alpha_metric: Literal["correlation", "mse"] = setting(
        "mse",
        paper="not stated",
        source="-",
        why="dimensions that cannot be predicted shrink to 0",
    )
    standardise: bool = setting(
        True,
        paper="embeddings as they are",
        source=f"{_PAPER}, identification accuracy metric",
        why="else dimensions of large variance, and what all music shares, decide",
    )
    n_exchanges: int = setting(
        1000, paper="no test", source=_PAPER, why="exchanges of held-out clips; 0 for no test"
    )
    curve_shifts_s: tuple[float, ...] = setting(
        (0.0, 2.5, 5.0, 7.5, 10.0),
        paper="0 s only",
        source=_METHODS,
        why="accuracy against the delay of the response window",
    )
    curve_lengths_s: tuple[float, ...] = setting(
        (2.0, 5.0, 10.0, 15.0),
        paper="10 s only",
        source=_METHODS,
        why="accuracy against the length of the response window",
        above=0,
    )
    genre_ablation: bool = setting(
        True,
        paper="one genre left out of training",
        source=f"{_PAPER}, generalisation beyond the genres of the training data",
        why="left out of the choice of penalties, too",
    )
    encoding: bool = setting(
        True,
        paper="voxelwise models of each embedding",
        source=f"{_PAPER}, encoding (section 4.2)",
        why="with several networks also of all embeddings together, and what each adds",
    )
    band_steps: int = setting(
        4,
        paper="banded ridge, draws not stated",
        source=f"{_PAPER}, variance partitioning analysis",
        why="steps of the grid of weights of the embeddings",
        least=1,
    )
    n_weights: int = setting(
        600,
        paper="600 voxels",
        source=f"{_PAPER}, principal component analysis on the weight matrix",
        why="of the first network's embedding",
        least=1,
    )
    corpus: str = setting(
        "",
        paper="the Free Music Archive, 106,574 tracks",
        source=f"{_PAPER}, music retrieval and music reconstruction",
        why="folder of an index made by musicotopy-tools index; empty for no retrieval",
    )
    n_retrieved: int = setting(
        3, paper="the nearest track", source=_METHODS, why="the next ones are listed", least=1
    )
    corpus_sounds: str = setting(
        "",
        paper="examples on a web page",
        source=f"{_PAPER}, supplementary material",
        why="folder of the sounds that the index was made of, to hear what is retrieved",
    )
    generator: str = setting(
        "",
        paper="MusicLM from MuLan embeddings",
        source=f"{_PAPER}, music retrieval and music reconstruction",
        why="folder of an AudioLDM or MusicLDM pipeline, whose CLAP must be the network's; empty: "
        "no generation",
    )
    generator_steps: int = setting(
        200, paper="not applicable", source="-", why="denoising steps of the diffusion", least=1
    )
    n_generated: int = setting(
        1, paper="one or several samples", source=_METHODS, why="of each clip heard", least=1
    )
    generated_s: float = setting(10.0, paper="not stated", source="-", above=0)
    n_players: int = setting(
        8,
        paper="one example per genre",
        source=f"{_PAPER}, supplementary material",
        why="clips that can be heard in the report, the first of each genre; 0 copies no sound",
    )
    n_listening: int = setting(
        2,
        paper="examples on a web page",
        source=f"{_PAPER}, supplementary material",
        why="clips of each genre in the listening test, where music is retrieved or generated",
        least=1,
    )
    significance: float = setting(0.05, paper="none", source=_PAPER)


VARIANTS = {
    "robust": ReconstructSettings(),
    "faithful": ReconstructSettings(
        networks=("musicnn-mtt",),
        shift_s=0.0,
        test_task="Test",
        fold_order="genre",
        fold_gap_s=0.0,
        whole_brain=False,
        standardise=False,
        curve_shifts_s=(),
        curve_lengths_s=(),
    ),
}
"""Defaults of both variants."""


@dataclass(frozen=True)
class ReconstructGroupSettings:
    """What the group level does; the defaults are those of the robust variant."""

    significance: float = setting(
        0.05, paper="no test over participants", source=_PAPER, why="family-wise for regions"
    )
    across: bool = setting(
        True,
        paper="voxels of the standard space, or aligned by responses to the training clips",
        source=f"{_PAPER}, generalisation across participants",
        why="decoders learnt from the other participants; false spares reading BOLD again",
    )
    n_components: int = setting(
        50,
        paper="not stated",
        source="-",
        why="of a region, the same for all decoders across participants; rotations of more "
        "dimensions than clips are not determined",
        least=1,
    )
    answers: str = setting(
        "",
        paper="no listening test",
        source="-",
        why="folder with keys of listening tests (_key.tsv), beside each the answers that "
        "listeners saved",
    )


GROUP_VARIANTS = {"robust": ReconstructGroupSettings(), "faithful": ReconstructGroupSettings()}
"""Defaults of both variants of the group level."""

REMARKS = (
    {
        "option": "ties in identification",
        "paper": "lost: a tie counts as not identified",
        "used": "half, after rounding to ten decimals",
        "variant": "both",
        "source": f"{_PAPER}, identification accuracy metric",
        "why": "constant predictions are then at chance, .5, and not at 0",
    },
    {
        "option": "embedding of a clip",
        "paper": "one for each window of 10 s",
        "used": "predicted for each window, then averaged over the clip",
        "variant": "both",
        "source": _METHODS,
        "why": "clips are the unit of inference; windows of a clip overlap",
    },
)
"""What no setting says."""
