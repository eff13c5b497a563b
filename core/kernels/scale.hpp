// scale: adjoining real numbers, each by the same number or by its own, in vectors where the target has AVX-512.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/lines.hpp"
#include "core/kernels/region.hpp"

VECH_TARGET_BEGIN
namespace {

#if VECH_VECTOR == 64
// How the numbers of one vector are scaled, as `Scaling` does it: x * before / divisor * after.
template <class W>
struct VectorScaling {
    static constexpr int lanes = VECH_VECTOR / sizeof(W);
    alignas(line_bytes) double before[lanes], divisor[lanes], after[lanes];
    unsigned numbers = 0;  // a bit for each that is scaled; the others keep their bits
    bool divides = false;

    VectorScaling() = default;
    explicit VectorScaling(const Change& change) : numbers((1u << lanes) - 1), divides(change.divisor != 1.0) {
        const auto [first, last] = change.around();
        std::fill_n(before, lanes, first);
        std::fill_n(divisor, lanes, change.divisor);
        std::fill_n(after, lanes, last);
    }

    void set(int lane, const Change& change) {
        std::tie(before[lane], after[lane]) = change.around();
        divisor[lane] = change.divisor;
        divides |= divisor[lane] != 1.0;
        numbers |= static_cast<unsigned>(change.scale != Change::Scale::none) << lane;
    }
    template <bool general>
    VECH_INLINE __m512d scaled(__m512d x, int lane) const {
        if constexpr (general)
            x = _mm512_div_pd(_mm512_mul_pd(x, _mm512_load_pd(before + lane)), _mm512_load_pd(divisor + lane));
        return _mm512_mul_pd(x, _mm512_load_pd(after + lane));
    }
    template <bool general>
    VECH_INLINE __m512i operator()(__m512i word, unsigned& overflow) const {
        const auto mask = static_cast<std::conditional_t<lanes == 8, __mmask8, __mmask16>>(numbers);
        if constexpr (sizeof(W) == 8) {
            const __m512d most = _mm512_set1_pd(std::numeric_limits<double>::max()), x = _mm512_castsi512_pd(word);
            const __m512d y = scaled<general>(x, 0);
            overflow |= _mm512_mask_cmp_pd_mask(mask, _mm512_abs_pd(x), most, _CMP_LE_OQ) &
                        _mm512_cmp_pd_mask(_mm512_abs_pd(y), most, _CMP_GT_OQ);
            return _mm512_castpd_si512(_mm512_mask_mov_pd(x, mask, y));
        } else {
            const __m512 most = _mm512_set1_ps(std::numeric_limits<float>::max()), x = _mm512_castsi512_ps(word);
            const auto half = [&](__m256 part, int lane) {  // the plain intrinsics make GCC 12 warn of its own headers
                return _mm512_maskz_cvtpd_ps(0xff, scaled<general>(_mm512_maskz_cvtps_pd(0xff, part), lane));
            };
            const __m256 low = half(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7), 0),
                         high = half(_mm512_maskz_extractf32x8_ps(0xff, x, 1), 8);
            const __m512 y = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            overflow |= _mm512_mask_cmp_ps_mask(mask, _mm512_abs_ps(x), most, _CMP_LE_OQ) &
                        _mm512_cmp_ps_mask(_mm512_abs_ps(y), most, _CMP_GT_OQ);
            return _mm512_castps_si512(_mm512_mask_mov_ps(x, mask, y));
        }
    }
};

template <class W>
constexpr bool scales_vectors = sizeof(W) == 4 || sizeof(W) == 8;

// Whether the change is nothing but a scale of real numbers of this size.
template <class W>
bool is_scale(const Change& change) {
    return change.only_scales() && change.scale == (sizeof(W) == 8 ? Change::Scale::f8 : Change::Scale::f4);
}

// Adjoining numbers, scaled; whole lines of them past the caches if it `streams`. Whether a finite one became infinite.
template <class W, bool divides>
bool scale_row(const VectorScaling<W>& scaling, const std::byte* from, std::byte* to, std::int64_t count,
               bool streams) {
    constexpr std::int64_t item = sizeof(W), lanes = VECH_VECTOR / item;
    unsigned overflow = 0;
    const auto some = [&](std::int64_t k, std::int64_t numbers) {
        const auto mask = static_cast<std::conditional_t<lanes == 8, __mmask8, __mmask16>>((1u << numbers) - 1);
        const auto scaled = [&](__m512i words) { return scaling.template operator()<divides>(words, overflow); };
        if constexpr (item == 4)
            _mm512_mask_storeu_epi32(to + k * item, mask, scaled(_mm512_maskz_loadu_epi32(mask, from + k * item)));
        else
            _mm512_mask_storeu_epi64(to + k * item, mask, scaled(_mm512_maskz_loadu_epi64(mask, from + k * item)));
    };
    streams &= bytes_to_line(to) % item == 0;
    std::int64_t k = streams ? std::min(bytes_to_line(to) / item, count) : 0;
    if (k > 0) some(0, k);
    for (; k + lanes <= count; k += lanes) {
        // 1.0 copies for 1.4, float32, where half of a vector's conversions wait for memory (Zen 5)
        if (streams) __builtin_prefetch(from + k * item + 2048, 0, 3);
        const __m512i words = scaling.template operator()<divides>(_mm512_loadu_si512(from + k * item), overflow);
        if (streams)
            _mm512_stream_si512(reinterpret_cast<__m512i*>(to + k * item), words);
        else
            _mm512_storeu_si512(to + k * item, words);
    }
    if (k < count) some(k, count - k);
    return overflow != 0;
}
template <class W>
bool scale_row(const VectorScaling<W>& scaling, const std::byte* from, std::byte* to, std::int64_t count,
               bool streams) {
    return scaling.divides ? scale_row<W, true>(scaling, from, to, count, streams)
                           : scale_row<W, false>(scaling, from, to, count, streams);
}

// Adjoining real or complex numbers of which nothing is changed but their scale.
template <class Real>
bool scale_all(const Change& change, const std::byte* from, void* to, std::int64_t count) {
    return scale_row<Real>(VectorScaling<Real>(change), from, static_cast<std::byte*>(to), count, false);
}
#endif

// As `apply`, by vectors where adjoining numbers are only scaled: expand, svec, n = 3000, 2.8 copies for 8.9 in
// float32, 2.2 for 5.3 in float64, 2.1 for 8.6 in complex64 (Zen 5).
template <class W>
bool change_row(const Change& change, const std::byte* from, std::int64_t step, W* to, std::int64_t count) {
#if VECH_VECTOR == 64
    constexpr std::int64_t item = sizeof(W);
    if (step == item && change.only_scales()) {
        if (change.scale == Change::Scale::f4) return scale_all<std::uint32_t>(change, from, to, count * (item / 4));
        return scale_all<std::uint64_t>(change, from, to, count * (item / 8));
    }
#endif
    return apply<W>(change, from, step, to, count);
}

}  // namespace
VECH_TARGET_END
