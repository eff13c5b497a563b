#include "core/kernels/metrics.hpp"
