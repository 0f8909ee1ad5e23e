"""The solver of the app as a regressor of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from bidsapp.models.ridge import AlphaMetric, factorise, ridge_weights, score_fold
from bidsapp.stats.folds import Fold
from musicotopy.inputs import ALPHAS, blocks, matrix

Array = npt.NDArray[np.float64]


class GroupedRidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression with one penalty per target, chosen by leaving out groups of rows.

    A scikit-learn regressor on the solver of the app.

    Parameters
    ----------
    alphas
        Penalties, increasing.
    alpha_metric
        ``correlation`` or ``mse``.
    n_groups
        Number of contiguous groups of rows where `fit` is given none.

    Attributes
    ----------
    coef_ : array of shape (n_targets, n_features) or (n_features,)
    intercept_ : array of shape (n_targets,) or float
    alpha_ : array of shape (n_targets,) or float
        Chosen penalties.
    """

    def __init__(
        self,
        alphas: Sequence[float] = ALPHAS,
        alpha_metric: AlphaMetric = "mse",
        n_groups: int = 5,
    ) -> None:
        self.alphas = alphas
        self.alpha_metric = alpha_metric
        self.n_groups = n_groups

    def fit(self, X: Any, y: Any, groups: Any = None) -> GroupedRidgeCV:
        """Choose penalties and fit weights on all rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows, n_targets) or (n_rows,)
        groups : array-like of shape (n_rows,), optional
            Held out together when a penalty is chosen.
        """
        x, y = validate_data(
            self, X, y, multi_output=True, y_numeric=True, dtype=np.float64, ensure_min_samples=2
        )
        targets = matrix(y, "y")
        if groups is None:
            n_groups = min(self.n_groups, len(x))
            groups = np.arange(len(x)) * n_groups // len(x)
        labels, names = blocks(groups, len(x))
        fold = Fold((), tuple((block,) for block in range(len(names))))
        factors = factorise(x, labels, fold, list(self.alphas), centre="train")
        scores = score_fold(factors, x, targets, alpha_metric=self.alpha_metric)
        # a constant target has no score; its prediction is its mean whatever the penalty
        chosen = np.where(scores.alpha_index >= 0, scores.alpha_index, 0)
        weights = ridge_weights(factors, x, targets, chosen)
        intercept = targets.mean(axis=0) - x.mean(axis=0) @ weights
        alpha = np.asarray(self.alphas, np.float64)[chosen]
        single = np.ndim(y) == 1
        self.coef_ = weights[:, 0] if single else weights.T
        self.intercept_ = float(intercept[0]) if single else intercept
        self.alpha_ = float(alpha[0]) if single else alpha
        return self

    def predict(self, X: Any) -> Array:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)

        Returns
        -------
        array of shape (n_rows, n_targets) or (n_rows,)
        """
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64)
        return np.asarray(x @ self.coef_.T + self.intercept_)
