// What the kernels of nearest neighbours are given: see kernels/nearest.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/layout.hpp"

namespace vech {

// For each of n rows the k smallest numbers met so far, sorted, and where they stand. A list is as many vectors as hold
// k numbers, behind one number that is less than all others; of places that are empty the index is -1, the number NaN.
// What lies beyond k is of no account. Where the largest are wanted, their negatives.
struct Lists {
    std::int64_t n, k, stride;
    int real;  // bytes of a number, and of an index
    bool largest;
    std::byte* values;   // (n, stride)
    std::byte* indices;  // (n, stride)
    std::byte* limits;   // (n): what is larger does not belong into the list

    // In multiples of 64 bytes, whatever the target.
    static std::int64_t stride_of(std::int64_t k, int real) { return (k * real + 63) / 64 * (64 / real) + 1; }
};

// A half, of which one of so many parts is read, the first one into lists anew; or a block beside the diagonal whose
// rows are `stride` numbers apart; of a square on it what is below.
struct NearestHalf {
    Lists lists;
    Half half;
    const std::byte* words;
    std::int64_t part = 0, parts = 1;
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
    const std::int64_t* partners;  // (count, k)
    double* results;               // (count, k)
    bool products;
};

}  // namespace vech
