// formulas: dissimilarities of two rows of truth values, as SciPy has them.
//
// Formula      of how many features are true in both, in the first alone, in the second alone, in none. Each is the
// same
//              when the rows change places, to the bit.
// Error        counts are exact; a quotient is rounded once. 0 / 0 is NaN where SciPy has NaN.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/elementary.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/metrics.hpp"

VECH_TARGET_BEGIN
namespace {

struct Contingency {
    Doubles both, first, second, none;
    VECH_INLINE Doubles unlike() const { return first + second; }
    VECH_INLINE Doubles all() const { return (both + none) + unlike(); }
};

// a / b, and zero where a is.
VECH_INLINE Doubles part(Doubles a, Doubles b) { return only(a != 0.0, a / choose(a != 0.0, b, b + 1.0)); }

struct dice {
    VECH_INLINE static Doubles of(Contingency n) { return n.unlike() / (2.0 * n.both + n.unlike()); }
};
struct hamming_of_bits {
    VECH_INLINE static Doubles of(Contingency n) { return n.unlike() / n.all(); }
};
struct jaccard {
    VECH_INLINE static Doubles of(Contingency n) { return part(n.unlike(), n.both + n.unlike()); }
};
struct rogerstanimoto {
    VECH_INLINE static Doubles of(Contingency n) { return 2.0 * n.unlike() / (n.all() + n.unlike()); }
};
struct russellrao {
    VECH_INLINE static Doubles of(Contingency n) { return (n.unlike() + n.none) / n.all(); }
};
struct sokalsneath {
    VECH_INLINE static Doubles of(Contingency n) { return 2.0 * n.unlike() / (n.both + 2.0 * n.unlike()); }
};
struct yule {
    VECH_INLINE static Doubles of(Contingency n) {
        const Doubles cross = n.first * n.second;
        return part(2.0 * cross, n.both * n.none + cross);
    }
};

// Those of row r and the columns from `first` on that are kept, to their place; a row and itself get 0.
VECH_INLINE void put(double* distances, const Place& place, std::int64_t r, std::int64_t first, Range kept,
                     std::int64_t columns) {
    const auto same = place.row + r - place.column - first;
    if (kept.begin <= same && same < kept.end) distances[same] = 0;
    auto* const to = place.at(r, first + kept.begin, columns);
    if (place.real == 8) {
        std::memcpy(to, distances + kept.begin, static_cast<std::size_t>(kept.size()) * sizeof(double));
    } else {
        for (std::int64_t k = 0; k < kept.size(); ++k) store(to + k * 4, static_cast<float>(distances[kept.begin + k]));
    }
}

}  // namespace
VECH_TARGET_END
