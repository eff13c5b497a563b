// What the sparse kernels are given and give back: see kernels/scan.hpp, kernels/mirror.hpp, kernels/symmetry.hpp and
// kernels/sparse_product.hpp.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/change.hpp"
#include "core/layout.hpp"
#include "core/product.hpp"

namespace vech {

struct Scan {
    const std::byte* words;
    int item;
    Half half;
    std::uint8_t keep[16] = {};  // a number counts when word & keep is not zero
    bool bounded = false;        // or above bound: floats of 4 or 8 bytes, whose keep has no sign
    std::uint8_t bound[16] = {};
    bool implied = false;  // put fill where run r meets the diagonal
    std::uint8_t fill[16] = {};
};

// Why there is no result: the arrays given are not CSR, or not of one triangle; they changed between two looks at them.
enum class Fault : std::uint8_t { none, malformed, changed, out_of_memory };

// CSR arrays in kernel space, from malloc; whoever takes them frees them. No arrays: stopped, or a fault.
struct Csr {
    std::int64_t* indptr = nullptr;  // n + 1
    std::int32_t* indices = nullptr;
    std::byte* data = nullptr;
    std::int64_t nonzeros = 0;
    Fault fault = Fault::none;

    void release() {
        std::free(std::exchange(indptr, nullptr));
        std::free(std::exchange(indices, nullptr));
        std::free(std::exchange(data, nullptr));
    }
    void fail(Fault why) {
        release();
        fault = why;
    }
};

struct Scatter {
    const std::byte* words;
    int item;
    Half half;
    Rows target;
    bool transposed;  // also (c, r)
    bool implied = false;
    std::uint8_t fill[16] = {};
};

// Arrays that are the user's can change at any time, by another thread: what is checked must be what is used, and so is
// loaded once, whatever the compiler would like.
template <class T>
VECH_INLINE T once(T value) {
    asm("" : "+r"(value));
    return value;
}

// Where rows begin, in 4 or 8 bytes, as SciPy has them.
struct Offsets {
    const void* at;
    bool wide;

    VECH_INLINE std::int64_t operator[](std::int64_t r) const {
        return wide ? static_cast<const std::int64_t*>(at)[r] : static_cast<const std::int32_t*>(at)[r];
    }
    // Whether those from `first` to `last` do, from 0 or more on.
    VECH_INLINE bool ascend(std::int64_t first, std::int64_t last) const {
        return wide ? ascending(static_cast<const std::int64_t*>(at) + first, last - first)
                    : ascending(static_cast<const std::int32_t*>(at) + first, last - first);
    }
    // Whether `rows` rows from `first` on hold `size` numbers each.
    VECH_INLINE bool even(std::int64_t first, std::int64_t rows, std::int64_t size) const {
        return wide ? stepping(static_cast<const std::int64_t*>(at) + first, rows, size)
                    : stepping(static_cast<const std::int32_t*>(at) + first, rows, size);
    }
    template <class T>
    static VECH_INLINE bool stepping(const T* numbers, std::int64_t rows, std::int64_t size) {
        using Bits = std::make_unsigned_t<T>;
        const auto wanted = static_cast<Bits>(size);
        Bits other = 0;
        for (std::int64_t k = 0; k < rows; ++k)
            other |= (static_cast<Bits>(numbers[k + 1]) - static_cast<Bits>(numbers[k])) ^ wanted;
        return other == 0;
    }
    template <class T>
    static VECH_INLINE bool ascending(const T* numbers, std::int64_t steps) {
        using Bits = std::make_unsigned_t<T>;
        Bits signs = 0;  // GCC 12 has vectors for this, and none for comparisons: a third of the time
        for (std::int64_t k = 0; k < steps; ++k) {
            const auto one = static_cast<Bits>(numbers[k]), next = static_cast<Bits>(numbers[k + 1]);
            signs |= one | next | (next - one);
        }
        return static_cast<T>(signs) >= 0;
    }
};

// CSR arrays that are the user's. Whoever reads them looks for what leads out of bounds, again at each look.
struct Rowwise {
    std::int64_t n;
    Offsets indptr;
    const std::int32_t* indices;
    const std::byte* data;
    std::int64_t nonzeros;  // of indices and data
    int item;

    // Where the numbers of row r are; false, and nowhere, if that is not within the arrays.
    VECH_INLINE bool row(std::int64_t r, Range& at) const { return rows(r, r + 1, at); }
    VECH_INLINE bool rows(std::int64_t first, std::int64_t last, Range& at) const {
        at = {once(indptr[first]), once(indptr[last])};
        const bool inside = static_cast<std::uint64_t>(at.begin) <= static_cast<std::uint64_t>(at.end) &&
                            static_cast<std::uint64_t>(at.end) <= static_cast<std::uint64_t>(nonzeros);
        if (!inside) at = {};
        return inside;
    }
    VECH_INLINE bool has_column(std::int64_t c) const {
        return static_cast<std::uint64_t>(c) < static_cast<std::uint64_t>(n);
    }
    bool has_rows() const { return indptr[0] == 0 && indptr[n] == nonzeros && indptr.ascend(0, n); }
    // Rows of about equally many numbers: where each of `shares` shares begins, and n. Ascending, whatever rows hold.
    std::vector<std::int64_t> shares(std::int64_t count) const {
        std::vector<std::int64_t> begins(static_cast<std::size_t>(count) + 1, n);
        begins[0] = 0;
        for (std::int64_t share = 1; share < count; ++share) {
            const auto k = static_cast<std::size_t>(share);
            begins[k] = std::max(begins[k - 1], begin_of(share, count));
        }
        return begins;
    }
    // Where share `share` begins, of rows that has_rows() accepts.
    std::int64_t begin_of(std::int64_t share, std::int64_t shares) const {
        if (share == shares) return n;
        const auto wanted = nonzeros / shares * share;
        std::int64_t low = 0, high = n;
        while (low < high) {
            const auto middle = low + (high - low) / 2;
            if (indptr[middle] < wanted)
                low = middle + 1;
            else
                high = middle;
        }
        return share == 0 ? 0 : low;
    }
};

enum class Part : std::uint8_t { full, grow, shrink };  // columns: all; at or below the row; at or above it

// A half to the full matrix, or to the other half.
struct Mirror {
    Rowwise half;
    bool grow;
    bool own;       // the rows themselves too: the full matrix
    Change change;  // what mirrored numbers become
};

// One triangle out of a full matrix.
struct Cut {
    Rowwise full;
    bool grow;
};

// Whether |a_ij - mirror(a_ji)| <= tolerance.
struct Symmetry {
    enum class Number : std::uint8_t { integer, natural, real, complex };

    Rowwise full;
    Number number;
    bool conjugates, negates;
    double tolerance;
};

struct Asymmetry {
    std::int64_t row = -1, column = -1;  // of the first pair that differs; row >= column
    Fault fault = Fault::none;
};

// y = S x, of the matrix whose half is given.
struct SparseProduct {
    Rowwise half;
    bool grow;
    int real;  // bytes of a number's real part: 4 or 8
    bool complex, conjugates, negates;
    Product::Diagonal diagonal;
    std::int64_t columns;  // of x and y, whose rows adjoin
    const std::byte* x;
    std::byte* y;
    // How the rows are cut into shares: zeros are to be filled in, and what stands here saves a look at all columns.
    static constexpr std::int64_t most_shares = 64, facts = 3, plan_length = 2 + most_shares * facts;
    std::int64_t* plan = nullptr;
};

}  // namespace vech
