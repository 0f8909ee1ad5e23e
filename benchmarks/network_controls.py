"""What is recovered of planted layers with trained, permuted and random weights.

    musicotopy-tools fetch musicnn --weights-dir weights
    musicotopy-tools simulate DATA --pieces 4 --piece-s 85 --spaces fsaverage5 --seed 0 \
        -w WORK --network musicnn-mtt --weights pretrained --weights-dir weights
    python benchmarks/network_controls.py DATA WORK weights

The layers of a trained network are planted; the plain pipeline of `bidsapp.simulate.oracle`, which
knows the design, then explains 600 planted units of each participant by the layers of the same
network with each kind of weights. Printed: correlation of centroid and planted layer, and mean r
of the planted layer.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bidsapp.simulate.features import layer_features
from bidsapp.simulate.oracle import oracle_scores
from bidsapp.simulate.planted import Truth, read_map, read_truth
from bidsapp.simulate.recovery import recovery
from bidsapp.simulate.signals import LayerFeatures

SPACE, N_UNITS = "fsaverage5", 600


@dataclass(frozen=True)
class Replaced(Truth):
    """A truth whose features are those of other weights."""

    other: LayerFeatures | None = None

    @property
    def features(self) -> LayerFeatures:  # type: ignore[override]
        """The other features."""
        assert self.other is not None
        return self.other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("work_dir", type=Path)
    parser.add_argument("weights_dir", type=Path)
    options = parser.parse_args()
    truth = read_truth(options.data_dir)
    stimuli = [(name, options.data_dir / "stimuli" / name) for name in truth.facts["pieces"]]
    for weights in ("pretrained", "permuted", "random"):
        features = layer_features(
            stimuli,
            str(truth.options["network"]),
            weights,
            weights_dir=options.weights_dir,
            cache_dir=options.work_dir / "features",
            quiet=True,
        )
        replaced = Replaced(truth.folder, truth.facts, features)
        for (subject, space), path in truth.maps().items():
            if space != SPACE:
                continue
            planted = read_map(path)
            units = np.flatnonzero(planted.layer > 0)
            units = units[:: max(1, len(units) // N_UNITS)]
            scores = oracle_scores(options.data_dir, replaced, subject, space, units)
            found = recovery(scores, planted.layer[units])
            print(
                f"{weights} sub-{subject}: centroid r {found['centroid_r']:.3f}, planted layer "
                f"r {found['planted_layer_r']:.3f}"
            )


if __name__ == "__main__":
    main()
