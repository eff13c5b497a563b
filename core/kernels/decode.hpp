// decode: a tile of codes -> its levels, in rows side by side.
//
// Formula      a number is level(code) * scale, or code * scale + zero where the encoding is affine.
// Codes        8 and 16 bits: row after row. 1 bit: row after row, the least significant first. 4 bits: the rows of
//              a group share sixteen 32-bit words; the code of row r and column c is nibble (r % group) * (width /
//              16) + c / 16 of word c % 16, so that a shift alone brings sixteen columns into their lanes.
// Bytes moved  the codes once; levels stay in L1. 2.0 ms for 33.5 million codes of 4 bits, with their products
//              (AVX-512).
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/lanes.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/quantized.hpp"

VECH_TARGET_BEGIN
namespace {

// Lanes of a vector of numbers, and as many integers.
template <class Real>
struct CodeLanes {
    static constexpr int count = Lanes<Real, VECH_VECTOR>::count;
    using V = typename Lanes<Real, VECH_VECTOR>::type;
    typedef std::uint32_t U __attribute__((vector_size(4 * count)));
    typedef std::uint64_t U64 __attribute__((vector_size(8 * count)));
    typedef std::int32_t I __attribute__((vector_size(4 * count)));
    typedef float F __attribute__((vector_size(4 * count)));
    typedef std::uint8_t U8 __attribute__((vector_size(count)));
    typedef std::int8_t I8 __attribute__((vector_size(count)));
    typedef std::uint16_t U16 __attribute__((vector_size(2 * count)));

    template <int... lane>
    static VECH_INLINE U iota(std::integer_sequence<int, lane...>) {
        return U{static_cast<std::uint32_t>(lane)...};
    }
    static VECH_INLINE U iota() { return iota(std::make_integer_sequence<int, count>{}); }
};

template <class Real>
VECH_INLINE typename CodeLanes<Real>::V in_all_lanes(Real number) {
    return repeat<typename CodeLanes<Real>::V>(number, std::make_integer_sequence<int, CodeLanes<Real>::count>{});
}

// Between bytes and lanes, for which GCC 12 would take a dozen instructions.
template <class Real>
VECH_INLINE typename CodeLanes<Real>::I widened(typename CodeLanes<Real>::I8 codes) {
    using I = typename CodeLanes<Real>::I;
    [[maybe_unused]] constexpr int count = CodeLanes<Real>::count;
#if VECH_VECTOR == 64
    if constexpr (count == 16) return reinterpret_cast<I>(_mm512_maskz_cvtepi8_epi32(0xffff, __m128i(codes)));
#endif
#if VECH_VECTOR >= 32
    if constexpr (count == 8)
        return reinterpret_cast<I>(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(&codes))));
    if constexpr (count == 4) return reinterpret_cast<I>(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(load<int>(&codes))));
#endif
    return __builtin_convertvector(codes, I);
}
template <class Real>
VECH_INLINE typename CodeLanes<Real>::U widened(typename CodeLanes<Real>::U8 codes) {
    using U = typename CodeLanes<Real>::U;
    [[maybe_unused]] constexpr int count = CodeLanes<Real>::count;
#if VECH_VECTOR == 64
    if constexpr (count == 16) return reinterpret_cast<U>(_mm512_maskz_cvtepu8_epi32(0xffff, __m128i(codes)));
#endif
#if VECH_VECTOR >= 32
    if constexpr (count == 8)
        return reinterpret_cast<U>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(&codes))));
    if constexpr (count == 4) return reinterpret_cast<U>(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(load<int>(&codes))));
#endif
    return __builtin_convertvector(codes, U);
}
template <class Real>
VECH_INLINE typename CodeLanes<Real>::U widened(typename CodeLanes<Real>::U16 codes) {
    return __builtin_convertvector(codes, typename CodeLanes<Real>::U);
}
template <class Real>
VECH_INLINE typename CodeLanes<Real>::U8 narrowed(typename CodeLanes<Real>::U codes) {
    using C = CodeLanes<Real>;
#if VECH_VECTOR == 64
    if constexpr (C::count == 16)
        return reinterpret_cast<typename C::U8>(_mm512_maskz_cvtepi32_epi8(0xffff, __m512i(codes)));
#endif
    return __builtin_convertvector(__builtin_convertvector(codes, typename C::U16), typename C::U8);
}

// Sixteen numbers, of which each lane takes that of its four lowest bits.
template <class Real>
struct Sixteen {
    using V = typename CodeLanes<Real>::V;
    Real numbers[16] = {};

