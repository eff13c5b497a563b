#include "core/kernels/batches.hpp"
