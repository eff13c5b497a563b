// transpose: blocks of words in registers.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"

VECH_TARGET_BEGIN
namespace {

// Side of a square that is turned at once.
template <class W>
constexpr int lanes = sizeof(W) == 16 ? 1 : (sizeof(W) < 4 ? 16 : VECH_VECTOR) / static_cast<int>(sizeof(W));

// Words in 16 bytes: whose columns are turned at once, since 16 bytes interleave with others in one instruction.
template <class W>
constexpr int turned_columns = 16 / static_cast<int>(sizeof(W));

template <int bytes>
struct BytesOf {
    typedef std::uint64_t type __attribute__((vector_size(bytes), aligned(1), may_alias));
};

template <class W>
struct VectorOf {
    typedef W type __attribute__((vector_size(lanes<W> * sizeof(W)), aligned(1), may_alias));
};

template <class W, int half, class V, int... k>
VECH_INLINE V interleave(V a, V b, std::integer_sequence<int, k...>) {
    typedef W Words __attribute__((vector_size(sizeof(V)), aligned(1), may_alias));
    constexpr int N = sizeof...(k), G = turned_columns<W>;
    return V(__builtin_shufflevector(Words(a), Words(b), (k / G * G + half * G / 2 + k % G / 2 + k % 2 * N)...));
}

// 16 bytes of each from[0], from[step], from[2 step] ..., side by side.
template <int bytes>
VECH_INLINE auto gather(const std::byte* const* from, int step, std::int64_t offset) {
    using V = typename BytesOf<bytes>::type;
    if constexpr (bytes == 16) {
        return *reinterpret_cast<const V*>(from[0] + offset);
#if VECH_VECTOR == 64  // GCC 12 makes two instructions of each shuffle of halves
    } else if constexpr (bytes == 64) {
        const auto lane = [&](int k) VECH_ALWAYS {
            return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from[k * step] + offset));
        };
        __m512i all = _mm512_zextsi128_si512(lane(0));
        all = _mm512_inserti64x2(all, lane(1), 1);
        all = _mm512_inserti64x2(all, lane(2), 2);
        return reinterpret_cast<V>(_mm512_inserti64x2(all, lane(3), 3));
#endif
    } else {
        const auto a = gather<bytes / 2>(from, step, offset),
                   b = gather<bytes / 2>(from + bytes / 32 * step, step, offset);
        return [&]<int... k>(std::integer_sequence<int, k...>) VECH_ALWAYS {
            return V(__builtin_shufflevector(a, b, k...));
        }(std::make_integer_sequence<int, bytes / 8>{});
    }
}

// Within lanes, G rows of as many words each to columns: log2(G) rounds of interleaving rows k and k + G/2.
template <class W, int bytes>
VECH_INLINE void interleave_all(typename BytesOf<bytes>::type* x) {
    using V = typename BytesOf<bytes>::type;  // a parameter of a template would lose that it may lie anywhere
    constexpr int G = turned_columns<W>;
    if constexpr (G > 1) {
        constexpr auto each = std::make_integer_sequence<int, bytes / static_cast<int>(sizeof(W))>{};
        V y[G];
#pragma GCC unroll 4
        for (int round = 1; round < G; round *= 2) {
#pragma GCC unroll 16
            for (int k = 0; k < G / 2; ++k) {
                y[2 * k] = interleave<W, 0>(x[k], x[k + G / 2], each);
                y[2 * k + 1] = interleave<W, 1>(x[k], x[k + G / 2], each);
            }
#pragma GCC unroll 16
            for (int k = 0; k < G; ++k) x[k] = y[k];
        }
    }
}

// put(c, vector) for each column of 16 bytes, of as many rows as a vector has words: they begin at from[r] + offset.
// Rows of each 16 bytes of the result, as far apart as the columns are many, come in one lane each.
template <class W, int bytes, class Put>
VECH_INLINE void turn(const std::byte* const* from, std::int64_t offset, Put&& put) {
    constexpr int G = turned_columns<W>;
    typename BytesOf<bytes>::type x[G];
#pragma GCC unroll 16
    for (int k = 0; k < G; ++k) x[k] = gather<bytes>(from + k, G, offset);
    interleave_all<W, bytes>(x);
#pragma GCC unroll 16
    for (int k = 0; k < G; ++k) put(k, x[k]);
}

// Columns that `turn_wide` turns at once.
template <class W, int bytes>
constexpr int wide_columns = bytes == 64 ? 2 * turned_columns<W> : turned_columns<W>;

// `turn`, of vectors of 64 bytes twice as many columns: half as many loads, of 32 bytes, and one more round between
// lanes. In the cache (Zen 5, expand, n = 501, of the time by `turn`) 0.83 in 2 bytes, 0.90 in 4, 0.94 in 8, 1.0 in 1;
// loads of 64 bytes are no better in 4 and 8 bytes and cost 1.2 times as much in fewer, whose registers do not suffice.
// Between streamed lines it takes 1.0 to 1.1 of the time.
template <class W, int bytes, class Put>
VECH_INLINE void turn_wide(const std::byte* const* from, std::int64_t offset, Put&& put) {
#if VECH_VECTOR == 64
    if constexpr (bytes == 64) {
        constexpr int G = turned_columns<W>;
        using V = typename BytesOf<64>::type;
        const auto piece = [&](int row) VECH_ALWAYS {
            return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[row] + offset));
        };
        V upper[G], lower[G];
#pragma GCC unroll 16
        for (int k = 0; k < G; ++k)
            upper[k] = reinterpret_cast<V>(_mm512_inserti64x4(_mm512_zextsi256_si512(piece(k)), piece(k + G), 1));
        interleave_all<W, 64>(upper);
#pragma GCC unroll 16
        for (int k = 0; k < G; ++k)
            lower[k] =
                reinterpret_cast<V>(_mm512_inserti64x4(_mm512_zextsi256_si512(piece(k + 2 * G)), piece(k + 3 * G), 1));
        interleave_all<W, 64>(lower);
        const auto lanes = [&](int k, auto which) VECH_ALWAYS {
            return reinterpret_cast<V>(
                _mm512_shuffle_i64x2(reinterpret_cast<__m512i>(upper[k]), reinterpret_cast<__m512i>(lower[k]), which));
        };
#pragma GCC unroll 16
        for (int k = 0; k < G; ++k) put(k, lanes(k, std::integral_constant<int, 0x88>{}));
#pragma GCC unroll 16
        for (int k = 0; k < G; ++k) put(k + G, lanes(k, std::integral_constant<int, 0xdd>{}));
        return;
    }
#endif
    turn<W, bytes>(from, offset, put);
}

// to[c * pitch + r] = word c of from[r], for an N x N block.
template <class W>
VECH_INLINE void transpose_block(const std::byte* const* from, std::int64_t offset, W* to, std::int64_t pitch) {
    constexpr int N = lanes<W>, bytes = N * static_cast<int>(sizeof(W));
    using V = typename BytesOf<bytes>::type;
#pragma GCC unroll 16
    for (int c = 0; c < N; c += turned_columns<W>)
        turn<W, bytes>(from, offset + c * static_cast<std::int64_t>(sizeof(W)),
                       [&](int k, V words) VECH_ALWAYS { *reinterpret_cast<V*>(to + (c + k) * pitch) = words; });
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
