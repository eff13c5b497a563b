"""Quantized: few bits a number, each pair once, and a certificate of the error."""

from vech.quantized.certificate import QuantizationError
from vech.quantized.encodings import ENCODINGS, Encoding
from vech.quantized.levels import codebook
from vech.quantized.quantizing import quantize
from vech.quantized.store import Quantized

__all__ = ["ENCODINGS", "Encoding", "QuantizationError", "Quantized", "codebook", "quantize"]


def __dir__() -> list[str]:
    return __all__
