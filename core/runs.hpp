// The runs of a half in shares of about equal length.
#pragma once
#include <cstdint>
#include <utility>

#include "core/layout.hpp"

namespace vech {

// The first run that begins at cell `cell` or later.
inline std::int64_t run_at(const Half& half, std::int64_t cell) {
    std::int64_t low = 0, high = half.n;
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        if (half.origin(middle) + half.first(middle) < cell)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Runs [first, last) of one of `shares` parts of about equal length.
inline std::pair<std::int64_t, std::int64_t> share_of(const Half& half, std::int64_t share, std::int64_t shares) {
    const auto bound = [&](std::int64_t k) { return k == shares ? half.n : run_at(half, half.length() / shares * k); };
    return {share == 0 ? 0 : bound(share), bound(share + 1)};
}

}  // namespace vech
