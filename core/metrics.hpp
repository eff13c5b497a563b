// Distances between rows of numbers and between rows of bits: see kernels/metrics.hpp and kernels/planes.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vech {

// Every metric by its functor in kernels/metrics.hpp, or by its formula of counts in kernels/formulas.hpp. The wide
// ones are for numbers whose squares or products leave the range of double.
#define VECH_METRICS(metric)                                                                                           \
    metric(cityblock) metric(chebyshev) metric(minkowski) metric(euclidean) metric(euclidean_wide) metric(sqeuclidean) \
        metric(canberra) metric(canberra_wide) metric(braycurtis) metric(hamming) metric(jensenshannon) metric(cosine) \
            metric(correlation) VECH_FORMULAS(metric)
#define VECH_FORMULAS(formula)                                                                          \
    formula(dice) formula(hamming_of_bits) formula(jaccard) formula(rogerstanimoto) formula(russellrao) \
        formula(sokalsneath) formula(yule)

#define VECH_NAME_OF(name) name,
enum class Metric : std::uint8_t { VECH_METRICS(VECH_NAME_OF) };
#undef VECH_NAME_OF

// Rows of X against rows of Y, each with each.
struct Distances {
    Metric metric;
    const std::byte *x, *y;  // without gaps
    std::byte* out;          // (rows, columns), the same
    int real, result;        // bytes of a number of X and Y, and of a distance: 4 or 8
    std::int64_t rows, columns, features;
    const double* weights;  // of features; none: 1
    double p, factor;       // minkowski's; what the distance is multiplied by
    bool missing;           // NaN is left out, pair by pair
};

// The same of rows of bits, each in so many words of 64, padded with zeros.
struct Dissimilarities {
    Metric metric;
    const std::uint64_t *x, *y;
    std::byte* out;
    int result;
    std::int64_t rows, columns, words, features;
};

}  // namespace vech
