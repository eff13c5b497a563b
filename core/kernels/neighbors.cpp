#include "core/kernels/nearest.hpp"
