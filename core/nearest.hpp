// What the kernels of nearest neighbours are given: see kernels/nearest.hpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/layout.hpp"

namespace vech {

// For each of n rows the k smallest numbers met so far, sorted, and where they stand; of places that are empty the
// index is `none` and the number NaN. Where the largest are wanted, their negatives.
struct Lists {
    static constexpr std::int32_t none = std::numeric_limits<std::int32_t>::max();

    std::int64_t n, k;
    int real;  // bytes of a number
    bool largest;
    std::byte* values;      // (n, k)
    std::int32_t* indices;  // (n, k)
    std::byte* limits;      // (n): what is larger does not belong into the list
};

// A half, or rows of a block below the diagonal, `stride` numbers apart.
struct NearestHalf {
    Lists lists;
    Half half;
    const std::byte* words;
};
struct NearestBlock {
    Lists lists;
    Range rows, columns;
    std::int64_t stride;
    const std::byte* words;
};

// Rows of X with other rows, each pair by itself: squared distances, or products.
struct RowPairs {
    const std::byte* x;
    int real;
    std::int64_t columns, count, k;
    const std::int64_t* rows;      // (count)
    const std::int32_t* partners;  // (count, k)
    double* results;               // (count, k)
    bool products;
};

}  // namespace vech
