"""A BIDS dataset with fMRIPrep derivatives, composed music, ratings and a planted truth.

What is planted, and how big it is:

- Music: by default five pieces of 70 s, the first one played twice: 7 minutes of music per
  participant at a TR of 1 s, in two runs. Layers of one network say nearly the same; minutes of
  music and SNR bound what any method can tell apart (`bidsapp.simulate.oracle` measures it).
- Signal: within 55 mm of Heschl's gyri each unit follows one layer, the deeper the farther the
  tissue stands along the functional gradient from sensory to transmodal cortex. Courses are
  haemodynamic responses to directions of the layer's 50 leading components that distant layers
  predict badly. The other half of the brain is null: no signal at all.
- Noise: AR(1) with coefficients of .4 to .6, partly smooth over the brain; head motion and its
  derivatives, physiology, and drifts slower than 1/128 Hz.
- Participants differ in gain, motion and the place of the gradient.
- Ratings: felt emotionality follows a superficial layer, enjoyment a middle one, both 5 s late,
  with noise of each listener.

What the oracle recovers (correlation of centroid and planted layer over planted units, mean of
three participants, 6 mm volume):

=====================  ====  ====  ====  ====  ====
signal-to-noise ratio   0.4   0.6   0.8   1.0   1.2
=====================  ====  ====  ====  ====  ====
3 pieces, 4.7 min       .29   .48   .61   .69   .77
5 pieces, 7.0 min       .50   .74   .84   .89   .90
=====================  ====  ====  ====  ====  ====

The default is the last cell. Its scores (mean r of the planted layer .4) are those of the best
voxels of real auditory cortex, everywhere in the planted tissue: minutes are scarcer in a demo
than in a study.
"""

from __future__ import annotations

from pathlib import Path

from bidsapp.progress import track
from bidsapp.simulate import files, planted
from bidsapp.simulate.features import FeatureSource, vggish_features
from bidsapp.simulate.music import compose, write_piece
from bidsapp.simulate.participant import FMRIPREP, write_participant
from bidsapp.simulate.spaces import Space, fsaverage5_space, mni_space
from bidsapp.simulate.tree import BIDS_VERSION, GENERATOR, write_catalogue, write_root
from bidsapp.simulate.world import SimulationOptions, build_world, schedule

__all__ = ["SimulationOptions", "simulate"]


def simulate(
    out_dir: Path,
    options: SimulationOptions,
    *,
    features: FeatureSource | None = None,
    cache_dir: Path | None = None,
    quiet: bool = False,
) -> Path:
    """Write a simulated dataset.

    Parameters
    ----------
    out_dir
        Root of the new dataset.
    options
        What to simulate.
    features
        Where layer components come from; VGGish with random weights by default.
    cache_dir
        Folder in which VGGish features are kept for later runs of the app.
    quiet
        Show no progress.

    Returns
    -------
    Path
        Folder of the truth.

    Raises
    ------
    UsageError
        The options ask for nothing.
    """
    options.check()
    numbers = range(options.n_pieces)
    composed = (compose(number, options.piece_s, options.seed) for number in numbers)
    pieces = sorted(composed, key=lambda piece: piece.name)
    sounds = [write_piece(piece, out_dir / "stimuli") for piece in pieces]
    stimuli = [(path.name, path) for path in sounds]
    if features is None:
        layers = vggish_features(stimuli, hop_s=options.hop_s, cache_dir=cache_dir, quiet=quiet)
    else:
        layers = features(stimuli)
    world = build_world(options, layers, schedule(options))
    write_root(out_dir, world)
    write_catalogue(out_dir / "stimuli", pieces)
    _describe_derivatives(out_dir / FMRIPREP)
    planted.write_world(out_dir / planted.TRUTH, world)
    spaces = [_space(name, options.voxel_mm) for name in options.spaces]
    people = range(1, options.n_participants + 1)
    for number in track(people, total=len(people), label="Participants", quiet=quiet):
        write_participant(out_dir, world, spaces, number)
    return out_dir / planted.TRUTH


def _space(name: str, voxel_mm: int) -> Space:
    return fsaverage5_space() if name == "fsaverage5" else mni_space(voxel_mm, name)


def _describe_derivatives(folder: Path) -> None:
    files.write_json(
        folder / "dataset_description.json",
        {
            "Name": "Simulated BOLD in the shape of fMRIPrep 22 output",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [GENERATOR],
            "DatasetLinks": {"raw": "../.."},
        },
    )
