// distances: rows of numbers -> a matrix of distances, rows against rows.
//
// Formula      of each metric at its functor: what a feature adds to some sums, in one pass or several, and what the
//              distance is of them. A pair gives the same bits when its rows change places, and equal rows give 0.
// Idea         64 rows of Y lie side by side, feature by feature, so that a lane is a pair and every metric is a plain
//              loop without sums across a vector; a few rows of X share what is read of Y.
// Accumulator  double, whatever the numbers and distances are, in the order of features: results are the same for any
//              number of threads, and |error| <= features eps / 2 of sums that no sign can cancel.
// Bytes moved  Y once, X once for each 64 rows of Y, each result once. 32 rows of X go along all of Y that is in the
//              cache, so that what is written at a time lies on few pages.
// Weights      w of a feature multiplies what it adds. Where NaN is left out, a feature that one row lacks has none,
//              and distances that are sums grow by what all features count for over what those present do.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/elementary.hpp"
#include "core/kernels/formulas.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/metrics.hpp"
#include "core/parallel.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

struct One {};  // the weight of every feature, where none is given
VECH_INLINE Doubles plus(One, Doubles term, Doubles sum) { return sum + term; }
VECH_INLINE Doubles plus_square(One, Doubles d, Doubles sum) { return plus(d, d, sum); }
VECH_INLINE Doubles plus_square(Doubles w, Doubles d, Doubles sum) { return plus(w, d * d, sum); }
VECH_INLINE Doubles operator*(One, Doubles term) { return term; }
VECH_INLINE Doubles plus_where(Mask where, One, Doubles sum) { return choose(where, sum + 1.0, sum); }
VECH_INLINE Doubles plus_where(Mask where, Doubles weight, Doubles sum) { return choose(where, sum + weight, sum); }

// The larger size of two numbers.
VECH_INLINE Doubles larger_size(Doubles a, Doubles b) {
#if VECH_VECTOR == 64
    return reinterpret_cast<Doubles>(_mm512_range_pd(__m512d(a), __m512d(b), 0x0b));
#else
    return larger(size_of(a), size_of(b));
#endif
}

// The smaller size of two numbers.
VECH_INLINE Doubles smaller_size(Doubles a, Doubles b) {
#if VECH_VECTOR == 64
    return reinterpret_cast<Doubles>(_mm512_range_pd(__m512d(a), __m512d(b), 0x0a));
#else
    a = size_of(a), b = size_of(b);
    return choose(a < b, a, b);
#endif
}

VECH_INLINE bool is_any(Mask where) {
    std::int64_t some = 0;
    for (int k = 0; k < static_cast<int>(sizeof where / sizeof where[0]); ++k) some |= where[k];
    return some != 0;
}

// What the end of a pass may know.
struct Ends {
    double p, factor;
    Doubles present, share;  // what features that both rows have count for, and all of them over it
};

struct Light {  // cheap for each feature: four rows of X at a time
    static constexpr int rows = 4, vectors = VECH_VECTOR == 64 ? 4 : 2, passes = 1, sums = 1, together = 1;
    static constexpr bool general = true;    // knows weights and what is missing
    static constexpr bool quiet = true;      // two zeros add nothing
    static constexpr bool measured = false;  // the last feature is half of the least that the square of a distance is
    template <int pass>
    VECH_INLINE static void next(Doubles*, const Ends&) {}
};
struct Medium : Light {
    static constexpr int vectors = VECH_VECTOR == 64 ? 2 : 1;
};
struct Heavy : Light {
    static constexpr int rows = 2, vectors = 1;
};

// sum |x - y|
struct cityblock : Light {
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        sum[0] = plus(w[0], size_of(x[0] - y[0]), sum[0]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) { return sum[0] * ends.share; }
};

// max |x - y|
struct chebyshev : Light {
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W*, Doubles* sum) {
        sum[0] = larger_size(x[0] - y[0], sum[0]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) { return sum[0]; }
};

// sum (x - y)^2
struct sqeuclidean : Light {
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        const Doubles d = x[0] - y[0];
        sum[0] = plus_square(w[0], d, sum[0]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) { return sum[0] * ends.share; }
};
struct euclidean : sqeuclidean {
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) { return root(sum[0] * ends.share); }
};

// Of opposite rows, whatever rounding says; NaN stays.
VECH_INLINE Doubles at_most_two(Doubles a) { return choose(a > 2.0, all(2.0), a); }

