#include "core/kernels/dequantize.hpp"
#include "core/kernels/quantize.hpp"
#include "core/kernels/quantized_product.hpp"
