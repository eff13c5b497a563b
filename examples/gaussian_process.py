"""
Gaussian-process regression
===========================

The progress of diabetes from ten measurements. The kernel ``K = scale exp(-distance^2 / 2 length^2) + noise
I`` is a half from the distances to the prediction. Its three parameters maximise the log marginal
likelihood::

    log p(y) = -(y^T K^-1 y + log det K + n log 2 pi) / 2.

You learn: SciPy's condensed distances as a store, sums and products of stores, a Cholesky factor in half
the memory, its log determinant, solutions and inverse, and inner products of matrices.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize
from scipy.spatial.distance import cdist, pdist

import vech
from vech import linalg

try:
    import matplotlib.pyplot as plt
    from sklearn.datasets import load_diabetes
except ImportError as error:
    raise SystemExit(f"{error}: pip install scikit-learn matplotlib") from None

UNIT = vech.Layout("lower", "columns", diagonal="one")  # SciPy's condensed order, and ones on the diagonal

# %%
# 442 patients: half of them to learn from.


def diabetes():
    """442 patients: measurements and progress, each column with mean 0 and variance 1."""
    X, y = load_diabetes(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()


X, y = diabetes()
known = np.arange(len(y)) % 2 == 0

# %%
# The kernel of given parameters, and its derivatives: each is a store over the half of the distances.


def kernel(theta, squares):
    """K, and its derivatives by the logarithms of scale and length, as stores."""
    scale, length, noise = np.exp(theta)
    similarities = np.exp(-squares / (2 * length**2))
    by_scale = scale * vech.Packed(vech.convert(similarities, UNIT, "vech"))
    by_length = vech.Packed(scale * similarities * squares / length**2, "condensed")
    K = by_scale.copy()
    K.add_diagonal(noise)
    return K, by_scale, by_length


K, _, _ = kernel([0.0, np.log(3), np.log(0.5)], pdist(X[known], "sqeuclidean"))
K

# %%
# The likelihood and its gradient take one factor of K.


def log_likelihood(theta, squares, y):
    """The log marginal likelihood and its gradient."""
    K, by_scale, by_length = kernel(theta, squares)
    factor = linalg.cholesky(K)
    weights, inverse = factor.solve(y), factor.inverse()
    value = -(y @ weights + factor.logdet() + y.size * np.log(2 * np.pi)) / 2
    gradient = [weights @ (dK @ weights) - linalg.inner(inverse, dK) for dK in (by_scale, by_length)]
    noise = np.exp(theta[2])
    gradient.append(noise * (weights @ weights - inverse.diagonal().sum()))
    return value, np.array(gradient) / 2


class Process(NamedTuple):
    """A fitted process: parameters (logarithms of scale, length, noise), its data, and its factor."""

    theta: np.ndarray
    X: np.ndarray
    factor: linalg.Cholesky
    weights: np.ndarray
    log_likelihood: float


def fit(X, y):
    """The process of greatest likelihood."""
    squares = pdist(X, "sqeuclidean")

    def loss(theta):
        value, gradient = log_likelihood(theta, squares, y)
        return -value, -gradient

    found = optimize.minimize(loss, [0.0, np.log(3), np.log(0.5)], jac=True, method="L-BFGS-B")
    factor = linalg.cholesky(kernel(found.x, squares)[0])
    return Process(found.x, X, factor, factor.solve(y), -found.fun)


process = fit(X[known], y[known])
scale, length, noise = np.exp(process.theta)
print(f"scale {scale:.2f}, length {length:.2f}, noise {noise:.2f}: likelihood {process.log_likelihood:.1f}")
half, full = process.factor.nbytes, 8 * known.sum() ** 2
print(f"memory of the factor: {half / 2**10:.0f} KiB, of a full one {full / 2**10:.0f} KiB")

# %%
# The same factor predicts: means, and how far they may be off.


def predict(process, X):
    """Means and standard deviations of new observations."""
    scale, length, noise = np.exp(process.theta)
    cross = scale * np.exp(-cdist(process.X, X, "sqeuclidean") / (2 * length**2))
    explained = np.einsum("ij,ij->j", cross, process.factor.solve(cross))
    return cross.T @ process.weights, np.sqrt(scale + noise - explained)


mean, deviation = predict(process, X[~known])
print(f"explained of {mean.size} new patients: {1 - np.mean((y[~known] - mean) ** 2) / y[~known].var():.2f}")
print(f"within two deviations: {np.mean(np.abs(y[~known] - mean) < 2 * deviation):.0%}")

# %%
# New patients, in the order of what was predicted.

order = np.argsort(mean)
_, axes = plt.subplots(figsize=(8, 4))
at = np.arange(mean.size)
band = mean[order] - 2 * deviation[order], mean[order] + 2 * deviation[order]
axes.fill_between(at, *band, alpha=0.2, label="two deviations")
axes.plot(at, mean[order], label="predicted")
axes.plot(at, y[~known][order], ".", color="black", label="found")
axes.set(xlabel="new patients", ylabel="progress of diabetes, standardised")
axes.legend()
plt.show()

# %%
# Next: examples/kernel_ridge.py, a kernel chosen by leaving each row out; docs/linear-algebra.md
