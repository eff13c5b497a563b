"""Training with few bits: what halves of symmetric parameters go through on their way into a product."""

from vech.adapters.torch.training.codebooks import Codebook, kmeans
from vech.adapters.torch.training.fake import fake_quantize
from vech.adapters.torch.training.folding import Folded, fold
from vech.adapters.torch.training.integers import (
    Planes,
    hadamard,
    int4_linear,
    int4_matmul,
    keep_probabilities,
    rotate,
    sampled_gram,
    split,
)
from vech.adapters.torch.training.signs import signs
from vech.adapters.torch.training.steps import first_steps, lsq, lsq_tensor

__all__ = [
    "Codebook",
    "Folded",
    "Planes",
    "fake_quantize",
    "first_steps",
    "fold",
    "hadamard",
    "int4_linear",
    "int4_matmul",
    "keep_probabilities",
    "kmeans",
    "lsq",
    "lsq_tensor",
    "rotate",
    "sampled_gram",
    "signs",
    "split",
]


def __dir__() -> list[str]:
    return __all__
