"""
Does the Gerber statistic make better portfolios?
=================================================

Its paper's comparison, on French's industry portfolios. Each month, five estimates of covariance from the
last 24 months (historical, shrunk to constant correlation, Gerber with thresholds of 0.5, 0.7 and 0.9)
choose among twelve industries: the highest mean return for a target volatility, long only, fully invested,
with 10 basis points for each unit of turnover both in the choice and in the result. Where no portfolio has
so low a volatility, the one of least variance is held. The set-up is that of Gerber, Markowitz, Ernst,
Miao, Javid and Sargen (2022, Journal of Portfolio Management), with industries instead of their nine
indices, which are not free; since those include bonds and gold, their targets are lower, 3 to 15 %.

You learn: estimators of covariance, eigenvalues of a store, and a cone program on a square root of it. The
last ten years are shown; ``python examples/gerber_portfolios.py --all`` has all months from 1951 on.
"""

import sys
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse

from vech import covariance, linalg

try:
    import clarabel
    import matplotlib.pyplot as plt
    from linearmodels.datasets import french
except ImportError as error:
    raise SystemExit(f"{error}: pip install linearmodels clarabel matplotlib") from None

MONTHS = None if "--all" in sys.argv else 120  # the last so many

# %%
# Monthly returns of the industries, and the five estimators.

WINDOW, COST = 24, 0.001
TARGETS = (0.10, 0.12, 0.14, 0.16, 0.18)  # volatilities, a year
ESTIMATORS = {
    "historical": covariance.sample,
    "shrunk": partial(covariance.ledoit_wolf, target="constant-correlation"),
    "Gerber 0.5": partial(covariance.gerber, threshold=0.5),
    "Gerber 0.7": partial(covariance.gerber, threshold=0.7),
    "Gerber 0.9": partial(covariance.gerber, threshold=0.9),
}
INDUSTRIES = slice("NoDur", "Other")


def data():
    """Monthly returns of the industries, and of what is free of risk."""
    frame = french.load()
    return frame.loc[:, INDUSTRIES].to_numpy(float), frame["RF"].to_numpy(float)


returns, free = (series[-(MONTHS + WINDOW) :] if MONTHS else series for series in data())
print(f"{returns.shape[1]} industries, {len(returns) - WINDOW} months, windows of {WINDOW}")

# %%
# One choice: a cone program.


def choose(mean, root, target, held):
    """The weights w of highest ``mean @ w - COST |w - held|``, ``|root.T @ w| <= target``: a cone program."""
    p = mean.size
    eye, none = np.eye(p), np.zeros((p, p))
    rows = np.block(
        [
            [np.ones((1, p)), np.zeros((1, p))],  # fully invested
            [-eye, none],  # long only
            [eye, -eye],  # |w - held| <= u
            [-eye, -eye],
            [np.zeros((1, 2 * p))],  # (target, root.T w) in the cone
            [-root.T, none],
        ]
    )
    bounds = np.concatenate([[1], np.zeros(p), held, -held, [target], np.zeros(p)])
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(3 * p), clarabel.SecondOrderConeT(p + 1)]
    found = solve(np.zeros((2 * p, 2 * p)), np.concatenate([-mean, np.full(p, COST)]), rows, bounds, cones)
    return None if found is None else clean(found[:p])


def least_variance(root):
    """The long-only weights of least variance."""
    p = len(root)
    rows = np.vstack([np.ones((1, p)), -np.eye(p)])
    bounds = np.concatenate([[1], np.zeros(p)])
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(p)]
    return clean(solve(root @ root.T * 1e4, np.zeros(p), rows, bounds, cones))


