"""Kernel ridge regression on halves: the progress of diabetes from ten measurements.

The weights are ``w = (K + alpha I)^-1 y``, and the residuals of leaving each patient out need no second
factor: ``w_i / [(K + alpha I)^-1]_ii``. Width and penalty are those for which these are least.

Run: ``python examples/kernel_ridge.py``.
"""

from typing import NamedTuple

import numpy as np

import vech
from vech import linalg, pairwise

GAMMAS = 10.0 ** np.arange(-3, 0.5, 0.5)
ALPHAS = 10.0 ** np.arange(-2, 2.5, 0.5)


class Ridge(NamedTuple):
    """A fitted regression: its data, its parameters, its weights, and the errors of leaving each row out."""

    X: np.ndarray
    gamma: float
    alpha: float
    weights: np.ndarray
    left_out: np.ndarray


def fit(X, y, gamma, alpha):
    """The regression of y on X by one factor of a half."""
    K = pairwise.kernel(X, "rbf", gamma=gamma).add_diagonal(alpha)
    factor = linalg.cholesky(K)
    weights = factor.solve(y)
    return Ridge(X, gamma, alpha, weights, weights / factor.inverse().diagonal())


def best(X, y):
    """The width and penalty of least error where each row is left out."""
    fitted = (fit(X, y, gamma, alpha) for gamma in GAMMAS for alpha in ALPHAS)
    return min(fitted, key=lambda ridge: np.square(ridge.left_out).mean())


def predict(ridge, X):
    """What the regression says of new rows."""
    from sklearn.metrics.pairwise import rbf_kernel

    return rbf_kernel(X, ridge.X, ridge.gamma) @ ridge.weights


def diabetes():
    """442 patients: measurements and progress, each column with mean 0 and variance 1."""
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return X * np.sqrt(len(X)), (y - y.mean()) / y.std()


def main():
    X, y = diabetes()
    ridge = best(X[:300], y[:300])
    residual = y[300:] - predict(ridge, X[300:])
    print(f"vech {vech.__version__}: gamma {ridge.gamma:.3g}, alpha {ridge.alpha:.3g}")
    print(f"explained where each row is left out: {1 - np.square(ridge.left_out).mean():.3f}")
    print(f"explained of 142 other patients:      {1 - np.square(residual).mean():.3f}")


if __name__ == "__main__":
    main()
