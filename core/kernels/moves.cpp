// With what is each target's own, in one unit: 0.8 s of each go into the headers of others.
#include "core/kernels/bits.cpp"
#include "core/kernels/cells.hpp"
#include "core/kernels/move.hpp"
