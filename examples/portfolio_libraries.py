"""Halves inside portfolio libraries: covariances of twenty stocks, in skfolio and in PyPortfolioOpt.

Run: ``python examples/portfolio_libraries.py``; it needs skfolio, which ships the prices, and PyPortfolioOpt.
"""

import numpy as np
from pypfopt import EfficientFrontier
from skfolio.datasets import load_sp500_dataset
from skfolio.optimization import MeanRisk
from skfolio.preprocessing import prices_to_returns
from skfolio.prior import EmpiricalPrior

from vech.adapters.pypfopt import risk_matrix
from vech.adapters.skfolio import GerberCovariance, LedoitWolf, NonlinearShrinkage, SampleCovariance


def in_skfolio(returns, estimator):
    """Weights of the portfolio of least variance."""
    model = MeanRisk(prior_estimator=EmpiricalPrior(covariance_estimator=estimator))
    return model.fit(returns).weights_


def in_pypfopt(returns, method, options):
    """The same portfolio."""
    S = risk_matrix(returns, method, returns_data=True, frequency=1, **options)
    return np.array(list(EfficientFrontier(None, S).min_volatility().values()))


def main():
    returns = prices_to_returns(load_sp500_dataset())["2018":].dropna()
    past, future = returns[:-252], returns[-252:]
    print(f"{past.shape[1]} stocks, {len(past)} days to learn from and {len(future)} to judge\n")
    print("covariance     least-variance portfolio, volatility of the next year in %")
    print(f"{'':14s} skfolio  PyPortfolioOpt  largest difference of a weight")
    models = {
        "sample": (SampleCovariance(), "sample_cov", {}),
        "Ledoit-Wolf": (LedoitWolf(), "ledoit_wolf", {}),
        "nonlinear": (NonlinearShrinkage(), "nonlinear", {}),
        "Gerber": (GerberCovariance(0.7), "gerber", {"threshold": 0.7}),
    }
    for name, (estimator, method, options) in models.items():
        first, second = in_skfolio(past, estimator), in_pypfopt(past, method, options)
        risks = [100 * np.sqrt(252) * np.std(future.to_numpy() @ weights) for weights in (first, second)]
        print(f"{name:14s} {risks[0]:7.2f} {risks[1]:15.2f} {np.abs(first - second).max():31.4f}")


if __name__ == "__main__":
    main()
