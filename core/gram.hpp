// What the kernel of half Gram matrices is given and gives back: see kernels/gram.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/layout.hpp"
#include "core/sparse.hpp"

namespace vech {

// A matrix by rows, columns ascending and none twice; what is wanted is one triangle of `left` times `right`
// transposed, both of which have its pattern.
struct Gram {
    enum class Number : std::uint8_t { f4, f8, c4, c8, i8, one };  // one: no numbers, each is an int64 of 1

    std::int64_t n, columns, count;  // count: of indices
    const std::int64_t* indptr;
    const std::int32_t* indices;
    const std::byte* left;
    const std::byte* right;
    Number number;
    bool grow;         // wanted are the columns at or below each row, else those at or above
    double threshold;  // kept is what is larger, and NaN; what is not is zero
    bool unit;         // rows have length one: so is the diagonal, and no real number is larger
    bool samples;      // look at some rows first, and end at once if there will be more than `most`
    std::int64_t most;
    std::byte* half;  // where the sums go, with their zeros; none: they become CSR
};

struct GramResult : Csr {   // of a half only the number of nonzeros
    bool too_many = false;  // more than `most` would be kept
};

}  // namespace vech
