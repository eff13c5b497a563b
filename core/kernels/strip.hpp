// strips: a matrix as 8 columns at a time, and sums over the rows of such.
//
// Formula      sums[c] = sum over t of w_t d, squares[c] = sum of w_t d^2, d = x_tc - shift_c, for each group of rows.
// Accumulator  float64, row after row. |error| <= rows eps sum of |terms|.
// Bytes moved  the numbers once; sums once for each 64 rows.
// Assumes      nothing about alignment; results are the same for any number of threads.
#pragma once
#include "core/codes.hpp"
#include "core/kernels/change.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/parallel.hpp"

VECH_TARGET_BEGIN
namespace {

// Columns [8 block, 8 block + width) of a matrix.
template <class Real>
struct Strip {
    static constexpr std::int64_t side = 8;
    const std::byte* base;
    std::int64_t row, column, width;

    Strip(const std::byte* x, std::int64_t row_bytes, std::int64_t column_bytes, std::int64_t n, std::int64_t block)
        : base(x + block * side * column_bytes), row(row_bytes), column(column_bytes),
          width(std::min(side, n - block * side)) {}

    // Rows of 8 adjoining numbers, and the bytes between them: those of the matrix, or copies, padded with zeros.
    VECH_INLINE std::pair<const std::byte*, std::int64_t> rows(std::int64_t start, std::int64_t count,
                                                               Real* buffer) const {
        const auto* from = base + start * row;
        if (width == side && column == static_cast<std::int64_t>(sizeof(Real))) return {from, row};
        for (std::int64_t c = 0; c < side; ++c)
            for (std::int64_t t = 0; t < count; ++t)
                buffer[t * side + c] = c < width ? load<Real>(from + t * row + c * column) : Real{0};
        return {reinterpret_cast<const std::byte*>(buffer), side * static_cast<std::int64_t>(sizeof(Real))};
    }
};

template <class Real, bool weighted>
void sum_rows(const Spread& job, int threads, Watch& watch) {
    constexpr std::int64_t side = Strip<Real>::side, slice = 64;
    const auto groups = (job.samples + job.height - 1) / job.height;
    parallel_for(groups, threads, watch, [&](std::int64_t group) {
        const auto end = std::min((group + 1) * job.height, job.samples);
        for (auto start = group * job.height; start < end; start += slice) {
            const auto count = std::min(slice, end - start);
            for (std::int64_t block = 0; block * side < job.n; ++block) {
                const Strip<Real> strip(job.x, job.row, job.column, job.n, block);
                Real buffer[slice * side];
                const auto [x, step] = strip.rows(start, count, buffer);
                double sums[side] = {}, squares[side] = {}, shift[side] = {};
                std::copy_n(job.shift + block * side, strip.width, shift);
                for (std::int64_t t = 0; t < count; ++t) {
                    const auto* numbers = reinterpret_cast<const Real*>(x + t * step);
                    for (int c = 0; c < side; ++c) {
                        const double d = static_cast<double>(numbers[c]) - shift[c];
                        const double term = weighted ? job.weights[start + t] * d : d;
                        sums[c] += term;
                        squares[c] += term * d;
                    }
                }
                const auto to = group * job.n + block * side;
                for (std::int64_t c = 0; c < strip.width; ++c) {
                    job.sums[to + c] += sums[c];
                    job.squares[to + c] += squares[c];
                }
            }
            if (watch.stop()) return;
        }
    });
}

}  // namespace

void sum_columns(const Spread& job, int threads, Watch& watch) {
    const auto with = [&]<class Real>(Real) {
        job.weights == nullptr ? sum_rows<Real, false>(job, threads, watch) : sum_rows<Real, true>(job, threads, watch);
    };
    job.real == 4 ? with(float{}) : with(double{});
}

VECH_TARGET_END
