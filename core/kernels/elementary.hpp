// elementary: logarithms and powers of vectors of doubles.
//
// Formula      log x = k log 2 + 2 atanh(z), x = 2^k f, z = (f - 1) / (f + 1), sqrt(1/2) <= f < sqrt(2).
//              exp x = 2^k exp r, |r| <= log(2) / 2.
// Error        below 1.5 and 1 units in the last place: polynomials are Chebyshev fits to 2^-58 and better.
// Assumes      log: positive normal numbers. exp: -708 <= x <= 709.
#pragma once
#include "core/kernels/lanes.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"

VECH_TARGET_BEGIN
namespace {

using Doubles = Lanes<double, VECH_VECTOR>::type;
using Mask = decltype(Doubles{} < Doubles{});
typedef std::uint64_t Words __attribute__((vector_size(VECH_VECTOR)));

VECH_INLINE Doubles all(double number) { return number - Doubles{}; }
VECH_INLINE Doubles plus(Doubles a, Doubles b, Doubles c) { return fused<double>(a, b, c); }  // a * b + c
VECH_INLINE Doubles choose(Mask where, Doubles a, Doubles b) { return where ? a : b; }
VECH_INLINE Doubles only(Mask where, Doubles a) { return reinterpret_cast<Doubles>(where & reinterpret_cast<Mask>(a)); }
VECH_INLINE Doubles size_of(Doubles a) {
    return reinterpret_cast<Doubles>(reinterpret_cast<Words>(a) & 0x7fffffffffffffffu);
}
VECH_INLINE Doubles larger(Doubles a, Doubles b) { return choose(a > b, a, b); }
// By the processor's own: compilers take lane after lane, of eight four times as long.
VECH_INLINE Doubles root(Doubles a) {
#if VECH_VECTOR == 64
    return reinterpret_cast<Doubles>(_mm512_maskz_sqrt_pd(0xff, __m512d(a)));
#elif VECH_VECTOR == 32
    return reinterpret_cast<Doubles>(_mm256_sqrt_pd(__m256d(a)));
#elif defined(__x86_64__)
    return reinterpret_cast<Doubles>(_mm_sqrt_pd(__m128d(a)));
#else
    for (int k = 0; k < static_cast<int>(sizeof a / sizeof a[0]); ++k) a[k] = std::sqrt(a[k]);
    return a;
#endif
}

// From the highest power down.
template <class... More>
VECH_INLINE Doubles polynomial(Doubles x, double first, More... more) {
    Doubles sum = all(first);
    ((sum = plus(sum, x, all(more))), ...);
    return sum;
}

constexpr double log2_high = 0x1.62e42feep-1, log2_low = 0x1.a39ef35793c76p-33;
constexpr double shifter = 0x1.8p52;  // what is added to it leaves its integer part in the low bits

VECH_INLINE Doubles log(Doubles x) {
    constexpr std::uint64_t half_root = 0x3fe6a09e667f3bcd, bias = 1023;
    const auto bits = reinterpret_cast<Words>(x);
    const Words exponent = (bits - half_root + (bias << 52)) >> 52;  // k + bias
    const Doubles k = reinterpret_cast<Doubles>(exponent + 0x4330000000000000u) - (0x1p52 + 1023.0);
    const Doubles f = reinterpret_cast<Doubles>(bits - ((exponent - bias) << 52));
    const Doubles z = (f - 1.0) / (f + 1.0), w = z * z;
    const Doubles more =
        polynomial(w, 0.1308723619665962, 0.13268714792348096, 0.15386241881938595, 0.18181795600060793,
                   0.22222222392089008, 0.28571428570801954, 0.4000000000000088, 0.6666666666666666);
    return plus(k, all(log2_high), 2.0 * z + plus(z * w, more, k * log2_low));
}

VECH_INLINE Doubles exp(Doubles x) {
    const Doubles shifted = plus(x, all(0x1.71547652b82fep0), all(shifter)), k = shifted - shifter;
    const Doubles r = plus(k, all(-log2_low), plus(k, all(-log2_high), x));
    const Doubles more = polynomial(r, 2.510038319586702e-08, 2.7620085455018414e-07, 2.7557268464831627e-06,
                                    2.4801521302241082e-05, 0.00019841269863050506, 0.001388888891720967,
                                    0.008333333333330063, 0.041666666666624136, 0.16666666666666669, 0.5);
    const Doubles power = 1.0 + plus(r * r, more, r);
    return reinterpret_cast<Doubles>(reinterpret_cast<Words>(power) + (reinterpret_cast<Words>(shifted) << 52));
}

}  // namespace
VECH_TARGET_END
