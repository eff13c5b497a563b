"""
A correlation matrix that is none, repaired
===========================================

Monthly returns of French's industry portfolios with holes, as histories of different lengths leave them.
Correlations of the months that each pair has in common are no correlation matrix together: some eigenvalues
are negative, so some portfolio would have a negative variance, and a Cholesky factor does not exist. The
nearest correlation matrix is found by Newton's method (H. Qi, D. Sun, SIAM J. Matrix Anal. Appl. 28(2),
2006).

You learn: correlations of incomplete data, their smallest eigenvalues, the nearest correlation matrix, what
it changes, and correlated draws from its factor.
"""

import numpy as np

import vech
from vech import linalg

try:
    import matplotlib.pyplot as plt
    from linearmodels.datasets import french
except ImportError as error:
    raise SystemExit(f"{error}: pip install linearmodels matplotlib") from None

# %%
# Two years of twelve industries; every industry lacks its own months.


def incomplete(months=24, lost=0.4, seed=1):
    """The last monthly returns of twelve industries, of which some are lost at random."""
    returns = french.load().loc[:, "NoDur":"Other"].tail(months).copy()
    holes = np.random.default_rng(seed).random(returns.shape) < lost
    return returns.mask(holes)


returns = incomplete()
print(f"{returns.shape[1]} industries, {len(returns)} months, {returns.isna().to_numpy().mean():.0%} missing")

# %%
# Each pair by the months that it has in common.

broken = vech.covariance.correlation(returns, missing="pairwise")
values = linalg.eigh(broken)[0]
print(f"eigenvalues from {values[0]:.3f} to {values[-1]:.3f}, {np.sum(values < 0)} of them negative")
broken

# %%
# A factor does not exist, and the error says so.

try:
    linalg.cholesky(broken)
except np.linalg.LinAlgError as error:
    print(error)

# %%
# The nearest correlation matrix in the Frobenius norm, of those whose eigenvalues are no less than a floor.

found = linalg.nearest_correlation(broken, floor=1e-5)
repaired = found.matrix
values = linalg.eigh(repaired)[0]
print(f"eigenvalues from {values[0]:.1e} to {values[-1]:.3f}")
print(f"changed by {found.distance:.3f} of {linalg.norm(broken):.3f}, in {found.iterations} steps")

# %%
# Its factor makes correlated draws.

L = linalg.cholesky(repaired).L
draws = L @ np.random.default_rng(0).normal(size=(repaired.n, 100_000))
drawn = vech.covariance.correlation(draws.T)
print(f"correlations of 100 000 draws differ by at most {np.abs((drawn - repaired).half).max():.3f}")

# %%
# What was repaired, and where.

vech.plot.error(broken, repaired, title="Broken less repaired")
plt.show()

# %%
# Next: examples/structural_equations.py, a model of correlations; docs/linear-algebra.md
