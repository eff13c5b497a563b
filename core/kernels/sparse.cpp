#include "core/kernels/gram.hpp"
#include "core/kernels/mirror.hpp"
#include "core/kernels/pattern.hpp"
#include "core/kernels/symmetry.hpp"
