"""The library: what scripts and notebooks call."""

from __future__ import annotations

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.surface import SurfaceImage
from scipy.spatial.distance import pdist
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

import musicotopy
from bidsapp.errors import InputInvalidError, InputMissingError

RNG = np.random.default_rng(3)
GROUPS = np.repeat(["waltz", "fugue", "rag", "raga"], 40)
X = RNG.normal(size=(160, 6))
Y = X @ RNG.normal(size=(6, 4)) + RNG.normal(size=(160, 4))


def test_encode_scores_are_those_of_a_plain_ridge_left_out_by_group() -> None:
    encoded = musicotopy.encode(X, Y, GROUPS, alphas=[3.0])
    assert encoded.groups == ("waltz", "fugue", "rag", "raga")  # order of appearance
    for number, name in enumerate(encoded.groups):
        test = name == GROUPS
        train_x, train_y = X[~test], Y[~test]
        scale = np.sqrt(np.var(train_x, axis=0).mean())
        centre = pd.DataFrame(np.hstack([train_x / scale, train_y])).groupby(GROUPS[~test])
        centred = (centre.obj - centre.transform("mean")).to_numpy()
        ridge = Ridge(alpha=3.0, fit_intercept=False).fit(centred[:, :6], centred[:, 6:])
        predicted = ridge.predict(X[test] / scale)
        expected = [np.corrcoef(predicted[:, i], Y[test, i])[0, 1] for i in range(4)]
        np.testing.assert_allclose(encoded.r_by_group[number], expected, atol=1e-8)
    np.testing.assert_allclose(encoded.r, encoded.r_by_group.mean(axis=0))
    assert (encoded.alpha == 3.0).all()


def test_encode_takes_frames_lists_and_one_target() -> None:
    one = musicotopy.encode(pd.DataFrame(X), list(Y[:, 0]), list(GROUPS))
    np.testing.assert_allclose(one.r, musicotopy.encode(X, Y, GROUPS).r[:1])


def test_encode_finds_nothing_in_noise_and_refuses_what_does_not_fit() -> None:
    assert abs(musicotopy.encode(X, RNG.normal(size=(160, 200)), GROUPS).r.mean()) < 0.03
    with pytest.raises(InputInvalidError, match="one label for each of 160 rows"):
        musicotopy.encode(X, Y, GROUPS[:-1])
    with pytest.raises(InputInvalidError, match="at least 3 groups"):
        musicotopy.encode(X, Y, GROUPS == "rag")


def test_banded_finds_what_each_space_adds() -> None:
    other = RNG.normal(size=(160, 3))
    y = np.stack([X[:, 0], other[:, 0], X[:, 1] + other[:, 1]], axis=1)
    y = y + 0.5 * RNG.normal(size=y.shape)
    found = musicotopy.banded({"layers": X, "acoustics": other}, y, GROUPS)
    assert set(found.r) == {("layers",), ("acoustics",), ("layers", "acoustics")}
    assert found.unique["layers"][0] > 0.5
    assert abs(found.unique["acoustics"][0]) < 0.1
    assert found.unique["acoustics"][1] > 0.5
    assert min(found.unique["layers"][2], found.unique["acoustics"][2]) > 0.1
    np.testing.assert_allclose(found.weights.sum(axis=2), 1)


@parametrize_with_checks([musicotopy.GroupedRidgeCV()])
def test_ridge_is_an_estimator(estimator, check) -> None:
    check(estimator)


def test_ridge_weights_are_those_of_scikit_learn() -> None:
    ours = musicotopy.GroupedRidgeCV(alphas=(5.0,)).fit(X, Y, GROUPS)
    theirs = Ridge(alpha=5.0).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-8)
    assert ours.score(X, Y) > 0.5


def test_spin_of_a_map_with_itself_and_with_noise() -> None:
    from bidsapp.resources import functional_gradient

    gradient = functional_gradient("fsaverage5", 1)
    noise = np.where(np.isfinite(gradient), RNG.normal(size=gradient.size), np.nan)
    r, p = musicotopy.spin(np.stack([gradient, noise]), gradient, n_rotations=99)
    assert r[0] == pytest.approx(1)
    assert p[0] == pytest.approx(0.01)
    assert p[1] > 0.05


def test_searchlights_find_planted_dissimilarities() -> None:
    coords = np.stack(np.meshgrid(*[np.arange(6.0)] * 3), axis=-1).reshape(-1, 3)
    items = RNG.normal(size=(12, 5))
    data = RNG.normal(size=(12, len(coords)))
    near = np.linalg.norm(coords, axis=1) < 3
    data[:, near] = items @ RNG.normal(size=(5, near.sum()))
    found = musicotopy.searchlight_rsa(
        data, pdist(items, "correlation"), coords=coords, n_voxels=10, dissimilarity="pearson"
    )
    assert found.rho.shape == (1, len(coords))
    assert (found.n_members == 10).all()
    corner, far = found.rho[0, 0], found.rho[0, np.linalg.norm(coords, axis=1) > 6]
    assert corner > far.max()
    with pytest.raises(InputInvalidError, match="216 columns"):
        musicotopy.searchlight_rsa(data, pdist(items), coords=coords[:5])


def test_maps_are_images_of_nilearn(tmp_path: Path) -> None:
    folder = tmp_path / "sub-01" / "func"
    folder.mkdir(parents=True)
    for side, value in (("L", 1.0), ("R", 2.0)):
        arrays = [
            nib.gifti.GiftiDataArray(np.full(10242, value + layer, np.float32)) for layer in (0, 1)
        ]
        name = f"sub-01_hemi-{side}_space-fsaverage_den-10k_stat-r_desc-gradientspositivelags"
        nib.save(nib.GiftiImage(darrays=arrays), folder / f"{name}_statmap.func.gii")
    image = musicotopy.load_maps(tmp_path, "gradientspositivelags", participant="01")
    assert isinstance(image, SurfaceImage)
    assert image.shape == (20484, 2)
    assert image.data.parts["right"][0, 1] == 3.0
    best = tmp_path / "sub-01" / "anat" / "sub-01_space-MNI_desc-gradientsbestvggish_dseg.nii.gz"
    best.parent.mkdir()
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), best)
    for how in ({"desc": "gradientsbestvggish"}, {"desc": "gradientsbest", "model": "vggish"}):
        assert musicotopy.load_maps(tmp_path, participant="01", **how).shape == (2, 2, 2)
    with pytest.raises(InputMissingError, match=r"descriptions\.tsv"):
        musicotopy.load_maps(tmp_path, "nothing", participant="01")


def test_the_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[2] / "docs" / "library.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, page.name, "exec"), {})
    printed = capsys.readouterr().out.split()
    assert float(printed[0]) > 0.4
