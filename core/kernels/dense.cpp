#include "core/kernels/cells.hpp"
#include "core/kernels/move.hpp"
