"""Halves as arrays of JAX: moves, products, factors and spectra, differentiable, in batches and programs."""

try:
    import jax as _jax  # noqa: F401
except ImportError as missing:
    raise ImportError('arrays of JAX need jax: pip install "vech[jax]"') from missing

from vech.adapters.jax import trees
from vech.adapters.jax.definite import cholesky, inverse, logdet, solve
from vech.adapters.jax.metric import inner, norm, to_metric
from vech.adapters.jax.moves import convert, expand, pack
from vech.adapters.jax.parameters import from_spd, initializer, spd, symmetric_linear
from vech.adapters.jax.products import congruence, gram, matmul, quadratic
from vech.adapters.jax.spectral import eigh, exp, log, power

__all__ = [
    "cholesky",
    "congruence",
    "convert",
    "eigh",
    "exp",
    "expand",
    "from_spd",
    "gram",
    "initializer",
    "inner",
    "inverse",
    "log",
    "logdet",
    "matmul",
    "norm",
    "pack",
    "power",
    "quadratic",
    "solve",
    "spd",
    "symmetric_linear",
    "to_metric",
]


def __dir__() -> list[str]:
    return __all__


trees.register()
