// lanes: vectors of real numbers, and a product fused with its sum where the target can.
#pragma once
#include "core/kernels/region.hpp"
#include "core/layout.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real, int bytes>
struct Lanes {
    static constexpr int count = bytes / static_cast<int>(sizeof(Real));
    typedef Real type __attribute__((vector_size(bytes)));
};

template <class V, int... lane>
VECH_INLINE V swap_lanes(V v, std::integer_sequence<int, lane...>) {
    return __builtin_shufflevector(v, v, (lane ^ 1)...);
}

// The number in all lanes; V{} + number would be an addition.
template <class V, class Real, int... lane>
VECH_INLINE V repeat(Real number, std::integer_sequence<int, lane...>) {
    return V{(static_cast<void>(lane), number)...};
}

// All lanes, half of them added to the other half until one is left.
template <class V>
VECH_INLINE auto sum_of(V v) {
    using Real = std::remove_cvref_t<decltype(v[0])>;
    constexpr int count = sizeof(V) / sizeof(Real);
    if constexpr (count == 2) {
        return v[0] + v[1];
    } else {
        typename Lanes<Real, sizeof(V) / 2>::type parts[2];
        std::memcpy(parts, &v, sizeof v);
        return sum_of(parts[0] + parts[1]);
    }
}

// a * b + c
template <class Real, class V>
VECH_INLINE V fused(V a, V b, V c) {
    [[maybe_unused]] constexpr bool single = sizeof(Real) == 4;
#if VECH_VECTOR == 64
    if constexpr (single) return reinterpret_cast<V>(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
    if constexpr (!single) return reinterpret_cast<V>(_mm512_fmadd_pd(__m512d(a), __m512d(b), __m512d(c)));
#elif VECH_VECTOR == 32
    if constexpr (single) return reinterpret_cast<V>(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
    if constexpr (!single) return reinterpret_cast<V>(_mm256_fmadd_pd(__m256d(a), __m256d(b), __m256d(c)));
#else
    return a * b + c;
#endif
}

}  // namespace
VECH_TARGET_END
