#include "core/kernels/columns.hpp"
#include "core/kernels/product.hpp"
