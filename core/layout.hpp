// Where a half keeps its numbers: the only index arithmetic in C++ (src/vech/layout.py says it once more, in Python).
#pragma once
#include <cstddef>
#include <cstdint>

namespace vech {

// Kernels call these per row, from code of another target: GCC inlines them only when told to.
#define VECH_INLINE inline __attribute__((always_inline))

// Kernel space: run r of a half that grows holds the cells (r, 0..r), of one that shrinks (r, r..n-1);
// a strict half leaves (r, r) out. Memory limits n to far below 2^31, so no product here overflows.
struct Half {
    std::int64_t n;
    bool grow;
    bool diagonal;

    std::int64_t length() const { return diagonal ? n * (n + 1) / 2 : n * (n - 1) / 2; }

    // Index of the (virtual) cell (r, 0), so that cell (r, c) is number origin(r) + c.
    VECH_INLINE std::int64_t origin(std::int64_t r) const {
        if (grow) return diagonal ? r * (r + 1) / 2 : r * (r - 1) / 2;
        return diagonal ? r * (2 * n - r - 1) / 2 : r * (2 * n - r - 3) / 2 - 1;
    }

    // The stored columns of run r are [first(r), last(r)).
    std::int64_t first(std::int64_t r) const { return grow ? 0 : r + !diagonal; }
    std::int64_t last(std::int64_t r) const { return grow ? r + diagonal : n; }
};

// A matrix or a half as rows whose cells are `step` bytes apart: cell (r, c) lies at row(r) + c * step.
struct Rows {
    std::byte* base;
    std::int64_t stride;  // bytes from row to row; unused by a half
    std::int64_t step;    // bytes from column to column
    Half half;            // n = 0: a full matrix

    static Rows full(std::byte* base, std::int64_t stride, std::int64_t step) {
        return {base, stride, step, {0, false, false}};
    }
    static Rows packed(std::byte* base, std::int64_t item, Half half) { return {base, 0, item, half}; }

    VECH_INLINE std::byte* row(std::int64_t r) const { return base + (half.n ? half.origin(r) * step : r * stride); }
    VECH_INLINE std::byte* cell(std::int64_t r, std::int64_t c) const { return row(r) + c * step; }
    Rows at(std::int64_t bytes) const { return {base + bytes, stride, step, half}; }
};

}  // namespace vech
