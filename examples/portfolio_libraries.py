"""
Halves inside portfolio libraries
=================================

Covariances of twenty stocks, in skfolio and in PyPortfolioOpt: the same portfolio of least variance in
both, from estimators of vech. skfolio ships the prices.

You learn: vech's estimators where skfolio wants one, risk matrices for PyPortfolioOpt, and a correlation
drawn in the order of its clusters.
"""

import numpy as np

import vech

try:
    import matplotlib.pyplot as plt
    from pypfopt import EfficientFrontier
    from skfolio.datasets import load_sp500_dataset
    from skfolio.optimization import MeanRisk
    from skfolio.preprocessing import prices_to_returns
    from skfolio.prior import EmpiricalPrior
except ImportError as error:
    raise SystemExit(f"{error}: pip install skfolio pyportfolioopt matplotlib") from None

from vech.adapters.pypfopt import risk_matrix
from vech.adapters.skfolio import GerberCovariance, LedoitWolf, NonlinearShrinkage, SampleCovariance

# %%
# Returns of five years: the last one to judge by.

returns = prices_to_returns(load_sp500_dataset())["2018":].dropna()
past, future = returns[:-252], returns[-252:]
print(f"{past.shape[1]} stocks, {len(past)} days to learn from and {len(future)} to judge")

# %%
# The same portfolio by either library.


def in_skfolio(returns, estimator):
    """Weights of the portfolio of least variance."""
    model = MeanRisk(prior_estimator=EmpiricalPrior(covariance_estimator=estimator))
    return model.fit(returns).weights_


def in_pypfopt(returns, method, options):
    """The same portfolio."""
    S = risk_matrix(returns, method, returns_data=True, frequency=1, **options)
    return np.array(list(EfficientFrontier(None, S).min_volatility().values()))


models = {
    "sample": (SampleCovariance(), "sample_cov", {}),
    "Ledoit-Wolf": (LedoitWolf(), "ledoit_wolf", {}),
    "nonlinear": (NonlinearShrinkage(), "nonlinear", {}),
    "Gerber": (GerberCovariance(0.7), "gerber", {"threshold": 0.7}),
}
weights = {}
print("covariance     least-variance portfolio, volatility of the next year in %")
print(f"{'':14s} skfolio  PyPortfolioOpt  largest difference of a weight")
for name, (estimator, method, options) in models.items():
    first, second = in_skfolio(past, estimator), in_pypfopt(past, method, options)
    risks = [100 * np.sqrt(252) * np.std(future.to_numpy() @ chosen) for chosen in (first, second)]
    print(f"{name:14s} {risks[0]:7.2f} {risks[1]:15.2f} {np.abs(first - second).max():31.4f}")
    weights[name] = first

# %%
# Stocks that move together, and what is held of each.

_, (left, right) = plt.subplots(1, 2, figsize=(12, 5))
vech.plot.heatmap(vech.covariance.correlation(past), order="cluster", title="Correlations", ax=left)
places = np.arange(past.shape[1])
for k, (name, held) in enumerate(weights.items()):
    right.barh(places + 0.2 * k, 100 * held, 0.2, label=name)
right.set_yticks(places + 0.3, past.columns)
right.set(xlabel="held, per cent", title="Portfolios of least variance")
right.legend()
plt.show()

# %%
# Next: examples/nearest_correlation.py, when prices have holes; docs/how-do-i/quant.md
