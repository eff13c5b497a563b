"""What estimators for scikit-learn and skfolio have in common."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from vech.arrays import as_array
from vech.maps import check_mapped


def estimated(estimator: Any, function: Callable[..., Any], X: Any, **more: Any) -> Any:
    """What a function of `vech.covariance` makes of X, with the estimator's parameters of the same names."""
    taken = signature(function).parameters
    said = estimator.get_params(deep=False)
    return function(X, **{name: value for name, value in said.items() if name in taken}, **more)


def check_given(X: Any) -> None:
    """Refuse what scikit-learn's own check reads: what a mask hides, and beyond the end of a mapped file."""
    if isinstance(X, np.ma.MaskedArray):
        as_array(X, "X")
    check_mapped(X)
