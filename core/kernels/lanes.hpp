// lanes: vectors of real numbers.
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

}  // namespace
VECH_TARGET_END
