// compress: the numbers of a row that count, and their columns.
//
// Assumes      nothing about alignment; reads no byte outside of the row, and writes up to 64 numbers beyond the last
// found.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/region.hpp"

VECH_TARGET_BEGIN
namespace {

inline Word16 operator&(Word16 a, Word16 b) { return {a.low & b.low, a.high & b.high}; }
template <class W>
bool any(W word) {
    return word != W{};
}

// What vectors do to words of at least `least_vector` bytes: `hits` has a bit for each lane where v & keep is not zero;
// `chosen` moves the lanes of a mask to the front, in a register, because compressing into memory is microcoded on some
// processors. In plain reads of the half (n = 8001, fresh output, GCC 12), at 1 % and 20 % nonzero:
//               float64        float32        bytes
//   plain loops 1.6    2.5     2.1    3.4     12     20
//   avx2        1.45   2.1     1.4    2.1
//   avx512-icl  1.15   1.9     1.15   1.9     3      5
#if VECH_VECTOR == 64
#if defined(VECH_ICL)
constexpr int least_vector = 1;
#else
constexpr int least_vector = 4;  // compressing words of 1 and 2 bytes needs VBMI2
#endif
using Vector = __m512i;

inline Vector load_vector(const void* from) { return _mm512_loadu_si512(from); }
inline void store_vector(void* to, Vector v) { _mm512_storeu_si512(to, v); }

template <class W>
std::uint64_t hits(Vector v, Vector keep) {
    if constexpr (sizeof(W) == 1) return _mm512_test_epi8_mask(v, keep);
    if constexpr (sizeof(W) == 2) return _mm512_test_epi16_mask(v, keep);
    if constexpr (sizeof(W) == 4) return _mm512_test_epi32_mask(v, keep);
    const std::uint32_t parts = _mm512_test_epi64_mask(v, keep);
    return sizeof(W) == 8 ? parts : _pext_u32(parts | parts >> 1, 0x55);
}

template <class W>
std::uint64_t hits_above(Vector v, Vector keep, Vector bound) {
    const Vector kept = _mm512_and_si512(v, keep);
    return sizeof(W) == 4 ? _mm512_cmpgt_epi32_mask(kept, bound) : _mm512_cmpgt_epi64_mask(kept, bound);
}

template <class W>
Vector chosen(std::uint64_t mask, Vector v) {
#if defined(VECH_ICL)
    if constexpr (sizeof(W) == 1) return _mm512_maskz_compress_epi8(mask, v);
    if constexpr (sizeof(W) == 2) return _mm512_maskz_compress_epi16(static_cast<__mmask32>(mask), v);
#endif
    if constexpr (sizeof(W) == 4) return _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), v);
    if constexpr (sizeof(W) == 16) mask = _pdep_u32(static_cast<std::uint32_t>(mask), 0x55) * 3;
    return _mm512_maskz_compress_epi64(static_cast<__mmask8>(mask), v);
}

inline Vector columns_from(std::int64_t first) {
    const Vector steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)), steps);
}
#elif VECH_VECTOR == 32
constexpr int least_vector = 4;
using Vector = __m256i;

inline Vector load_vector(const void* from) { return _mm256_loadu_si256(static_cast<const Vector*>(from)); }
inline void store_vector(void* to, Vector v) { _mm256_storeu_si256(static_cast<Vector*>(to), v); }

template <class W>
std::uint64_t hits(Vector v, Vector keep) {
    const Vector kept = _mm256_and_si256(v, keep), zero = _mm256_setzero_si256();
    if constexpr (sizeof(W) == 4) return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(kept, zero))) ^ 0xff;
    const std::uint32_t parts = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(kept, zero))) ^ 0xf;
    return sizeof(W) == 8 ? parts : _pext_u32(parts | parts >> 1, 0x5);
}

template <class W>
std::uint64_t hits_above(Vector v, Vector keep, Vector bound) {
    const Vector kept = _mm256_and_si256(v, keep);
    if constexpr (sizeof(W) == 4) return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(kept, bound)));
    return _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(kept, bound)));
}

// For each mask of 8 lanes, the lanes that are in it.
constexpr auto lanes_of = [] {
    std::array<std::array<std::uint8_t, 8>, 256> table{};
    for (std::size_t mask = 0; mask < 256; ++mask)
        for (std::uint8_t lane = 0, at = 0; lane < 8; ++lane)
            if (mask >> lane & 1) table[mask][at++] = lane;
    return table;
}();