// 1 - x y of rows of length one, as |x - y|^2 / 2.
struct chord : sqeuclidean {
    static constexpr bool general = false;
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) { return at_most_two(0.5 * sum[0]); }
};

// |x - y| of rows that were made of others; where so little is left of them that the others are to be asked, it is
// told.
struct whitened : euclidean {
    static constexpr bool general = false, measured = true;
};

// (sum |x - y|^p)^(1/p), as m (sum (|x - y| / m)^p)^(1/p) with the largest difference m: no power leaves the range.
// Of numbers near the ends of the range, m is scaled: large ones before they are subtracted, and differences that are
// small after. A difference that is itself beyond the range has a half that is not.
struct Scaled : Heavy {
    static constexpr int passes = 2, sums = 5;  // m, of halves and then as scaled; both factors; 1 / m; the sum
    static constexpr double low = 0x1p-500, high = 0x1p500;
    VECH_INLINE static void largest(Doubles x, Doubles y, Doubles* sum) {
        sum[0] = larger_size(x - y, sum[0]);
        sum[1] = larger_size(0.5 * x - 0.5 * y, sum[1]);
    }
    VECH_INLINE static Doubles share(Doubles x, Doubles y, const Doubles* sum) {
        return size_of(x * sum[1] - y * sum[1]) * sum[2] * sum[3];
    }
    template <int pass>
    VECH_INLINE static void next(Doubles* sum, const Ends&) {
        if constexpr (pass == 0) {
            const Mask large = sum[0] > high, small = sum[0] < low;
            sum[0] = choose(large, sum[1] * (2 * low), choose(small, sum[0] * high, sum[0]));
            sum[1] = choose(large, all(low), all(1.0));
            sum[2] = choose(small, all(high), all(1.0));
            sum[3] = only(sum[0] > 0.0, 1.0 / sum[0]);
        }
    }
    VECH_INLINE static Doubles whole(const Doubles* sum, Doubles grown, const Ends& ends) {
        return sum[0] * grown * ends.factor / (sum[1] * sum[2]);
    }
};
struct minkowski : Scaled {
    template <int pass, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum, double p = 2) {
        if constexpr (pass == 0) largest(x[0], y[0], sum);
        if constexpr (pass == 1) {
            const Doubles r = share(x[0], y[0], sum);
            const Mask some = r > 0x1p-1000;
            sum[4] = plus(w[0], only(some, exp(larger(p * log(choose(some, r, all(1.0))), all(-708.0)))), sum[4]);
        }
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) {
        const Doubles of = sum[4] * ends.share;
        Doubles grown;
        if (ends.p >= 1) {
            grown = only(of > 0.0, exp(log(choose(of > 0.0, of, all(1.0))) / ends.p));
        } else {
            for (int k = 0; k < static_cast<int>(sizeof of / sizeof of[0]); ++k) grown[k] = std::pow(of[k], 1 / ends.p);
        }
        return whole(sum, grown, ends);
    }
};
// The same for small p, of which a power has no range to leave, and its sum has some: weights need none either.
struct minkowski_low : Heavy {
    template <int pass, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum, double p = 0.1) {
        constexpr double shift = 0x1.5d589f2fe5107p+6;  // log 2^126
        const Doubles d = size_of(x[0] - y[0]);
        const Mask large = d > 0x1p1000, small = d < 0x1p-900;
        const Doubles of = choose(large, size_of(x[0] * 0x1p-126 - y[0] * 0x1p-126), choose(small, d * 0x1p126, d));
        const Doubles logarithm =
            log(choose(d > 0.0, of, all(1.0))) + choose(large, all(shift), only(small, all(-shift)));
        sum[0] = plus(w[0], only(d > 0.0, exp(larger(p * logarithm, all(-708.0)))), sum[0]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) {
        Doubles grown = sum[0] * ends.share;
        for (int k = 0; k < static_cast<int>(sizeof grown / sizeof grown[0]); ++k)
            grown[k] = std::pow(grown[k], 1 / ends.p);
        return grown;
    }
};
struct euclidean_wide : Scaled {
    template <int pass, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        if constexpr (pass == 0) largest(x[0], y[0], sum);
        if constexpr (pass == 1) {
            const Doubles r = share(x[0], y[0], sum);
            sum[4] = plus_square(w[0], r, sum[4]);
        }
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) {
        return whole(sum, root(sum[4] * ends.share), ends);
    }
};
struct sqeuclidean_wide : euclidean_wide {
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) {
        const Doubles length = euclidean_wide::end(sum, ends);
        return length * length;
    }
};

