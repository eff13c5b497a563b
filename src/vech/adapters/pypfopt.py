"""Risk models for PyPortfolioOpt: frames of annual covariances, each number computed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from vech import covariance
from vech.arrays import as_block
from vech.packed.packed import Packed

try:
    import pandas
except ModuleNotFoundError as missing:
    reason = "vech.adapters.pypfopt needs pandas: pip install 'vech[pypfopt]'"
    raise ModuleNotFoundError(reason, name="pandas") from missing

__all__ = ["risk_matrix"]


def __dir__() -> list[str]:
    return __all__


def risk_matrix(
    prices: Any,
    method: str = "ledoit_wolf",
    *,
    returns_data: bool = False,
    log_returns: bool = False,
    frequency: float = 252,
    **options: Any,
) -> pandas.DataFrame:
    """Expands a covariance of returns, for a year, into the data frame that PyPortfolioOpt takes.

    Parameters
    ----------
    prices : data frame or array, shape (n_samples, n_assets)
        Positive numbers, a row for each day; with `returns_data` returns.
    method : str
        As ``pypfopt.risk_models.risk_matrix`` has them: "sample_cov", "exp_cov", "ledoit_wolf" (or
        "ledoit_wolf_constant_variance"), "ledoit_wolf_constant_correlation", "oracle_approximating"; and
        "gerber", "nonlinear", "denoise" of `vech.covariance`.
    returns_data : bool
        Whether `prices` are returns.
    log_returns : bool
        Whether to take differences of logarithms, not relative changes.
    frequency : number
        How many rows a year has.
    **options
        For the function of `vech.covariance` behind the method, such as ``missing="neutral"``, or
        ``threshold=0.7``; for "exp_cov" also ``span=180``.

    Returns
    -------
    pandas.DataFrame, shape (n_assets, n_assets)
        float64, with the names of the assets on both axes.

    Raises
    ------
    ValueError
        For an unknown method, prices that are not positive, NaN where `missing` does not say what they count
        as, and what the function behind the method refuses.
    TypeError
        For columns that are no numbers, by name, and options that the function does not have.

    Notes
    -----
    "sample_cov", "exp_cov", "ledoit_wolf" and "oracle_approximating" give the numbers of PyPortfolioOpt where
    nothing is missing; there, missing returns are left out by pairs or taken for 0 without a word, here
    nothing is guessed. "ledoit_wolf_constant_correlation" is the program of the paper, with ddof = 0
    throughout, where PyPortfolioOpt's has ddof = 1 in parts. What may be indefinite (``missing="pairwise"``,
    the form "gs0") is for ``repair=`` of "gerber" or `vech.linalg.nearest_psd`.

    Returns are copied, in float64; then time and memory are those of the function, and the frame's.

    Examples
    --------
    >>> import pandas
    >>> prices = pandas.DataFrame({"A": [1.0, 1.1, 1.0, 1.2], "B": [2.0, 2.1, 2.2, 2.1]})
    >>> risk_matrix(prices, "sample_cov").round(2)
          A     B
    A  5.51 -1.52
    B -1.52  0.75
    """
    if method not in METHODS:
        raise ValueError(f"no risk model {method!r} here: choose from {', '.join(map(repr, METHODS))}")
    if isinstance(frequency, bool) or not isinstance(frequency, Real) or not 0 < frequency < np.inf:
        raise ValueError(f"frequency must be a positive number of rows a year, mostly 252, not {frequency!r}")
    if "return_shrinkage" in options:
        raise TypeError("risk_matrix gives one frame: vech.covariance.ledoit_wolf gives the intensity too")
    returns = _returns(prices, returns_data, log_returns)
    store: Packed = METHODS[method](returns, **options)
    return (store * float(frequency)).to_frame()


def _returns(prices: Any, returns_data: bool, log_returns: bool) -> pandas.DataFrame:
    """Returns in float64, without rows in which nothing is there."""
    values, labels = as_block(prices, "prices")
    numbers = values.astype(np.float64)
    if not returns_data:
        wrong = ~((numbers > 0) & (numbers < np.inf)) & ~np.isnan(numbers)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            name = "" if labels is None else f" ({labels[column]!r})"
            raise ValueError(
                f"prices has {numbers[row, column]:g} in row {row}, column {column}{name}: prices are "
                f"positive; say returns_data=True if these are returns"
            )
        numbers = np.diff(np.log(numbers), axis=0) if log_returns else numbers[1:] / numbers[:-1] - 1
    kept = ~np.isnan(numbers).all(axis=1)
    if not kept.any():
        what = "returns" if returns_data else "prices of two days that follow each other"
        raise ValueError(f"prices has shape {values.shape}, and no {what} to compute with")
    return pandas.DataFrame(numbers[kept], columns=None if labels is None else list(labels), copy=False)


def _exponential(returns: pandas.DataFrame, *, span: float = 180, **options: Any) -> Packed:
    """Products of returns about their plain means, weighted by age, as PyPortfolioOpt has it."""
    if isinstance(span, bool) or not isinstance(span, Real) or not 1 < span < np.inf:
        raise ValueError(f"span must be a number of rows above 1, mostly 180, not {span!r}")
    half_life = np.log(2) / np.log((span + 1) / (span - 1))
    weights = covariance.exponential_weights(len(returns), half_life)
    return covariance.sample(
        returns - returns.mean(), assume_centered=True, ddof=0, weights=weights, **options
    )


METHODS: dict[str, Callable[..., Packed]] = {
    "sample_cov": covariance.sample,
    "exp_cov": _exponential,
    "ledoit_wolf": covariance.ledoit_wolf,
    "ledoit_wolf_constant_variance": covariance.ledoit_wolf,
    "ledoit_wolf_constant_correlation": partial(covariance.ledoit_wolf, target="constant-correlation"),
    "oracle_approximating": covariance.oas,
    "gerber": covariance.gerber,
    "nonlinear": covariance.nonlinear,
    "denoise": covariance.denoise,
}
