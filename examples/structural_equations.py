"""
Structural equations: two factors of wine
=========================================

Confirmatory factor analysis on halves: two factors behind seven measurements of wine. The model says
``Sigma = Lambda Phi Lambda^T + Psi``: loadings, correlations of the factors, and a variance of each
variable's own. Maximum likelihood minimises the discrepancy::

    F = log det Sigma + tr(S Sigma^-1) - log det S - p,

whose gradient is ``2 J^T V (sigma - s)`` with ``sigma = vech(Sigma)``, its Jacobian J, and the inverse V of
the covariance of vech(S) under normality.

You learn: elimination and symmetrizer matrices, the Kronecker square on halves, the covariance of vech(S),
and standard errors that hold without normality.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, sparse, stats

import vech
from vech import linalg

try:
    import matplotlib.pyplot as plt
    from sklearn.datasets import load_wine
except ImportError as error:
    raise SystemExit(f"{error}: pip install scikit-learn matplotlib") from None

# %%
# Seven measurements of 178 wines, and which factor each belongs to.

VARIABLES = {
    "total_phenols": 0,
    "flavanoids": 0,
    "proanthocyanins": 0,
    "od280/od315_of_diluted_wines": 0,
    "alcohol": 1,
    "color_intensity": 1,
    "proline": 1,
}


def wine():
    """178 wines, the seven variables, each with mean 0 and variance 1."""
    data = load_wine()
    X = data.data[:, [data.feature_names.index(name) for name in VARIABLES]]
    return (X - X.mean(axis=0)) / X.std(axis=0)


X = wine()

# %%
# The model: the covariance that parameters imply, as a half, and its derivatives.

UNIT = vech.Layout("lower", "columns", diagonal="one")  # halves of correlations


class Model:
    """Which factor each variable measures. Parameters: loadings, log own variances, correlations."""

    def __init__(self, factor):
        self.factor = np.asarray(factor)
        self.p, self.k = self.factor.size, self.factor.max() + 1
        self.half_average = linalg.elimination(self.p) @ linalg.symmetrizer(self.p)  # D^+

    def start(self):
        return np.concatenate(
            [np.full(self.p, 0.7), np.full(self.p, np.log(0.5)), np.zeros(UNIT.length(self.k))]
        )

    def parts(self, theta):
        loadings = np.zeros((self.p, self.k))
        loadings[np.arange(self.p), self.factor] = theta[: self.p]
        return loadings, np.exp(theta[self.p : 2 * self.p]), vech.Packed(theta[2 * self.p :], UNIT)

    def sigma(self, theta):
        """The covariance that the model implies."""
        loadings, own, factors = self.parts(theta)
        common = linalg.kronecker_square(loadings) @ vech.convert(factors.half, UNIT, "vech")
        sigma = vech.Packed(common)
        sigma.add_diagonal(own)
        return sigma

    def jacobian(self, theta):
        """The derivatives of vech(Sigma) by the parameters."""
        loadings, own, factors = self.parts(theta)
        each = np.arange(self.p)
        mixed = (factors @ loadings.T).T
        by_loading = 2 * self.half_average @ sparse.kron(mixed, sparse.eye_array(self.p))
        by_own = np.zeros((by_loading.shape[0], self.p))
        by_own[vech.as_layout("vech").position(each, each, self.p), each] = own
        row, column = UNIT.pair(np.arange(UNIT.length(self.k)), self.k)
        at = vech.as_layout("vech").position(row, column, self.k)
        by_correlation = linalg.kronecker_square(loadings)[:, at]
        return np.hstack([by_loading.toarray()[:, each + self.p * self.factor], by_own, by_correlation])


# %%
# Maximum likelihood, with standard errors under normality and without it.


class Fit(NamedTuple):
    """Estimates, their standard errors under normality and without it, and the test of the model."""

    theta: np.ndarray
    discrepancy: float
    errors: np.ndarray
    robust_errors: np.ndarray
    chi_square: float
    freedom: int
    p_value: float


def discrepancy(theta, model, S):
    """F and its gradient."""
    sigma = model.sigma(theta)
    factor = linalg.cholesky(sigma)
    value = factor.logdet() + linalg.inner(S, factor.inverse()) - linalg.slogdet(S).logabsdet - S.n
    weighted = linalg.cholesky(linalg.covariance_of_vech(sigma)).solve(sigma.half - S.half)
    return value, 2 * model.jacobian(theta).T @ weighted


def fit(X, factor):
    """Maximum likelihood of the model in which variable i measures factor[i]."""
    model, n_samples = Model(factor), len(X)
    centred = X - X.mean(axis=0)
    S = vech.Packed(np.zeros(vech.as_layout("vech").length(centred.shape[1])))
    S.add_outer(centred.T, 1 / n_samples)
    found = optimize.minimize(
        discrepancy, model.start(), (model, S), jac=True, method="BFGS", options={"gtol": 1e-8}
    )
    jacobian = model.jacobian(found.x)
    weight = linalg.cholesky(linalg.covariance_of_vech(model.sigma(found.x), n_samples))
    weighted = weight.solve(jacobian)
    covariance = np.linalg.inv(jacobian.T @ weighted)
    scatter = weighted.T @ (linalg.empirical_covariance_of_vech(X) @ weighted)
    freedom = S.half.size - found.x.size
    chi_square = n_samples * found.fun
    return Fit(
        found.x,
        found.fun,
        np.sqrt(np.diagonal(covariance)),
        np.sqrt(np.diagonal(covariance @ scatter @ covariance)),
        chi_square,
        freedom,
        stats.chi2.sf(chi_square, freedom),
    )


found = fit(X, list(VARIABLES.values()))
p = len(VARIABLES)
print("variable                      factor  loading   error  robust  own variance")
for i, (name, factor) in enumerate(VARIABLES.items()):
    numbers = found.theta[i], found.errors[i], found.robust_errors[i], np.exp(found.theta[p + i])
    print(f"{name:30}{factor:6}" + "{:9.3f}{:8.3f}{:8.3f}{:14.3f}".format(*numbers))
print(f"correlation of the factors: {found.theta[-1]:.3f} +- {found.errors[-1]:.3f}")
print(f"chi-square {found.chi_square:.1f}, {found.freedom} degrees of freedom, p = {found.p_value:.2g}")

# %%
# What the model does not explain: the correlations that were found less those that it implies.

S = vech.covariance.correlation(X).with_labels(list(VARIABLES))
implied = Model(list(VARIABLES.values())).sigma(found.theta).with_labels(list(VARIABLES))
vech.plot.error(S, implied, title="Found less implied")
plt.show()

# %%
# Next: examples/nearest_correlation.py, correlations with holes; docs/how-do-i/statistician.md