// sum |x - y| / (|x| + |y|), where 0 / 0 is 0. Four quotients are one: divisions are what takes time. Their product
// must stay in range, so numbers are 0 or of size 2^-200 to 2^200, and what is added to them only changes a 0.
struct canberra : Medium {
    static constexpr double least = 0x1p-255;
    static constexpr int together = 4;
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        Doubles over[4], under[4];
        for (int k = 0; k < 4; ++k) {
            const Doubles size = size_of(x[k]) + size_of(y[k]);
            over[k] = w[k] * size_of(x[k] - y[k]);
            under[k] = size + least;
        }
        const Doubles left = plus(over[0], under[1], over[1] * under[0]), below_left = under[0] * under[1];
        const Doubles right = plus(over[2], under[3], over[3] * under[2]), below_right = under[2] * under[3];
        sum[0] += plus(left, below_right, right * below_left) / (below_left * below_right);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) { return sum[0] * ends.share * ends.factor; }
};
struct canberra_wide : Medium {
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        const Mask huge = larger(size_of(x[0]), size_of(y[0])) > 0x1p1021;
        const Doubles scale = choose(huge, all(0.25), all(1.0)), a = x[0] * scale, b = y[0] * scale;
        const Doubles size = size_of(a) + size_of(b);
        sum[0] = plus(w[0], (size_of(a - b) / choose(size > 0.0, size, all(1.0))), sum[0]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) { return sum[0] * ends.share * ends.factor; }
};

// sum (x - y)^2 / (x + y) of numbers that are not negative, where 0 / 0 is 0.
struct chi_squared : Medium {
    static constexpr bool general = false;
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W*, Doubles* sum) {
        const Doubles scale = choose(larger(x[0], y[0]) > 0x1p1021, all(0.25), all(1.0)), d = x[0] - y[0];
        const Doubles size = x[0] * scale + y[0] * scale;
        sum[0] = plus(d * scale / choose(size > 0.0, size, all(1.0)), d, sum[0]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) { return sum[0]; }
};

// sum |x - y| / sum |x + y|
struct braycurtis : Medium {
    static constexpr int sums = 2;
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        sum[0] = plus(w[0], size_of(x[0] - y[0]), sum[0]);
        sum[1] = plus(w[0], size_of(x[0] + y[0]), sum[1]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) { return sum[0] / sum[1]; }
};

// The same of numbers of any size, in the unit of the pair: it does not change the quotient.
struct braycurtis_wide : Heavy {
    static constexpr int passes = 2, sums = 4;  // the largest number; its unit; both sums
    template <int pass, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        if constexpr (pass == 0) {
            sum[0] = larger_size(larger_size(x[0], y[0]), sum[0]);
        } else {
            const Doubles a = x[0] * sum[1], b = y[0] * sum[1];
            sum[2] = plus(w[0], size_of(a - b), sum[2]);
            sum[3] = plus(w[0], size_of(a + b), sum[3]);
        }
    }
    template <int pass>
    VECH_INLINE static void next(Doubles* sum, const Ends&) {
        if constexpr (pass == 0)
            sum[1] = choose(sum[0] > 0x1p500, all(0x1p-500), choose(sum[0] < 0x1p-500, all(0x1p500), all(1.0)));
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) { return sum[2] / sum[3]; }
};

// The part of features that differ.
struct hamming : Light {
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        sum[0] = plus_where(x[0] != y[0], w[0], sum[0]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends& ends) { return sum[0] / ends.present; }
};

