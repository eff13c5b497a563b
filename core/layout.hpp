// Where a half keeps its numbers: the only index arithmetic in C++ (src/vech/layouts/layout.py says it once more, in
// Python).
#pragma once
#include <cstddef>
#include <cstdint>

namespace vech {

// Kernels call these per row, from code of another target: GCC inlines them only when told to.
#define VECH_ALWAYS __attribute__((always_inline))
#define VECH_INLINE inline VECH_ALWAYS

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

// A matrix or a half as rows whose cells are `step` bytes apart; from row to row r + 1 their beginnings move by
// stride + r * bend, so that those of a half bend and those of a full matrix do not.
struct Rows {
    std::byte* base;
    std::int64_t stride, step, bend;

    static Rows full(std::byte* base, std::int64_t stride, std::int64_t step) { return {base, stride, step, 0}; }
    static Rows packed(std::byte* base, std::int64_t step, const Half& half) {
        const std::int64_t first = half.origin(0), second = half.origin(1);
        return {base + first * step, (second - first) * step, step, half.grow ? step : -step};
    }

    VECH_INLINE std::byte* row(std::int64_t r) const { return base + r * stride + r * (r - 1) / 2 * bend; }
    VECH_INLINE std::byte* cell(std::int64_t r, std::int64_t c) const { return row(r) + c * step; }
    Rows at(std::int64_t bytes) const { return {base + bytes, stride, step, bend}; }
};

// The cells of one column, row after row.
struct Down {
    std::byte* at;
    std::int64_t step, bend;

    VECH_INLINE Down(const Rows& rows, std::int64_t r, std::int64_t c)
        : at(rows.cell(r, c)), step(rows.stride + r * rows.bend), bend(rows.bend) {}
    VECH_INLINE std::byte* next() {
        std::byte* const here = at;
        at += step;
        step += bend;
        return here;
    }
};

struct Range {
    std::int64_t begin, end;
    VECH_INLINE std::int64_t size() const { return end - begin; }
};

}  // namespace vech
