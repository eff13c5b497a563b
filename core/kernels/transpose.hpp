// transpose: blocks of words in registers.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"

VECH_TARGET_BEGIN
namespace {

// Bytes of a vector: the widest that interleaves in one instruction. Words of 1 and 2 bytes have that in 16-byte
// vectors alone.
template <class W>
constexpr int lanes = sizeof(W) == 16 ? 1 : (sizeof(W) < 4 ? 16 : VECH_VECTOR) / static_cast<int>(sizeof(W));

template <class W>
struct VectorOf {
    typedef W type __attribute__((vector_size(lanes<W> * sizeof(W)), aligned(1), may_alias));
};

template <int half, class V, int... k>
VECH_INLINE V interleave(V a, V b, std::integer_sequence<int, k...>) {
    constexpr int N = sizeof...(k);
    return __builtin_shufflevector(a, b, (half * N / 2 + k / 2 + (k % 2) * N)...);
}

// put(c, vector) for each of N columns, of rows whose words begin at from[r] + offset: log2(N) rounds of interleaving
// rows k and k + N/2.
template <class W, class Put>
VECH_INLINE void turn_block(const std::byte* const* from, std::int64_t offset, Put&& put) {
    constexpr int N = lanes<W>;
    constexpr auto each = std::make_integer_sequence<int, N>{};
    using V = typename VectorOf<W>::type;
    V x[N];
    V y[N];
#pragma GCC unroll 32
    for (int k = 0; k < N; ++k) x[k] = *reinterpret_cast<const V*>(from[k] + offset);
#pragma GCC unroll 8
    for (int round = 1; round < N; round *= 2) {
#pragma GCC unroll 32
        for (int k = 0; k < N / 2; ++k) {
            y[2 * k] = interleave<0>(x[k], x[k + N / 2], each);
            y[2 * k + 1] = interleave<1>(x[k], x[k + N / 2], each);
        }
#pragma GCC unroll 32
        for (int k = 0; k < N; ++k) x[k] = y[k];
    }
#pragma GCC unroll 32
    for (int k = 0; k < N; ++k) put(k, x[k]);
}

// to[c * pitch + r] = word c of from[r], for an N x N block.
template <class W>
VECH_INLINE void transpose_block(const std::byte* const* from, std::int64_t offset, W* to, std::int64_t pitch) {
    using V = typename VectorOf<W>::type;
    turn_block<W>(from, offset, [&](int k, V words) VECH_ALWAYS { *reinterpret_cast<V*>(to + k * pitch) = words; });
}

// to[c * pitch + r] = word first + c of from[r] for r < rows, c < columns: at most as many columns as a vector has
// lanes.
template <class W>
VECH_INLINE void transpose(const std::byte* const* from, int rows, int first, int columns, W* to, std::int64_t pitch) {
    constexpr int N = lanes<W>;
    const std::int64_t offset = first * static_cast<std::int64_t>(sizeof(W));
    int r = 0;
    if constexpr (N > 1)
        if (columns == N)
            for (; r + N <= rows; r += N) transpose_block<W>(from + r, offset, to + r, pitch);
    for (; r < rows; ++r)
        for (int c = 0; c < columns; ++c) to[c * pitch + r] = load<W>(from[r] + offset + c * sizeof(W));
}

}  // namespace
VECH_TARGET_END
