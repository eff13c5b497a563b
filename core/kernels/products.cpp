#include "core/kernels/columns.hpp"
#include "core/kernels/linkage.hpp"
#include "core/kernels/product.hpp"
#include "core/kernels/sparse_product.hpp"