def solve(P, q, rows, bounds, cones):
    """The minimiser of ``x P x / 2 + q x`` with ``bounds - rows @ x`` in the cones; None if there is none."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    P, rows = sparse.csc_matrix(np.triu(P)), sparse.csc_matrix(rows)
    solution = clarabel.DefaultSolver(P, q, rows, bounds, cones, settings).solve()
    return np.array(solution.x) if str(solution.status) in ("Solved", "AlmostSolved") else None


def square_root(S):
    """R with ``R @ R.T = S``; two columns that always moved together make S singular, so by eigenvalues."""
    values, vectors = linalg.eigh(S)
    return vectors * np.sqrt(np.maximum(values, 0))


def clean(weights):
    """Without what rounding leaves below zero."""
    weights = np.maximum(weights, 0)
    return weights / weights.sum()


# %%
# Month after month: what is chosen, what it earns, what turnover costs.


def backtest(returns, estimator, targets=TARGETS):
    """Monthly returns after costs, a column for each target."""
    months, p = returns.shape
    held = {target: np.full(p, 1 / p) for target in targets}
    results = np.empty((months - WINDOW, len(targets)))
    for month in range(WINDOW, months):
        window = returns[month - WINDOW : month]
        mean = window.mean(axis=0)
        root = square_root(estimator(window))
        for k, target in enumerate(targets):
            weights = choose(mean, root, target / np.sqrt(12), held[target])
            if weights is None:
                weights = least_variance(root)
            earned = weights @ returns[month] - COST * np.abs(weights - held[target]).sum()
            results[month - WINDOW, k] = earned
            grown = weights * (1 + returns[month])
            held[target] = grown / grown.sum()
    return results


class Performance(NamedTuple):
    """Of monthly returns after costs: yearly geometric return, volatility, Sharpe ratio; the deepest fall."""

    geometric: float
    volatility: float
    sharpe: float
    drawdown: float


def performance(earned, free):
    """What a series of monthly returns amounts to."""
    wealth = np.cumprod(1 + earned)
    excess = earned - free
    peaks = np.maximum.accumulate(np.maximum(wealth, 1))
    return Performance(
        float(wealth[-1] ** (12 / earned.size) - 1),
        float(earned.std(ddof=1) * np.sqrt(12)),
        float(excess.mean() / excess.std(ddof=1) * np.sqrt(12)),
        float((wealth / peaks - 1).min()),
    )


table = {}
for name, estimator in ESTIMATORS.items():
    for target, earned in zip(TARGETS, backtest(returns, estimator).T, strict=True):
        table[name, target] = performance(earned, free[WINDOW:])

print("target  covariance   return %  volatility %  Sharpe  deepest fall %")
for target in TARGETS:
    for name in ESTIMATORS:
        found = table[name, target]
        print(
            f"{target:5.0%}   {name:11s} {100 * found.geometric:9.2f} {100 * found.volatility:13.2f}"
            f" {found.sharpe:7.2f} {100 * found.drawdown:15.1f}"
        )

# %%
# Who wins how often; these cases are of one history, so they do not count as independent.

for other in ("historical", "shrunk"):
    wins = {
        field: sum(
            getattr(table[name, target], field) > getattr(table[other, target], field)
            for name in list(ESTIMATORS)[2:]
            for target in TARGETS
        )
        for field in ("geometric", "sharpe")
    }
    total = 3 * len(TARGETS)
    print(
        f"Gerber against {other}: a higher return in {wins['geometric']} of {total} cases, "
        f"a higher Sharpe ratio in {wins['sharpe']} of {total}"
    )
spread = max(
    max(table[name, target].sharpe for name in ESTIMATORS)
    - min(table[name, target].sharpe for name in ESTIMATORS)
    for target in TARGETS
)
error = np.sqrt(12 / (len(returns) - WINDOW))
print(
    f"At one target Sharpe ratios differ by at most {spread:.2f}; the standard error of one "
    f"is about {error:.2f}, that of a difference over the same months less."
)

# %%
# The Sharpe ratios: they differ by less than the error of one.

_, axes = plt.subplots(figsize=(8, 4))
for k, name in enumerate(ESTIMATORS):
    at = np.arange(len(TARGETS)) + 0.16 * k
    axes.bar(at, [table[name, target].sharpe for target in TARGETS], 0.16, label=name)
axes.set_xticks(np.arange(len(TARGETS)) + 0.32, [f"{target:.0%}" for target in TARGETS])
axes.set(xlabel="target volatility", ylabel="Sharpe ratio", title=f"Standard error of each: {error:.2f}")
axes.legend()
plt.show()

# %%
# Next: examples/portfolio_libraries.py, in the libraries that optimise; docs/covariance.md
