"""Linear algebra on halves: a store in, its answer out."""

from vech.linalg.algebra import (
    commutation,
    covariance_of_vech,
    duplication,
    elimination,
    empirical_covariance_of_vech,
    kronecker_square,
    symmetrizer,
)
from vech.linalg.correlation import Correlation, partial_correlation, to_correlation, to_covariance
from vech.linalg.factor.answers import SignLogdet
from vech.linalg.factor.cholesky import Cholesky, cholesky
from vech.linalg.factor.triangle import Triangle
from vech.linalg.functions import exp, log, power
from vech.linalg.metric import to_metric
from vech.linalg.nearest import Nearest, nearest_correlation, nearest_psd, shrink_to_psd
from vech.linalg.randomized import Top, top
from vech.linalg.solving import cond, inverse, slogdet, solve
from vech.linalg.spectral import eigh, eigsh, inner, lobpcg, norm

__all__ = [
    "Cholesky",
    "Correlation",
    "Nearest",
    "SignLogdet",
    "Top",
    "Triangle",
    "cholesky",
    "commutation",
    "cond",
    "covariance_of_vech",
    "duplication",
    "eigh",
    "eigsh",
    "elimination",
    "empirical_covariance_of_vech",
    "exp",
    "inner",
    "inverse",
    "kronecker_square",
    "lobpcg",
    "log",
    "nearest_correlation",
    "nearest_psd",
    "norm",
    "partial_correlation",
    "power",
    "shrink_to_psd",
    "slogdet",
    "solve",
    "symmetrizer",
    "to_correlation",
    "to_covariance",
    "to_metric",
    "top",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    from vech.elsewhere import METHODS

    answer = METHODS.get(name, "").format(packed="S")
    hint = f": use {answer}" if answer.startswith("vech.linalg.") else ""
    raise AttributeError(f"module 'vech.linalg' has no attribute {name!r}{hint}")
