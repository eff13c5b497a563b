"""Halves inside portfolio libraries: the Gerber covariance of twenty stocks, in skfolio and in PyPortfolioOpt.

vech's scikit-learn estimators hold their covariance once; ``np.asarray`` of it is the matrix that these libraries take.

Run: ``python examples/portfolio_libraries.py``; it needs skfolio, which ships the prices, and PyPortfolioOpt.
"""

import numpy as np
from pypfopt import EfficientFrontier, risk_models
from skfolio.datasets import load_sp500_dataset
from skfolio.moments import BaseCovariance
from skfolio.optimization import MeanRisk
from skfolio.preprocessing import prices_to_returns
from skfolio.prior import EmpiricalPrior

from vech.adapters.sklearn import GerberCovariance, LedoitWolf, SampleCovariance


class Held(BaseCovariance):
    """One of vech's estimators as skfolio wants its own: a class of its family, `covariance_` an array."""

    def __init__(self, estimator=None):
        super().__init__()
        self.estimator = estimator

    def fit(self, X, y=None, **options):
        self._set_covariance(np.asarray(self.estimator.fit(X).covariance_))
        return self


def in_skfolio(returns, estimator):
    """Weights of the portfolio of least variance."""
    model = MeanRisk(prior_estimator=EmpiricalPrior(covariance_estimator=Held(estimator)))
    return model.fit(returns).weights_


def in_pypfopt(returns, estimator):
    """The same portfolio."""
    S = risk_models.fix_nonpositive_semidefinite(np.asarray(estimator.fit(returns).covariance_))
    weights = EfficientFrontier(None, S).min_volatility()
    return np.array(list(weights.values()))


def main():
    returns = prices_to_returns(load_sp500_dataset())["2018":].dropna()
    past, future = returns[:-252], returns[-252:]
    print(f"{past.shape[1]} stocks, {len(past)} days to learn from and {len(future)} to judge\n")
    print("covariance     least-variance portfolio, volatility of the next year in %")
    print(f"{'':14s} skfolio  PyPortfolioOpt  largest difference of a weight")
    estimators = {"sample": SampleCovariance(), "Ledoit-Wolf": LedoitWolf(), "Gerber": GerberCovariance(0.7)}
    for name, estimator in estimators.items():
        first, second = in_skfolio(past, estimator), in_pypfopt(past, estimator)
        risks = [100 * np.sqrt(252) * np.std(future.to_numpy() @ weights) for weights in (first, second)]
        print(f"{name:14s} {risks[0]:7.2f} {risks[1]:15.2f} {np.abs(first - second).max():31.4f}")


if __name__ == "__main__":
    main()
