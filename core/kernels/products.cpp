#include "core/kernels/columns.hpp"
#include "core/kernels/finish.hpp"
#include "core/kernels/product.hpp"
#include "core/kernels/sparse_product.hpp"
