"""The kernels of quantized halves: the one place that asks the core for them."""

from typing import Any

from vech import _core

_source: Any = _core
if not hasattr(_core, "quantize_block"):
    import importlib

    _source = importlib.import_module("quantized_reference")

encodings = _source.encodings
Half = _source.QuantizedHalf
quantize_block = _source.quantize_block
dequantize_block = _source.dequantize_block
multiply = _source.multiply_quantized
multiply_coarse = _source.multiply_quantized_coarse
