"""The kernels of quantized halves: the one place that asks the core for them."""

from vech import _core

encodings = _core.encodings
Half = _core.QuantizedHalf
quantize_block = _core.quantize_block
quantize_half = _core.quantize_half
dequantize_block = _core.dequantize_block
multiply = _core.multiply_quantized
multiply_coarse = _core.multiply_quantized_coarse
