// fault, jumps: what is wrong with CSR arrays, and random patterns told from banded ones.
#pragma once
#include "core/kernels/region.hpp"
#include "core/kernels/rowwise.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN

// The first row that is not sorted, without repeats, within the part and within bounds; n: where rows begin; -1: none.
std::int64_t fault(const Rowwise& matrix, Part part) {
    if (matrix.indptr[0] != 0 || matrix.indptr[matrix.n] != matrix.nonzeros) return matrix.n;
    if (canonical(matrix, {0, matrix.n}, part)) return -1;
    for (std::int64_t r = 0; r < matrix.n; ++r)
        if (!canonical(matrix, {r, r + 1}, part)) return r;
    return -1;  // they have changed
}

// Of the numbers of a sample of rows, the share whose column is far from that of its like in the row before: 0 where
// rows go on where others left off, 1 where a cache does not help.
double jumps(const Rowwise& matrix) {
    constexpr std::int64_t samples = 256, far = 256, of_each = 16;
    std::int64_t jumped = 0, seen = 0;
    for (std::int64_t sample = 0; sample < samples; ++sample) {
        const auto r = (matrix.n - 1) / samples * sample + (matrix.n - 1) % samples * sample / samples;
        Range first, second;
        if (r + 1 >= matrix.n || !matrix.row(r, first) || !matrix.row(r + 1, second)) continue;
        const auto count = std::min({first.size(), second.size(), of_each});
        for (std::int64_t k = 0; k < count; ++k) {
            const std::int64_t step = std::int64_t{matrix.indices[second.begin + k]} - matrix.indices[first.begin + k];
            jumped += step > far || step < -far;
            ++seen;
        }
    }
    return seen == 0 ? 0.0 : static_cast<double>(jumped) / static_cast<double>(seen);
}

VECH_TARGET_END