    VECH_INLINE V operator[](typename CodeLanes<Real>::U which) const {
#if VECH_VECTOR == 64
        if constexpr (sizeof(Real) == 4)
            return reinterpret_cast<V>(_mm512_maskz_permutexvar_ps(0xffff, __m512i(which), _mm512_loadu_ps(numbers)));
        else
            return reinterpret_cast<V>(_mm512_permutex2var_pd(
                _mm512_loadu_pd(numbers),
                reinterpret_cast<__m512i>(__builtin_convertvector(which, typename CodeLanes<Real>::U64)),
                _mm512_loadu_pd(numbers + 8)));
#elif VECH_VECTOR == 32
        if constexpr (sizeof(Real) == 4) {
            const auto low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(numbers), __m256i(which));
            const auto high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(numbers + 8), __m256i(which));
            const auto upper = _mm256_castsi256_ps(_mm256_slli_epi32(__m256i(which), 28));
            return reinterpret_cast<V>(_mm256_blendv_ps(low, high, upper));
        }
#endif
        V found;
        for (int lane = 0; lane < CodeLanes<Real>::count; ++lane) found[lane] = numbers[which[lane] & 15];
        return found;
    }
};

// Numbers of few bits: subnormal ones come right by the multiplication.
template <class Real, int bits, int mantissa, int bias>
struct NarrowLevels {
    using C = CodeLanes<Real>;
    static VECH_INLINE typename C::V of(typename C::U codes) {
        constexpr std::uint32_t sign = 1u << (bits - 1);
        constexpr auto scale = std::bit_cast<float>(static_cast<std::uint32_t>(127 + 127 - bias) << 23);
        if constexpr (bits == 16 && bias == 127)
            return __builtin_convertvector(reinterpret_cast<typename C::F>(codes << 16), typename C::V);
        const typename C::U magnitude = (codes & (sign - 1)) << (23 - mantissa);
        const typename C::F value = reinterpret_cast<typename C::F>(magnitude) * scale;
        const typename C::U signs = (codes & sign) << (32 - bits);
        return __builtin_convertvector(reinterpret_cast<typename C::F>(reinterpret_cast<typename C::U>(value) | signs),
                                       typename C::V);
    }
};

// Calls visitor(bits, mantissa and bias, as a sequence) of an encoding of numbers.
template <class Visitor>
VECH_INLINE void with_number(const Encoding& encoding, Visitor&& visitor) {
    if (encoding.bits == 16 && encoding.bias == 127) return visitor(std::integer_sequence<int, 16, 7, 127>{});
    if (encoding.bits == 16) return visitor(std::integer_sequence<int, 16, 10, 15>{});
    if (encoding.mantissa == 3) return visitor(std::integer_sequence<int, 8, 3, 7>{});
    visitor(std::integer_sequence<int, 8, 2, 15>{});
}

// Calls visitor(lanes of codes, how these become levels), of codes in bytes or in two: those of fewer bits are spread.
template <class Real, class Visitor>
VECH_INLINE void with_codes(const Encoding& encoding, const Sixteen<Real>& levels, Visitor&& visitor) {
    using C = CodeLanes<Real>;
    using V = typename C::V;
    using U8 = typename C::U8;
    const auto real = [](typename C::I codes) VECH_ALWAYS { return __builtin_convertvector(codes, V); };
    const auto whole = [](U8 codes) VECH_ALWAYS { return reinterpret_cast<typename C::I>(widened<Real>(codes)); };
    switch (encoding.family) {
        using enum Encoding::Family;
        case integer:
            return visitor(typename C::I8{}, [=](typename C::I8 c) VECH_ALWAYS { return real(widened<Real>(c)); });
        case affine: return visitor(U8{}, [=](U8 c) VECH_ALWAYS { return real(whole(c)); });
        case table: return visitor(U8{}, [&](U8 c) VECH_ALWAYS { return levels[widened<Real>(c)]; });
        case sign: return visitor(U8{}, [=](U8 c) VECH_ALWAYS { return real(whole(c) * 2 - 1); });
        case number: break;
    }
    with_number(encoding, [&]<int bits, int mantissa, int bias>(std::integer_sequence<int, bits, mantissa, bias>) {
        using Code = std::conditional_t<bits == 16, typename C::U16, U8>;
        visitor(Code{},
                [](Code c) VECH_ALWAYS { return NarrowLevels<Real, bits, mantissa, bias>::of(widened<Real>(c)); });
    });
}

// Codes of less than 8 bits, a byte each.
template <std::int64_t width>
void spread(const Encoding& encoding, const std::byte* codes, std::int64_t rows, std::byte* out, std::int64_t pitch) {
    using C = CodeLanes<float>;
    constexpr std::int64_t lanes = C::count, words = Quantized::words, parts = width / words;
    if (encoding.bits == 1) {
        for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t c = 0; c < width; c += lanes) {
                const auto bits = load<std::uint32_t>(codes + (r * width + c / 32 * 32) / 8) >> (c % 32);
                store(out + r * pitch + c, narrowed<float>(((typename C::U{} + bits) >> C::iota()) & 1));
            }
        return;
    }
    constexpr std::int64_t together = 8 / parts;
    for (std::int64_t first = 0; first < rows; first += together, codes += 4 * words, out += together * pitch)
        for (std::int64_t lane = 0; lane < words; lane += lanes) {
            auto word = load<typename C::U>(codes + 4 * lane);
            for (std::int64_t r = 0; r < together; ++r)
                for (std::int64_t part = 0; part < parts; ++part, word >>= 4)
                    store(out + r * pitch + part * words + lane, narrowed<float>(word & 15));
        }
}

