"""Quantized: few bits a number, each pair once, and a certificate of the error."""

from vech.quantized.certificate import QuantizationError
from vech.quantized.encodings import ENCODINGS, Encoding
from vech.quantized.hadamard import Rotated, hadamard
from vech.quantized.levels import codebook
from vech.quantized.low_rank import LowRank, low_rank
from vech.quantized.observing import Observer
from vech.quantized.outliers import Split, outliers
from vech.quantized.quantizing import quantize
from vech.quantized.requantizing import Requantized, requantize
from vech.quantized.store import Quantized

__all__ = [
    "ENCODINGS",
    "Encoding",
    "LowRank",
    "Observer",
    "QuantizationError",
    "Quantized",
    "Requantized",
    "Rotated",
    "Split",
    "codebook",
    "hadamard",
    "low_rank",
    "outliers",
    "quantize",
    "requantize",
]


def __dir__() -> list[str]:
    return __all__
