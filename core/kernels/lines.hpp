// lines: what kernels know of cache lines, and of when to go past the caches.
#pragma once
#include "core/cache.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"

VECH_TARGET_BEGIN
namespace {

inline __attribute__((always_inline)) void stream_line(std::byte* to, const std::byte* from) {
#if VECH_VECTOR == 64
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
#elif VECH_VECTOR == 32
    for (int k = 0; k < 64; k += 32)
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to + k),
                            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + k)));
#elif defined(__x86_64__)
    for (int k = 0; k < 64; k += 16)
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + k),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + k)));
#else
    std::memcpy(to, from, 64);
#endif
}

inline void finish_streams() {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

constexpr std::int64_t line_bytes = 64;
constexpr std::int64_t unit_bytes = std::int64_t{1} << 20;
// From so many bytes on, records are streamed past the caches: they take less work than what `streamed_bytes` is for.
constexpr std::int64_t streamed_records = std::int64_t{64} << 20;

inline std::int64_t bytes_to_line(const std::byte* address) {
    return static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(address) & (line_bytes - 1));
}

// Bytes side by side; the last vector covers some of the one before.
VECH_INLINE void copy_vectors(std::byte* to, const std::byte* from, std::int64_t bytes) {
    typedef std::uint8_t V __attribute__((vector_size(VECH_VECTOR), aligned(1), may_alias));
    constexpr std::int64_t vector = VECH_VECTOR;
    const auto copy = [&](std::int64_t k)
                          VECH_ALWAYS { *reinterpret_cast<V*>(to + k) = *reinterpret_cast<const V*>(from + k); };
    if (bytes >= vector) {
        for (std::int64_t k = 0; k + vector < bytes; k += vector) copy(k);
        return copy(bytes - vector);
    }
#if VECH_VECTOR == 64
    const __mmask64 mask = (__mmask64{1} << bytes) - 1;
    _mm512_mask_storeu_epi8(to, mask, _mm512_maskz_loadu_epi8(mask, from));
#else
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
#endif
}

// Bytes side by side, whole lines of them past the caches.
VECH_INLINE void stream_lines(std::byte* to, const std::byte* from, std::int64_t bytes) {
    std::int64_t done = std::min(bytes_to_line(to), bytes);
    if (done > 0) std::memcpy(to, from, static_cast<std::size_t>(done));
    for (; done + line_bytes <= bytes; done += line_bytes) stream_line(to + done, from + done);
    if (done < bytes) std::memcpy(to + done, from + done, static_cast<std::size_t>(bytes - done));
}

}  // namespace
VECH_TARGET_END
