// What kernels on CSR arrays share: looking for columns that lead out of bounds.
#pragma once
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN

double jumps(const Rowwise& matrix);

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

// How many of at most `most` rows, from r upwards or downwards, have as many numbers as it has at `at`, each a column
// further than its like in the row below, as those of a stencil do. Of fewer than 16, or if the next is none: 1.
template <bool up>
VECH_INLINE std::int64_t alike(const Rowwise& matrix, std::int64_t r, Range at, std::int64_t most) {
    const auto size = at.size();
    const auto steps = [&](std::int64_t rows) VECH_ALWAYS {
        const auto* columns = matrix.indices + (up ? at.begin : at.end - rows * size);
        std::uint32_t other = 0;
        for (std::int64_t k = 0; k < (rows - 1) * size; ++k)
            other |= static_cast<std::uint32_t>(columns[k + size]) - static_cast<std::uint32_t>(columns[k]) - 1;
        return other == 0;
    };
    if (most < 16 || !steps(2)) return 1;
    std::int64_t rows = 1;
    for (std::int64_t some; rows < most; rows += some) {  // not all at once: of a grid they may be millions
        some = std::min<std::int64_t>(most - rows, 64);
        if (!matrix.indptr.even(up ? r + rows : r - rows - some + 1, some, size)) break;
    }
    while (rows < most && (up ? matrix.indptr[r + rows + 1] == at.begin + (rows + 1) * size
                              : matrix.indptr[r - rows] == at.end - (rows + 1) * size))
        ++rows;
    while (rows >= 16 && !steps(rows)) rows /= 2;
    return rows < 16 ? 1 : rows;
}

// Brings memory into the cache by loads, a stream that the processor follows; of so many prefetches it drops most.
inline void touch(const void* from, std::int64_t bytes) {
    std::uint8_t all = 0;
    for (std::int64_t k = 0; k < bytes; k += 64) all |= static_cast<const std::uint8_t*>(from)[k];
    asm volatile("" : : "r"(all));
}

// Random numbers put behind each other by blocks of columns, of which the cache holds one: `bytes` of them.
struct Blocks {
    static constexpr std::int64_t block_bytes = 1 << 18, least = 16, most = 512;  // up to twice as many bytes

    // None: few numbers, or no random pattern; or so many columns that a block's counters leave the cache.
    Blocks(const Rowwise& matrix, std::int64_t bytes) {
        if (bytes < least * block_bytes || jumps(matrix) < 0.5) return;
        const auto last = matrix.n - 1;
        const auto wanted = std::clamp(bytes / block_bytes, least, most);
        shift = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(last / wanted)));
        if (shift <= 16) count = (last >> shift) + 1;
    }
    // Row and column in one word: of the rows of a band, and of the columns of a block.
    VECH_INLINE std::uint32_t both(std::int64_t row, std::int64_t column) const {
        return static_cast<std::uint32_t>(row) << shift | (static_cast<std::uint32_t>(column) & mask());
    }
    VECH_INLINE std::uint32_t mask() const { return (std::uint32_t{1} << shift) - 1; }
    std::vector<Range> bands(const std::vector<std::int64_t>& begins) const {
        const auto most = std::int64_t{1} << (32 - shift);
        std::vector<Range> found;
        for (std::size_t k = 0; k + 1 < begins.size(); ++k)
            for (auto r = begins[k]; r < begins[k + 1]; r += most)
                found.push_back({r, std::min(r + most, begins[k + 1])});
        return found;
    }

    int shift = 0;
    std::int64_t count = 0;
};

}  // namespace
VECH_TARGET_END