// sqrt(sum of s g(d) / 4) with s = x + y, d = |x - y| / s, g(d) = (1 + d) log(1 + d) + (1 - d) log(1 - d): of rows that
// add up to one, the root of the Jensen-Shannon divergence, in terms that are positive. Up to d = 1/2, g is a
// polynomial of d^2; beyond, with e = 1 - d, it is e log e and one of e.
struct jensenshannon : Heavy {
    static constexpr bool general = false;
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W*, Doubles* sum) {
        const Doubles s = x[0] + y[0], inverse = 1.0 / choose(s > 0x1p-1000, s, all(1.0));
        const Doubles d = size_of(x[0] - y[0]) * inverse, t = d * d;
        const Doubles e = 2.0 * choose(x[0] < y[0], x[0], y[0]) * inverse;
        const Doubles near =
            t * polynomial(t, 0.014368805567745852, -0.006739560728896578, 0.009217619538886054, 0.0038454510862695767,
                           0.00680678099178135, 0.008298327091145986, 0.010992078451474438, 0.015151336251909375,
                           0.022222228885653575, 0.03571428556716924, 0.06666666666834865, 0.16666666666665914, 1.0);
        const Doubles logarithm = log(choose(e > 0x1p-1000, e, all(1.0)));
        const Doubles far = polynomial(e, 1.686727495142377e-05, -1.522811604248035e-05, 4.44165641747688e-05,
                                       4.108866832462482e-05, 0.0001445362547622266, 0.0003707246803009871,
                                       0.0010418942814395512, 0.0031249734554722806, 0.010416668643775917,
                                       0.0416666665793737, 0.2500000000019959, -1.6931471805599632, 1.3862943611198906);
        sum[0] = plus(s, choose(d <= 0.5, near, plus(e, logarithm, far)), sum[0]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) { return root(0.25 * sum[0]); }
};

// 1 - u v of rows u and v of length one, from |u - v|^2, or 1 where one has no direction: its factor is 0.
VECH_INLINE Doubles apart(Doubles square, Doubles of_x, Doubles of_y) {
    return choose((of_x > 0.0) & (of_y > 0.0), at_most_two(0.5 * square), all(1.0));
}
// What makes the length of a row one, by the square of its length.
VECH_INLINE Doubles to_one(Doubles square) { return only(square > 0.0, 1.0 / root(square)); }

// 1 - x y / (|x| |y|) as |x / |x| - y / |y||^2 / 2, which nothing cancels in. Numbers are at most 1 in size.
struct cosine : Heavy {
    static constexpr int passes = 2, sums = 3;
    template <int pass, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        if constexpr (pass == 0) {
            sum[0] = plus_square(w[0], x[0], sum[0]);
            sum[1] = plus_square(w[0], y[0], sum[1]);
        } else {
            const Doubles d = x[0] * sum[0] - y[0] * sum[1];
            sum[2] = plus_square(w[0], d, sum[2]);
        }
    }
    template <int pass>
    VECH_INLINE static void next(Doubles* sum, const Ends&) {
        if constexpr (pass == 0)
            for (int k = 0; k < 2; ++k) sum[k] = to_one(sum[k]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) { return apart(sum[2], sum[0], sum[1]); }
};

// The same about the mean of each row, and about the mean of what that leaves, which is what rounding took of it. A row
// of which nothing but rounding is left then has no direction.
struct correlation : Heavy {
    static constexpr bool quiet = false;
    static constexpr int passes = 3, sums = 7;  // means; lengths; means of what is left; the sum
    template <int pass, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        if constexpr (pass == 0) {
            sum[0] = plus(w[0], x[0], sum[0]);
            sum[1] = plus(w[0], y[0], sum[1]);
        } else {
            const Doubles a = x[0] - sum[0], b = y[0] - sum[1];
            if constexpr (pass == 1) {
                sum[2] = plus_square(w[0], a, sum[2]);
                sum[3] = plus_square(w[0], b, sum[3]);
                sum[4] = plus(w[0], a, sum[4]);
                sum[5] = plus(w[0], b, sum[5]);
            } else {
                const Doubles d = a * sum[2] - b * sum[3] - sum[4];
                sum[6] = plus_square(w[0], d, sum[6]);
            }
        }
    }
    template <int pass>
    VECH_INLINE static void next(Doubles* sum, const Ends& ends) {
        constexpr double rounding = 0x1p-40;
        if constexpr (pass == 0)
            for (int k = 0; k < 2; ++k) sum[k] /= ends.present;
        if constexpr (pass == 1) {
            for (int k = 2; k < 4; ++k) {
                const Doubles mean = sum[k + 2] / ends.present, left = sum[k] - mean * sum[k + 2];
                sum[k] = to_one(only(left > rounding * sum[k], left));
                sum[k + 2] = mean;
            }
            sum[4] = sum[4] * sum[2] - sum[5] * sum[3];
        }
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) { return apart(sum[6], sum[2], sum[3]); }
};

// The power of two that brings a size to one.
VECH_INLINE Doubles unit_of(Doubles size) {
    const Doubles held = choose(size > 0x1p1000, all(0x1p1000), larger(size, all(0x1p-1000)));
    return reinterpret_cast<Doubles>((std::uint64_t{2046} << 52) -
                                     (reinterpret_cast<Words>(held) & (std::uint64_t{2047} << 52)));
}

