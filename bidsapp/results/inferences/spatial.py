"""Inferences about maps on the cortex."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES = (
    Inference(
        key="spin",
        title="Spin test",
        draws="rotations of the reference map on the sphere",
        method="The rank correlation of two maps was compared with {n_draws} rotations of the "
        "complete reference map on the sphere, the same for all maps; p = (b + 1) / (m + 1), "
        "two-sided, family-wise by the maximum of |rho| over maps.",
        shows="A small p says that the two maps agree more than a map of the same smoothness "
        "placed at random would.",
        does_not_show="It does not say that one causes the other, nor that participants respond "
        "independently: what all share enters the map.",
        cites=("alexanderbloch2018",),
        calibrate="bidsapp.results.calibrations.spatial:spin",
    ),
)
