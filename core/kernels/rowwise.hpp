// What kernels on CSR arrays share: looking for columns that lead out of bounds, and telling random patterns from
// banded ones.
#pragma once
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

// What a walk over rows [rows.begin, rows.end) would meet.
struct Reach {
    Range rows;
    Range numbers{};
    std::int32_t least = std::numeric_limits<std::int32_t>::max(), most = -1;  // columns
    std::int64_t descents = 0;  // neighbours in memory, the first one's row and the second one's, that do not ascend
};

// All columns at once: a branch for each costs more than the pass. False: a column is out of bounds.
inline bool survey(const Rowwise& matrix, Reach& reach) {
    if (!matrix.rows(reach.rows.begin, reach.rows.end, reach.numbers)) return false;
    const auto [begin, end] = reach.numbers;
    if (!matrix.indptr.ascend(reach.rows.begin, reach.rows.end)) return false;
    const auto* columns = matrix.indices;
    for (auto from = begin; from < end; from += 4096) {  // few enough to count in 32 bits, which are a lane of a vector
        const auto until = std::min(from + 4096, end);
        auto least = columns[from], most = columns[from];
        std::int32_t descents = from > begin && columns[from] <= columns[from - 1];
        for (auto k = from + 1; k < until; ++k) {
            least = std::min(least, columns[k]);
            most = std::max(most, columns[k]);
            descents += columns[k] <= columns[k - 1];
        }
        reach.least = std::min(reach.least, least);
        reach.most = std::max(reach.most, most);
        reach.descents += descents;
    }
    return begin == end || (reach.least >= 0 && reach.most < matrix.n);
}

// Whether these rows are sorted, without repeats, within the part, and within bounds.
inline bool canonical(const Rowwise& matrix, Range rows, Part part) {
    Reach reach{.rows = rows};
    if (!survey(matrix, reach)) return false;
    auto descents = reach.descents;
    bool inside = true;
    for (auto r = rows.begin; r < rows.end; ++r) {
        Range at;
        if (!matrix.row(r, at)) return false;
        const auto [begin, end] = at;
        if (begin == end) continue;
        descents -= begin > reach.numbers.begin && matrix.indices[begin] <= matrix.indices[begin - 1];
        if (part == Part::grow) inside &= matrix.indices[end - 1] <= r;
        if (part == Part::shrink) inside &= matrix.indices[begin] >= r;
    }
    return inside && descents == 0;  // every descent is between two rows
}

}  // namespace

// The first row that is not; n: where rows begin; -1: none.
std::int64_t fault(const Rowwise& matrix, Part part) {
    if (matrix.indptr[0] != 0 || matrix.indptr[matrix.n] != matrix.nonzeros) return matrix.n;
    if (canonical(matrix, {0, matrix.n}, part)) return -1;
    for (std::int64_t r = 0; r < matrix.n; ++r)
        if (!canonical(matrix, {r, r + 1}, part)) return r;
    return -1;  // they have changed
}

// Of the numbers of a sample of rows, the share whose column is far from that of its like in the row before: 0 where
// rows go on where others left off, 1 where a cache does not help.
double jumps(const Rowwise& matrix) {
    constexpr std::int64_t samples = 256, far = 256, of_each = 16;
    std::int64_t jumped = 0, seen = 0;
    for (std::int64_t sample = 0; sample < samples; ++sample) {
        const auto r = (matrix.n - 1) / samples * sample + (matrix.n - 1) % samples * sample / samples;
        Range first, second;
        if (r + 1 >= matrix.n || !matrix.row(r, first) || !matrix.row(r + 1, second)) continue;
        const auto count = std::min({first.size(), second.size(), of_each});
        for (std::int64_t k = 0; k < count; ++k) {
            const std::int64_t step = std::int64_t{matrix.indices[second.begin + k]} - matrix.indices[first.begin + k];
            jumped += step > far || step < -far;
            ++seen;
        }
    }
    return seen == 0 ? 0.0 : static_cast<double>(jumped) / static_cast<double>(seen);
}

VECH_TARGET_END
