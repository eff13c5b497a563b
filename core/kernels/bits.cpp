#include "core/kernels/codes.hpp"
#include "core/kernels/planes.hpp"
#include "core/kernels/scan.hpp"
#include "core/kernels/strip.hpp"