template <class W>
Vector chosen(std::uint64_t mask, Vector v) {
    auto lanes = static_cast<std::uint32_t>(mask);
    if constexpr (sizeof(W) == 8) lanes = _pdep_u32(lanes, 0x55) * 3;
    if constexpr (sizeof(W) == 16) lanes = _pdep_u32(lanes, 0x11) * 15;
    const auto order = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(lanes_of[lanes].data()));
    return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(order));
}

inline Vector columns_from(std::int64_t first) {
    const Vector steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(first)), steps);
}
#else
constexpr int least_vector = 32;
#endif

// The numbers among `count` with (word & keep) != 0, and their columns, in order. Returns how many. Bounded: those with
// (word & keep) > bound, which are floats of 4 or 8 bytes: without their signs these compare as integers do, NaN last.
template <class W, bool bounded = false>
std::int64_t compress(const std::byte* words, std::int64_t count, W keep, std::int64_t first, W* values,
                      std::int32_t* columns, W bound = {}) noexcept {
    constexpr int item = sizeof(W);
    std::int64_t found = 0, k = 0;
    const auto one = [&](std::int64_t at) {
        const W word = load<W>(words + at * item);
        values[found] = word;
        columns[found] = static_cast<std::int32_t>(first + at);
        if constexpr (bounded)
            found += (word & keep) > bound;
        else
            found += any(word & keep);
    };
    std::array<W, 64 / item> wanted;
    wanted.fill(keep);
    if constexpr (item >= least_vector) {
#if VECH_VECTOR > 16
        constexpr int lanes = VECH_VECTOR / item, line = 64 / item, group = std::min(lanes, VECH_VECTOR / 4);
        const Vector mask_of_keep = load_vector(wanted.data());
        [[maybe_unused]] Vector bounds;
        if constexpr (bounded) {
            wanted.fill(bound);
            bounds = load_vector(wanted.data());
        }
        const auto wanted_of = [&](Vector v) {
            if constexpr (bounded)
                return hits_above<W>(v, mask_of_keep, bounds);
            else
                return hits<W>(v, mask_of_keep);
        };
        const auto mask_of = [&](std::int64_t at) {
            // Processors stop reading ahead where a page ends and where a guess failed: at 20 % nonzero this is 1.9
            // reads for 2.2.
            constexpr std::uintptr_t ahead = 4096;
            _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(words + at * item) + ahead),
                         _MM_HINT_T0);
            std::uint64_t mask = 0;
            for (int lane = 0; lane < line; lane += lanes)
                mask |= wanted_of(load_vector(words + (at + lane) * item)) << lane;
            return mask;
        };
        const auto take = [&](std::int64_t at, std::uint64_t mask) {
            for (int lane = 0; lane < line; lane += lanes) {
                const Vector v = load_vector(words + (at + lane) * item);
                auto rest = lanes == 64 ? mask : mask >> lane & ((std::uint64_t{1} << lanes % 64) - 1);
                store_vector(values + found, chosen<W>(rest, v));
                for (int from = lane; from < lane + lanes; from += group, rest >>= group) {
                    const auto part = rest & ((std::uint64_t{1} << group) - 1);
                    store_vector(columns + found, chosen<std::int32_t>(part, columns_from(first + at + from)));
                    found += std::popcount(part);
                }
            }
        };
        // 64 numbers by 64, of which up to two are put down whether they are there or not: no branch foresees them.
        for (; k + 64 <= count; k += 64) {
            std::uint64_t mask = 0;
            for (int at = 0; at < 64; at += line) mask |= mask_of(k + at) << at;
            if (const auto many = std::popcount(mask); many <= 2) {
                for (int slot = 0; slot < 2; ++slot, mask &= mask - 1) {
                    const auto at = k + std::countr_zero(mask) % 64;
                    values[found + slot] = load<W>(words + at * item);
                    columns[found + slot] = static_cast<std::int32_t>(first + at);
                }
                found += many;
            } else {
                for (int at = 0; at < 64; at += line) take(k + at, mask >> at);
            }
        }
        for (; k + line <= count; k += line)
            if (const auto mask = mask_of(k); mask != 0) take(k, mask);
#endif
    } else {
        constexpr int block = 128 / item;
        for (; k + block <= count; k += block) {
            Word16 seen{};
            for (int at = 0; at < 128; at += 16) {
                const auto part = load<Word16>(words + k * item + at);
                seen.low |= part.low;
                seen.high |= part.high;
            }
            if (!any(seen & load<Word16>(wanted.data()))) continue;
            for (int at = 0; at < block; ++at) one(k + at);
        }
    }
    for (; k < count; ++k) one(k);
    return found;
}

}  // namespace
VECH_TARGET_END
