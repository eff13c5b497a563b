"""What estimators for scikit-learn and skfolio have in common."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from vech.arrays import as_array


def estimated(estimator: Any, function: Callable[..., Any], X: Any, **more: Any) -> Any:
    """What a function of `vech.covariance` makes of X, with the estimator's parameters of the same names."""
    taken = signature(function).parameters
    said = estimator.get_params(deep=False)
    return function(X, **{name: value for name, value in said.items() if name in taken}, **more)


def refuse_mask(X: Any) -> None:
    """TypeError for a masked array, of which scikit-learn's own check takes the numbers under the mask."""
    if isinstance(X, np.ma.MaskedArray):
        as_array(X, "X")
