from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bidsapp.stats.spins.rotations import haar_rotations, mirrored

N = 4000


def angles(rotations):
    trace = np.trace(rotations, axis1=1, axis2=2)
    return np.arccos(np.clip((trace - 1) / 2, -1, 1))


def haar_angle_cdf(angle):
    """Rotation angles under Haar measure have density (1 - cos a) / pi."""
    return (angle - np.sin(angle)) / np.pi


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40))
def test_every_draw_is_a_proper_rotation(seed, start):
    rotation = haar_rotations(seed, start, start + 1)[0]
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


@given(st.integers(0, 200), st.integers(0, 50), st.integers(0, 50))
def test_a_draw_depends_on_seed_and_number_only(start, first, second):
    whole = haar_rotations(7, start, start + first + second)
    parts = [
        haar_rotations(7, start, start + first),
        haar_rotations(7, start + first, start + first + second),
    ]
    assert np.array_equal(whole, np.concatenate(parts))


def test_the_sequence_is_pinned_for_all_numpy_versions():
    # Independent restatement: Philox 4x64 raw words -> quaternion, by scipy.
    from scipy.spatial.transform import Rotation

    for index in range(5):
        words = np.random.Philox(key=np.array([3, index], np.uint64)).random_raw(3)
        u = [int(word >> np.uint64(11)) / 2**53 for word in words]
        near, far = np.sqrt(1 - u[0]), np.sqrt(u[0])
        a, b = 2 * np.pi * u[1], 2 * np.pi * u[2]
        quaternion = [near * np.sin(a), near * np.cos(a), far * np.sin(b), far * np.cos(b)]
        assert np.allclose(
            haar_rotations(3, index, index + 1)[0], Rotation.from_quat(quaternion).as_matrix()
        )


def test_seeds_and_numbers_give_different_rotations():
    drawn = np.concatenate([haar_rotations(seed, 0, 50) for seed in range(4)]).reshape(200, 9)
    assert len(np.unique(drawn.round(9), axis=0)) == 200


def test_angles_follow_haar_measure():
    drawn = angles(haar_rotations(0, 0, N))
    assert stats.kstest(drawn, haar_angle_cdf).pvalue > 0.01
    assert np.degrees(drawn.mean()) == pytest.approx(126.5, abs=1.5)


def test_the_angle_test_catches_a_known_wrong_generator():
    rng = np.random.default_rng(0)
    wrong = rng.uniform(0, np.pi, N)  # uniform axis and uniform angle
    assert stats.kstest(wrong, haar_angle_cdf).pvalue < 1e-6


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_image_of_each_axis_is_uniform_on_the_sphere(axis):
    image = haar_rotations(1, 0, N)[:, :, axis]
    for coordinate in image.T:
        assert stats.kstest(coordinate, stats.uniform(-1, 2).cdf).pvalue > 0.005
    longitude = np.arctan2(image[:, 1], image[:, 0])
    assert stats.kstest(longitude, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.005


def test_consecutive_rotations_are_unrelated():
    drawn = haar_rotations(2, 0, N)
    step = np.swapaxes(drawn[:-1], 1, 2) @ drawn[1:]
    assert stats.kstest(angles(step), haar_angle_cdf).pvalue > 0.01


def test_mirrored_moves_mirror_images_alike():
    rotations = haar_rotations(0, 0, 20)
    mirror = np.array([-1.0, 1.0, 1.0])
    point = np.array([0.3, -0.5, 0.8])
    left = rotations @ point
    right = mirrored(rotations) @ (mirror * point)
    assert np.allclose(left * mirror, right)
    assert np.allclose(np.linalg.det(mirrored(rotations)), 1)


@pytest.mark.parametrize(("seed", "start", "stop"), [(-1, 0, 1), (0, -1, 1), (0, 3, 2)])
def test_negative_seed_or_range_is_refused(seed, start, stop):
    with pytest.raises(ValueError, match="non-negative"):
        haar_rotations(seed, start, stop)
