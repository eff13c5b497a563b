// formulas: dissimilarities of two rows of truth values, as SciPy has them.
//
// Formula      of how many features are true in both, in the first alone, in the second alone, in none. Each is the
// same
//              when the rows change places, to the bit.
// Error        counts are exact; a quotient is rounded once. 0 / 0 is NaN where SciPy has NaN.
#pragma once
#include "core/kernels/elementary.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"

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

}  // namespace
VECH_TARGET_END
