// Distances of products of rows: see kernels/finish.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vech {

// A block of inner products x_i . y_j, which become left_i + right_j - times x_i . y_j and what is made of that.
struct Finish {
    std::byte* block;
    const std::byte *left, *right;
    std::int64_t rows, columns;
    int real;            // bytes of a number: 4 or 8
    double times;        // 2 for |x - y|^2
    double least, most;  // doubtful is what is below `least` times left_i + right_j; nothing is above `most`
    bool root;           // the square root, times `scale`; else the number itself times its square
    double scale;
    std::int64_t* doubtful;  // room for each number of the block: where those stand that want another way
};

// Squared lengths of differences of rows times `scale`, added to sums; `pairs` are places in a block of so many
// columns.
struct Differences {
    const std::byte *left, *right;
    std::int64_t length;  // of a row
    double scale;
    int real;  // bytes of a number: 4 or 8
    const std::int64_t* pairs;
    std::int64_t count, columns;
    double* sums;
};

}  // namespace vech