// Of numbers of any size, each row in the unit of what the other one has too: that does not change its direction.
template <class Of>
struct InUnits : Of {
    static constexpr int passes = Of::passes + 1, sums = Of::sums + 2, x_unit = Of::sums, y_unit = x_unit + 1;
    template <int pass, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        if constexpr (pass == 0) {
            sum[x_unit] = larger_size(x[0], sum[x_unit]);
            sum[y_unit] = larger_size(y[0], sum[y_unit]);
        } else {
            const Doubles a = x[0] * sum[x_unit], b = y[0] * sum[y_unit];
            Of::template add<pass - 1>(&a, &b, w, sum);
        }
    }
    template <int pass>
    VECH_INLINE static void next(Doubles* sum, const Ends& ends) {
        if constexpr (pass == 0)
            for (int k = x_unit; k <= y_unit; ++k) sum[k] = unit_of(sum[k]);
        else
            Of::template next<pass - 1>(sum, ends);
    }
};
struct cosine_wide : InUnits<cosine> {};
struct correlation_wide : InUnits<correlation> {};

// A formula of counts, of numbers that are 0 or 1.
template <class Formula>
struct Counted : Heavy {
    static constexpr bool quiet = false;
    static constexpr int sums = 4;
    template <int, class W>
    VECH_INLINE static void add(const Doubles* x, const Doubles* y, const W* w, Doubles* sum) {
        sum[0] = plus(w[0], (x[0] * y[0]), sum[0]);
        sum[1] = plus(w[0], (x[0] * (1.0 - y[0])), sum[1]);
        sum[2] = plus(w[0], ((1.0 - x[0]) * y[0]), sum[2]);
        sum[3] = plus(w[0], ((1.0 - x[0]) * (1.0 - y[0])), sum[3]);
    }
    VECH_INLINE static Doubles end(const Doubles* sum, const Ends&) {
        return Formula::of({sum[0], sum[1], sum[2], sum[3]});
    }
};

enum class Knows : std::uint8_t { nothing, weights, missing };  // the last one both

// Of the features that are laid out: as many as a metric takes together fill up the last ones.
struct Features {
    std::int64_t count;
    const double *w, *counts;  // weights, and what each counts for
    double total, p, factor;   // what all count for; as in Distances
};

constexpr std::int64_t span = 64;  // rows of Y side by side

// A metric's own part of the walk: distances of some rows of X to `width` rows of Y that lie side by side.
template <class Of, Knows knows>
class Sums {
  public:
    static void of(const Features& features, const double* const* x, const double* y, std::int64_t width, double* out) {
        for (std::int64_t c = 0; c < width; c += Of::vectors * lanes) Sums(features).block(x, y + c, out + c);
    }

  private:
    static constexpr int lanes = sizeof(Doubles) / 8;
    using State = Doubles[Of::rows][Of::vectors][Of::sums];

    explicit Sums(const Features& features) : features_(features) {}

    VECH_INLINE void block(const double* const* x, const double* y, double* out) const {
        State sum = {};
        Doubles present[Of::rows][Of::vectors];
        for (auto& row : present)
            for (auto& one : row) one = all(knows == Knows::missing ? 0 : features_.total);
        pass<0>(x, y, sum, present);
        for (int r = 0; r < Of::rows; ++r)
            for (int v = 0; v < Of::vectors; ++v) {
                const auto ends = ends_of(present[r][v]);
                auto distance = Of::end(sum[r][v], ends);
                if (knows == Knows::missing) distance = choose(ends.present > 0.0, distance, 0.0 / ends.present);
                store(out + r * span + v * lanes, distance);
            }
    }

