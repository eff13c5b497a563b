"""Halves as tensors of PyTorch: moves, products, factors and spectra, differentiable, in batches."""

try:
    import torch as _torch  # noqa: F401
except ImportError as missing:
    raise ImportError('tensors of PyTorch need torch: pip install "vech[torch]"') from missing

from vech.adapters.torch import training
from vech.adapters.torch.definite import cholesky, inverse, logdet, solve
from vech.adapters.torch.factors import Eigenbasis, KroneckerPair
from vech.adapters.torch.metric import inner, norm, to_metric
from vech.adapters.torch.modules import (
    OwnedHalf,
    SymmetricLinear,
    clip_grad_norm_,
    grad_norm,
    owned_halves,
    spd,
    symmetric,
)
from vech.adapters.torch.moves import convert, expand, pack
from vech.adapters.torch.products import congruence, gram, matmul, quadratic
from vech.adapters.torch.shampoo import Shampoo
from vech.adapters.torch.spectral import eigh, exp, log, power
from vech.adapters.torch.state import LowBitState

__all__ = [
    "Eigenbasis",
    "KroneckerPair",
    "LowBitState",
    "OwnedHalf",
    "Shampoo",
    "SymmetricLinear",
    "cholesky",
    "clip_grad_norm_",
    "congruence",
    "convert",
    "eigh",
    "exp",
    "expand",
    "grad_norm",
    "gram",
    "inner",
    "inverse",
    "log",
    "logdet",
    "matmul",
    "norm",
    "owned_halves",
    "pack",
    "power",
    "quadratic",
    "solve",
    "spd",
    "symmetric",
    "to_metric",
    "training",
]


def __dir__() -> list[str]:
    return __all__
