// Distances between rows of numbers and between rows of bits: see kernels/metrics.hpp and kernels/planes.hpp.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/layout.hpp"

namespace vech {

// Every metric by its functor in kernels/metrics.hpp, or by its formula of counts in kernels/formulas.hpp. The wide
// ones are for numbers whose squares or products leave the range of double.
#define VECH_METRICS(metric)                                                                                      \
    metric(cityblock) metric(chebyshev) metric(minkowski) metric(minkowski_low) metric(euclidean)                 \
        metric(euclidean_wide) metric(sqeuclidean) metric(sqeuclidean_wide) metric(whitened) metric(chord)        \
            metric(canberra) metric(canberra_wide) metric(chi_squared) metric(braycurtis) metric(braycurtis_wide) \
                metric(hamming) metric(jensenshannon) metric(cosine) metric(cosine_wide) metric(correlation)      \
                    metric(correlation_wide) VECH_FORMULAS(metric)
#define VECH_FORMULAS(formula)                                                                          \
    formula(dice) formula(hamming_of_bits) formula(jaccard) formula(rogerstanimoto) formula(russellrao) \
        formula(sokalsneath) formula(yule)

#define VECH_NAME_OF(name) name,
enum class Metric : std::uint8_t { VECH_METRICS(VECH_NAME_OF) };
#undef VECH_NAME_OF

// Where distances go: a block of (rows, columns) without gaps, or what of it a half stores.
struct Place {
    std::byte* numbers;
    int real;                  // bytes of a number: 4 or 8
    Half half;                 // n = 0: a block
    std::int64_t row, column;  // the first ones of the block in the full matrix

    // Of columns [first, first + width) of row r of a block so wide: those that are kept, counted from `first`.
    Range kept(std::int64_t r, std::int64_t first, std::int64_t width) const {
        if (half.n == 0) return {0, width};
        return {std::max<std::int64_t>(half.first(row + r) - column - first, 0),
                std::min<std::int64_t>(half.last(row + r) - column - first, width)};
    }
    std::byte* at(std::int64_t r, std::int64_t c, std::int64_t columns) const {
        return numbers + (half.n == 0 ? r * columns + c : half.origin(row + r) + column + c) * real;
    }
};

// Rows of X against rows of Y, each with each; a row and itself give 0.
struct Distances {
    Metric metric;
    const std::byte *x, *y;  // without gaps
    int real;                // bytes of a number: 4 or 8
    Place place;
    std::int64_t rows, columns, features;
    const double* weights;  // of features; none: 1
    const double* counts;   // what features count for where some are left out; none: their weights
    double p, factor;       // minkowski's; what the distance is multiplied by
    bool missing;           // NaN is left out, pair by pair
    // Of `whitened` with room for each number of the block: the pairs that want another way, and how many.
    std::int64_t *doubtful, *found;
};

// The same of rows of bits, each in so many words of 64, padded with zeros.
struct Dissimilarities {
    Metric metric;
    const std::uint64_t *x, *y;
    Place place;
    std::int64_t rows, columns, words, features;
};

}  // namespace vech