template <class Real>
class Decoder {
    using C = CodeLanes<Real>;
    using V = typename C::V;
    static constexpr int lanes = C::count;

  public:
    explicit Decoder(const Quantized& half) : half_(half) {
        for (std::size_t k = 0; k < 16; ++k) levels_.numbers[k] = static_cast<Real>(half.levels[k]);
    }

    // Levels of a tile in as many rows as are stored; on the diagonal those below it, and zeros. Gives the scale that
    // is still to be multiplied with.
    Real tile(std::int64_t i, std::int64_t j, Real* out, std::int64_t pitch) const {
        const auto rows = half_.stored(i), width = half_.width(), tile = half_.tile;
        const auto at = half_.number(i, j) * static_cast<std::int64_t>(sizeof(Real));
        auto scale = load<Real>(half_.scales + at);
        for (std::int64_t s = 0; s < half_.strips(); ++s)
            width == 64 ? strip<64>(half_.strip(i, j, s), rows, out + s * width, pitch)
                        : strip<32>(half_.strip(i, j, s), rows, out + s * width, pitch);
        if (half_.zeros != nullptr) {
            const auto zero = load<Real>(half_.zeros + at);
            for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t c = 0; c < tile; ++c) out[r * pitch + c] = out[r * pitch + c] * scale + zero;
            scale = 1;
        }
        if (i == j)
            for (std::int64_t r = 0; r < rows; ++r) std::fill(out + r * pitch + r, out + r * pitch + tile, Real{0});
        return scale;
    }

    const Sixteen<Real>& levels() const { return levels_; }

  private:
    template <std::int64_t width>
    void strip(const std::byte* codes, std::int64_t rows, Real* out, std::int64_t pitch) const {
        if (half_.encoding->family == Encoding::Family::table) return nibbles<width>(codes, rows, out, pitch);
        if (half_.encoding->family == Encoding::Family::sign) return signs<width>(codes, rows, out, pitch);
        with_codes(*half_.encoding, levels_, [&]<class Code, class Level>(Code, const Level& level) VECH_ALWAYS {
            for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t c = 0; c < width; c += lanes)
                    store(out + r * pitch + c,
                          level(load<Code>(codes + (r * width + c) * static_cast<std::int64_t>(sizeof(Code)) / lanes)));
        });
    }

    template <std::int64_t width>
    void nibbles(const std::byte* codes, std::int64_t rows, Real* out, std::int64_t pitch) const {
        constexpr std::int64_t words = Quantized::words, parts = width / words, together = 8 / parts;
        const auto levels = levels_;  // which no store can change
        for (std::int64_t first = 0; first < rows; first += together, codes += 4 * words, out += together * pitch)
            for (std::int64_t lane = 0; lane < words; lane += lanes) {
                auto word = load<typename C::U>(codes + 4 * lane);
                for (std::int64_t r = 0; r < together; ++r)
                    for (std::int64_t part = 0; part < parts; ++part, word >>= 4)
                        store(out + r * pitch + part * words + lane, levels[word]);
            }
    }

    template <std::int64_t width>
    void signs(const std::byte* codes, std::int64_t rows, Real* out, std::int64_t pitch) const {
        for (std::int64_t r = 0; r < rows; ++r, codes += width / 8, out += pitch) {
            const auto row = load<std::conditional_t<width == 64, std::uint64_t, std::uint32_t>>(codes);
            for (std::int64_t c = 0; c < width; c += lanes) {
                const auto bits = static_cast<std::uint32_t>(row >> c);
#if VECH_VECTOR == 64
                if constexpr (sizeof(Real) == 4)
                    store(out + c,
                          _mm512_mask_blend_ps(static_cast<__mmask16>(bits), _mm512_set1_ps(-1), _mm512_set1_ps(1)));
                else
                    store(out + c,
                          _mm512_mask_blend_pd(static_cast<__mmask8>(bits), _mm512_set1_pd(-1), _mm512_set1_pd(1)));
#else
                const typename C::U ones = ((typename C::U{} + bits) >> C::iota()) & 1;
                store(out + c, __builtin_convertvector(reinterpret_cast<typename C::I>(ones * 2 - 1), V));
#endif
            }
        }
    }

    const Quantized& half_;
    Sixteen<Real> levels_;
};

}  // namespace
VECH_TARGET_END