    template <int number>
    VECH_INLINE void pass(const double* const* x, const double* y, State& sum,
                          Doubles (&present)[Of::rows][Of::vectors]) const {
        if constexpr (number < Of::passes) {
            for (std::int64_t f = 0; f < features_.count - Of::measured; f += Of::together)
                for (int v = 0; v < Of::vectors; ++v) {
                    Doubles b[Of::together];
                    for (int k = 0; k < Of::together; ++k) b[k] = load<Doubles>(y + (f + k) * span + v * lanes);
                    for (int r = 0; r < Of::rows; ++r) {
                        Doubles a[Of::together], c[Of::together];
                        std::conditional_t<knows == Knows::nothing, One, Doubles> weight[Of::together];
                        for (int k = 0; k < Of::together; ++k) {
                            a[k] = all(x[r][f + k]);
                            c[k] = b[k];
                            if constexpr (knows != Knows::nothing) weight[k] = all(features_.w[f + k]);
                            if constexpr (knows == Knows::missing) {
                                const Mask known = (a[k] == a[k]) & (b[k] == b[k]);
                                a[k] = only(known, a[k]);
                                c[k] = only(known, b[k]);
                                if constexpr (!Of::quiet) weight[k] = only(known, weight[k]);
                                if (number == 0) present[r][v] += only(known, all(features_.counts[f + k]));
                            }
                        }
                        add<number>(a, c, weight, sum[r][v]);
                    }
                }
            for (int r = 0; r < Of::rows; ++r)
                for (int v = 0; v < Of::vectors; ++v) Of::template next<number>(sum[r][v], ends_of(present[r][v]));
            pass<number + 1>(x, y, sum, present);
        }
    }

    VECH_INLINE Ends ends_of(Doubles present) const {
        return {features_.p, features_.factor, present, knows == Knows::missing ? features_.total / present : all(1)};
    }

    template <int number, class W>
    VECH_INLINE void add(const Doubles* a, const Doubles* b, const W* w, Doubles* sum) const {
        if constexpr (std::is_same_v<Of, minkowski> || std::is_same_v<Of, minkowski_low>)
            Of::template add<number>(a, b, w, sum, features_.p);
        else
            Of::template add<number>(a, b, w, sum);
    }

    const Features& features_;
};

// What the walk knows of a metric. It is compiled once for all of them, which halves what the compiler does here.
struct Way {
    int rows, together;
    bool measured;
    decltype(&Sums<euclidean, Knows::nothing>::of) of;
};
template <class Of, Knows knows>
constexpr Way way{Of::rows, Of::together, Of::measured, Sums<Of, knows>::of};

template <class Of>
const Way& way_of(const Distances& job) {
    if constexpr (Of::general) {
        if (job.missing) return way<Of, Knows::missing>;
        if (job.weights != nullptr) return way<Of, Knows::weights>;
    }
    return way<Of, Knows::nothing>;
}

class Walk {
  public:
    Walk(const Distances& job, const Way& way)
        : job_(job), way_(way), features_((job.features + way.together - 1) / way.together * way.together) {}

    // All rows, a part of the columns after the other: as many as stay in the cache. False: no memory.
    bool run(int threads, Watch& watch) {
        constexpr std::int64_t cached = 1 << 17, chunk = 32;
        const auto units = (job_.columns + span - 1) / span;
        const auto part = std::clamp<std::int64_t>(cached / (features_ * span + 1), 1, units);
        if (!y_.get_zeros(features_ * span * part) || !w_.get_zeros(features_) || !counts_.get_zeros(features_))
            return false;
        double total = 0;
        for (std::int64_t f = 0; f < job_.features; ++f) {
            w_[f] = job_.weights == nullptr ? 1 : job_.weights[f];
            counts_[f] = job_.counts == nullptr ? w_[f] : job_.counts[f];
            total += counts_[f];
        }
        const Features features{features_, w_.at, counts_.at, total, job_.p, job_.factor};
        std::atomic<bool> failed{false};
        for (std::int64_t unit = 0; unit < units && !failed && !watch.stop(); unit += part) {
            const auto first = unit * span, width = std::min(part * span, job_.columns - first);
            for (std::int64_t c = 0; c < width; ++c)
                unpack(job_.y, first + c, y_.at + c / span * span * features_ + c % span, span);
            parallel_for((job_.rows + chunk - 1) / chunk, threads, watch, [&](std::int64_t number) {
                const Range rows{number * chunk, std::min((number + 1) * chunk, job_.rows)};
                if (!failed && !share(features, rows, first, width, watch)) failed = true;
            });
        }
        return !failed;
    }

  private:
    static constexpr int lanes = sizeof(Doubles) / 8, most_rows = 4;

