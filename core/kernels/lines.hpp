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

inline std::int64_t bytes_to_line(const std::byte* address) {
    return static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(address) & (line_bytes - 1));
}

// A line in registers.
struct Line {
    typedef std::uint64_t Part __attribute__((vector_size(VECH_VECTOR), aligned(1), may_alias));
    static constexpr int parts = 64 / VECH_VECTOR;
    Part part[parts];
};

// The line of words that begins `skip` words after the first of line a and goes on in line b.
template <class W>
class Joint {
    static constexpr int item = sizeof(W);
#if VECH_VECTOR == 64
    __m512i index_;
    __m128i right_, left_;  // of words of 1 byte, which are joined as those of 2: by so many bits
#else
    int bytes_;
#endif
  public:
#if VECH_VECTOR == 64
    VECH_INLINE explicit Joint(int skip) {
        if constexpr (item >= 8) {
            index_ = _mm512_add_epi64(_mm512_set1_epi64(skip * (item / 8)), counting<std::int64_t>());
        } else if constexpr (item == 4) {
            index_ = _mm512_add_epi32(_mm512_set1_epi32(skip), counting<std::int32_t>());
        } else {
            index_ =
                _mm512_add_epi16(_mm512_set1_epi16(static_cast<short>(skip * item >> 1)), counting<std::int16_t>());
            right_ = _mm_cvtsi32_si128((skip * item & 1) * 8);
            left_ = _mm_cvtsi32_si128(16 - (skip * item & 1) * 8);
        }
    }
    VECH_INLINE __m512i joined(const Line& a, const Line& b) const {
        const auto x = reinterpret_cast<__m512i>(a.part[0]), y = reinterpret_cast<__m512i>(b.part[0]);
        if constexpr (item >= 8) return _mm512_permutex2var_epi64(x, index_, y);
        if constexpr (item == 4) return _mm512_permutex2var_epi32(x, index_, y);
        const __m512i here = _mm512_permutex2var_epi16(x, index_, y);
        if constexpr (item == 2) return here;
        const __m512i next = _mm512_permutex2var_epi16(x, _mm512_add_epi16(index_, _mm512_set1_epi16(1)), y);
        return _mm512_or_si512(_mm512_srl_epi16(here, right_), _mm512_sll_epi16(next, left_));
    }
    VECH_INLINE void stream(std::byte* to, const Line& a, const Line& b) const {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(to), joined(a, b));
    }
    // Bytes [begin, end) of it, to where they begin.
    VECH_INLINE void store(std::byte* to, int begin, int end, const Line& a, const Line& b) const {
        const __mmask64 below = end == 64 ? ~__mmask64{0} : (__mmask64{1} << end) - 1;
        _mm512_mask_storeu_epi8(to, below & ~((__mmask64{1} << begin) - 1), joined(a, b));
    }

  private:
    template <class Count>
    static VECH_INLINE __m512i counting() {
        static constexpr auto numbers = [] {
            std::array<Count, 64 / sizeof(Count)> all{};
            for (std::size_t k = 0; k < all.size(); ++k) all[k] = static_cast<Count>(k);
            return all;
        }();
        return _mm512_loadu_si512(numbers.data());
    }
#else
    VECH_INLINE explicit Joint(int skip) : bytes_(skip * item) {}
    VECH_INLINE void stream(std::byte* to, const Line& a, const Line& b) const {
        alignas(64) std::byte both[128];
        stream_line(to, joined(both, a, b));
    }
    VECH_INLINE void store(std::byte* to, int begin, int end, const Line& a, const Line& b) const {
        alignas(64) std::byte both[128];
        std::memcpy(to + begin, joined(both, a, b) + begin, static_cast<std::size_t>(end - begin));
    }

  private:
    VECH_INLINE const std::byte* joined(std::byte* both, const Line& a, const Line& b) const {
        std::memcpy(both, &a, sizeof a);
        std::memcpy(both + 64, &b, sizeof b);
        return both + bytes_;
    }
#endif
};

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
    if (done > 0) copy_vectors(to, from, done);
    for (; done + line_bytes <= bytes; done += line_bytes) stream_line(to + done, from + done);
    if (done < bytes) copy_vectors(to + done, from + done, bytes - done);
}

// Runs of bytes that mostly go side by side, past the caches: a line that one run ends and the next goes on with waits
// for both, since an ordinary store of each fetches it. Rows of a matrix to a half: 0.48 of a copy for 0.72 in float32,
// 0.67 for 1.3 in int8 (Zen 5, n = 4096).
class Joiner {
    static constexpr std::int64_t ahead = 4096;

    alignas(line_bytes) std::byte line_[line_bytes];
    std::byte* to_ = nullptr;
    std::int64_t begin_ = 0;  // of the line that `to_` is in: the bytes before are not ours

    std::int64_t used() const { return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(to_) % line_bytes); }

  public:
    Joiner() = default;
    ~Joiner() { leave(used()); }
    Joiner(const Joiner&) = delete;
    Joiner& operator=(const Joiner&) = delete;

    // After them come those at `next`.
    void add(std::byte* to, const std::byte* from, std::int64_t bytes, const std::byte* next) {
        if (to != to_) {
            leave(used());
            to_ = to;
            begin_ = used();
        }
        std::int64_t done = 0;
        if (const auto had = used(); had > 0) {
            done = std::min(line_bytes - had, bytes);
            copy_vectors(line_ + had, from, done);
            to_ += done;
            if (had + done < line_bytes) return;
            leave(line_bytes);
        }
        for (; done + line_bytes <= bytes; done += line_bytes) {
            const auto further = done + ahead;
            __builtin_prefetch(further < bytes ? from + further : next + (further - bytes));
            stream_line(to + done, from + done);
        }
        if (done < bytes) copy_vectors(line_, from + done, bytes - done);
        to_ = to + bytes;
    }

  private:
    // What there is of a line, up to its byte `end`, is written.
    void leave(std::int64_t end) {
        std::byte* const line = to_ - end;
        if (begin_ == 0 && end == line_bytes)
            stream_line(line, line_);
        else if (begin_ < end)
            copy_vectors(line + begin_, line_ + begin_, end - begin_);
        begin_ = 0;
    }
};

}  // namespace
VECH_TARGET_END
