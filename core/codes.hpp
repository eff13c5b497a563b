// Sums of columns; ternary codes in bit planes, and how often those of two columns agree: see kernels/codes.hpp.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/layout.hpp"

namespace vech {

// Planes of bits, one bit for each time of a column. Columns lie in blocks of 8, padded; a block is `words` times
// `planes` times 8 words of 64 times, the last of them padded with zeros.
struct Codes {
    enum Plane : std::int64_t { active, sign, valid };  // not neutral; then above; a number at all

    std::uint64_t* bits;
    std::int64_t words, planes;  // 2, or 3 with `valid`

    static constexpr std::int64_t columns = 8, times = 64;
    std::int64_t step() const { return planes * columns; }  // from word to word of a block
    std::uint64_t* at(std::int64_t block, std::int64_t plane) const {
        return bits + block * words * step() + plane * columns;
    }
};

// Numbers become codes: above where x > high, below where x < low. Either each against the bounds of its column, or
// (`pairs`) each against the number of the same column at a later time, in the order of pair `first` and the next.
struct Coding {
    const std::byte *x, *low, *high;
    std::int64_t row, column, block;  // bytes between times, columns, blocks of columns
    int real;                         // bytes of a number: 4 or 8
    std::int64_t n, samples, first;
    bool pairs;  // x is (blocks, samples, 8) without gaps, its padding any one number
    Codes codes;

    // Bits of a column.
    std::int64_t count() const { return pairs ? samples * (samples - 1) / 2 - first : samples; }
};

// Counts over a pair of columns r and c, each of times:
//   both: active in both. discordant: and of different signs.
//   With `pairwise` also joint: valid in both. differing: of these, active in one. one_sided: active in r, valid in c.
// Numbers made of them: (up . (both, discordant, m, t)) / (down . the same, or sqrt(n_r n_c)) * scale[r] * scale[c],
// where n = times active, m = n_r + n_c, t = all times; with `pairwise` each of these among the times valid in both
// columns. 0 / 0 is 0, and `empty` on the diagonal.
struct Agreement {
    enum Count : std::int64_t { both, discordant, joint, differing, one_sided, all };
    using Terms = std::array<double, 4>;

    Codes codes;  // no bits: the counts are those stored
    Half half;
    Range rows;
    std::int64_t *stored, pitch;   // counts of the runs `rows`, each kind `pitch` numbers long, or none
    int sign;                      // of what the codes add to them
    std::byte* values;             // the half that is written, or none
    int real;                      // bytes of its numbers: 4 or 8
    const double *active, *scale;  // n numbers each
    double times, empty;
    Terms up, down;
    bool root, pairwise;

    std::int64_t kinds() const { return pairwise ? all : joint; }
};

// Sums over groups of `height` rows of a matrix, about a shift: see kernels/strip.hpp.
struct Spread {
    const std::byte* x;
    std::int64_t row, column;  // bytes
    int real;                  // bytes of a number: 4 or 8
    std::int64_t n, samples, height;
    const double *shift, *weights;  // n; samples or none
    double *sums, *squares;         // zeros, n for each group
};

}  // namespace vech
