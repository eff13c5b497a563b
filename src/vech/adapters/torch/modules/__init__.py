"""Modules that own halves: a linear layer, parametrizations, and norms of their gradients."""

from vech.adapters.torch.modules.linear import SymmetricLinear
from vech.adapters.torch.modules.owning import OwnedHalf, clip_grad_norm_, grad_norm, owned_halves
from vech.adapters.torch.modules.parametrizations import spd, symmetric

__all__ = ["OwnedHalf", "SymmetricLinear", "clip_grad_norm_", "grad_norm", "owned_halves", "spd", "symmetric"]


def __dir__() -> list[str]:
    return __all__
