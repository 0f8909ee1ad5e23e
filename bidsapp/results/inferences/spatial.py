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
        "placed at random on the cortex, so that smoothness alone does not explain it.",
        does_not_show="The group's map is taken as given: it says nothing about other listeners, "
        "nor that one map causes the other. Music after the response is a control, not a null: "
        "music is autocorrelated, so some alignment is expected there.",
        cites=("alexanderbloch2018", "phipson2010"),
    ),
    Inference(
        key="annotation_spin",
        title="Annotation profile",
        draws="rotations of the published maps on the sphere",
        method="Layer maps were compared with a set of published maps of the cortex, which were "
        "rotated {n_draws} times, the same rotations for all; family-wise by the largest size of "
        "the correlation over the published maps.",
        shows="A small p says that the layer map agrees with this published map more than it "
        "would with any of them placed at random on the cortex.",
        does_not_show="Published maps resemble each other: several may pass for one reason, and "
        "the largest correlation does not name the cause. Different layer maps are not corrected "
        "for one another.",
        cites=("alexanderbloch2018", "markello2022", "phipson2010"),
    ),
    Inference(
        key="second_null",
        title="Second null (neuromaps)",
        draws="surrogates of the parcellated reference map",
        method="As a second opinion, parcel means of layer maps were compared with {n_draws} "
        "surrogates of the reference drawn by a spatial null of neuromaps. p = (b + 1) / (m + 1), "
        "two-sided, family-wise by the largest size of the correlation over the layer maps of a "
        "network.",
        shows="A small p says that two parcellated maps agree more than maps of the same spatial "
        "autocorrelation do.",
        does_not_show="It is no independent replication: the same maps are tested again with "
        "other assumptions. On unrelated smooth maps (docs/calibration.md) hungarian and moran "
        "held the level of .05, vasa and burt2020 rejected 8 and 10 %.",
        cites=("markello2021", "markello2022", "phipson2010"),
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
    ),
)
