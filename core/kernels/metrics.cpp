#include "core/kernels/batches.hpp"
#include "core/kernels/metrics.hpp"
#include "core/kernels/nearest.hpp"
