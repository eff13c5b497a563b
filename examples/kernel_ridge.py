"""
Kernel ridge regression
=======================

The progress of diabetes from ten measurements. The weights are ``w = (K + alpha I)^-1 y``, and the
residuals of leaving each patient out need no second factor: ``w_i / [(K + alpha I)^-1]_ii``. Width and
penalty are those for which these are least.

You learn: a kernel as a half, a number added to its diagonal in place, its factor, and the diagonal of its
inverse.
"""

from typing import NamedTuple

import numpy as np

import vech
from vech import linalg, pairwise

try:
    import matplotlib.pyplot as plt
    from sklearn.datasets import load_diabetes
    from sklearn.metrics.pairwise import rbf_kernel
except ImportError as error:
    raise SystemExit(f"{error}: pip install scikit-learn matplotlib") from None

# %%
# 300 patients to learn from, 142 to judge by.


def diabetes():
    """442 patients: measurements and progress, each column with mean 0 and variance 1."""
    X, y = load_diabetes(return_X_y=True)
    return X * np.sqrt(len(X)), (y - y.mean()) / y.std()


X, y = diabetes()

# %%
# One factor of half a kernel for each width and penalty.


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


GAMMAS = 10.0 ** np.arange(-3, 0.5, 0.5)
ALPHAS = 10.0 ** np.arange(-2, 2.5, 0.5)

fitted = [[fit(X[:300], y[:300], gamma, alpha) for alpha in ALPHAS] for gamma in GAMMAS]
errors = np.array([[np.square(ridge.left_out).mean() for ridge in row] for row in fitted])
row, column = np.unravel_index(errors.argmin(), errors.shape)
ridge = fitted[row][column]
print(f"gamma {ridge.gamma:.3g}, alpha {ridge.alpha:.3g}")
print(f"explained where each row is left out: {1 - errors.min():.3f}")

# %%
# Other patients are predicted as well as those that were left out.


def predict(ridge, X):
    """What the regression says of new rows."""
    return rbf_kernel(X, ridge.X, ridge.gamma) @ ridge.weights


residual = y[300:] - predict(ridge, X[300:])
print(f"explained of 142 other patients:      {1 - np.square(residual).mean():.3f}")

# %%
# The kernel of that width, patients with like measurements side by side; and where the least error is.

_, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
vech.plot.heatmap(
    pairwise.kernel(X[:300], "rbf", gamma=ridge.gamma),
    order="cluster",
    content="similarity",
    title="K",
    ax=left,
)
shown = right.contourf(ALPHAS, GAMMAS, 1 - errors, levels=12)
right.plot(ridge.alpha, ridge.gamma, "r*", markersize=12)
right.set(xscale="log", yscale="log", xlabel="alpha", ylabel="gamma", title="explained, each row left out")
plt.colorbar(shown, ax=right)
plt.show()

# %%
# Next: examples/gaussian_process.py, how far a prediction may be off; docs/pairwise.md
