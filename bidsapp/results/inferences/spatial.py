"""Inferences about maps on the cortex."""

from __future__ import annotations

from bidsapp.results.inferences.base import Inference

ENTRIES = (
    Inference(
        key="spin",
        title="Spin test",
        draws="rotations of the reference map on the sphere",
        method="The correlation of two maps was compared with {n_draws} random rotations of the "
        "complete reference map on the sphere, uniform on SO(3), mirrored for the right "
        "hemisphere and the same for all maps; the layer map stayed in place, and vertices "
        "without data were left out of every rotation. p = (b + 1) / (m + 1), two-sided, "
        "family-wise by the largest size of the correlation over the layer maps of a network.",
        shows="A small p says that the two maps agree more than the reference would if it were "
        "placed at random on the cortex, so that smoothness alone does not explain it. A small p "
        "of the difference of positive and negative lags says the same of the difference.",
        does_not_show="The group's map is taken as given: it says nothing about other listeners, "
        "nor that one map causes the other. Negative lags are a control, not a null: music is "
        "autocorrelated, so some alignment is expected there.",
        cites=("alexanderbloch2018", "phipson2010"),
        calibrate="bidsapp.results.calibrations.spatial:spin",
    ),
    Inference(
        key="monte_carlo",
        title="Monte Carlo interval of p",
        draws="rotations of the reference map on the sphere",
        method="Monte Carlo intervals of p (Clopper-Pearson, 95 %) say what more rotations could "
        "change.",
        shows="The p-value that infinitely many rotations would give lies in the interval.",
        does_not_show="It says nothing about other participants or other maps.",
        cites=("phipson2010",),
        gives="interval",
        calibrate="bidsapp.results.calibrations.spatial:monte_carlo",
    ),
)