    // Some rows against the columns that are laid out. False: no memory.
    bool share(const Features& features, Range rows, std::int64_t start, std::int64_t columns, Watch& watch) const {
        Memory<double> x;
        if (!x.get_zeros(features_ * way_.rows)) return false;
        double results[most_rows][span];
        const double* row[most_rows];
        for (std::int64_t unit = 0; unit < columns; unit += span) {
            const auto first = start + unit, width = std::min(span, columns - unit);
            const auto* const y = y_.at + unit * features_;
            const auto* const least = y + (way_.measured ? features_ - 1 : 0) * span;
            Doubles most{};
            if (way_.measured)
                for (std::int64_t c = 0; c < width; c += lanes) most = larger_size(most, load<Doubles>(least + c));
            for (auto r = rows.begin; r < rows.end; r += way_.rows) {
                if (watch.stop()) return true;
                Range kept[most_rows];
                std::int64_t wanted = 0;
                for (int k = 0; k < way_.rows; ++k) {
                    kept[k] = r + k < rows.end ? job_.place.kept(r + k, first, width) : Range{0, 0};
                    wanted += std::max<std::int64_t>(kept[k].size(), 0);
                    row[k] = this->row(std::min(r + k, rows.end - 1), x.at + k * features_);
                }
                if (wanted == 0) continue;
                way_.of(features, row, y, width, results[0]);
                if (way_.measured) measure(results, row, r, kept, least, most, first, width);
                for (int k = 0; k < way_.rows; ++k)
                    if (kept[k].size() > 0) put(results[k], job_.place, r + k, first, kept[k], job_.columns);
            }
        }
        return true;
    }

    void unpack(const std::byte* from, std::int64_t row, double* to, std::int64_t step) const {
        const auto copy = [&]<class Real>(Real) {
            const auto* numbers = reinterpret_cast<const Real*>(from) + row * job_.features;
            for (std::int64_t f = 0; f < job_.features; ++f) to[f * step] = static_cast<double>(numbers[f]);
        };
        job_.real == 4 ? copy(float{}) : copy(double{});
    }

    // A row of X in double: where it is, or in `buffer`, whose end stays zero.
    const double* row(std::int64_t r, double* buffer) const {
        const auto* there = reinterpret_cast<const double*>(job_.x) + r * job_.features;
        if (job_.real == 8 && features_ == job_.features) return there;
        unpack(job_.x, r, buffer, 1);
        return buffer;
    }

    // Distances in their unit. Those that are too small become NaN and are told, but that of a row and itself: a look
    // at the least of each row shows that mostly there are none.
    __attribute__((noinline)) void measure(double (*distances)[span], const double* const* row, std::int64_t r,
                                           const Range* kept, const double* least, Doubles most, std::int64_t first,
                                           std::int64_t width) const {
        Mask odd = {};
        for (int k = 0; k < way_.rows; ++k) {
            Doubles nearest = load<Doubles>(distances[k]);
            for (std::int64_t c = lanes; c < width; c += lanes)
                nearest = smaller_size(nearest, load<Doubles>(distances[k] + c));
            odd |= nearest * nearest < row[k][features_ - 1] + most;
        }
        if (is_any(odd))
            for (int k = 0; k < way_.rows; ++k)
                for (auto c = kept[k].begin; c < kept[k].end; ++c) {
                    const auto d = distances[k][c];
                    if (d * d >= row[k][features_ - 1] + least[c]) continue;
                    if (job_.place.row + r + k == job_.place.column + first + c) continue;
                    job_.doubtful[__atomic_fetch_add(job_.found, 1, __ATOMIC_RELAXED)] =
                        (r + k) * job_.columns + first + c;
                }
        if (job_.factor != 1)
            for (int k = 0; k < way_.rows; ++k)
                for (auto& distance : distances[k]) distance *= job_.factor;
    }

    const Distances& job_;
    const Way& way_;
    const std::int64_t features_;
    Memory<double> y_, w_, counts_;
};

template <class Of>
struct Functor : std::type_identity<Of> {};
#define VECH_COUNTED(name) \
    template <>            \
    struct Functor<name> : std::type_identity<Counted<name>> {};
VECH_FORMULAS(VECH_COUNTED)
#undef VECH_COUNTED

}  // namespace

Fault distances(const Distances& job, int threads, Watch& watch) {
    const Way* way = nullptr;
#define VECH_CASE(name) \
    case Metric::name: way = &way_of<Functor<name>::type>(job); break;
    switch (job.metric) { VECH_METRICS(VECH_CASE) }
#undef VECH_CASE
    return Walk(job, *way).run(threads, watch) ? Fault::none : Fault::out_of_memory;
}

VECH_TARGET_END
