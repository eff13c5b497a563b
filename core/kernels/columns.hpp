// multiply_columns: Y = S X of real numbers, X of several columns.
//
// Formula      that of multiply, for each column: Y[r] += sum over c of z(r, c) X[c] and Y[c] += mirror(z(r, c)) X[r].
// Idea         A strip is as many columns as a vector has lanes; X and Y are laid out strip by strip, so that a row of
//              one is a vector. A stored number is repeated in all lanes and serves two multiplications, fused with
//              their additions where the target can; `together` rows at a time share what is read of X and Y. A block
//              of the half serves all strips while it is in the caches.
// Accumulator  the dtype's own. Rows are cut into shares, each with a Y of its own, by the shape alone, and a strip
//              is one thread's: results are the same for any number of threads. |error| <= n eps |S| |X|.
// Bytes moved  the half once; X and Y once for each block of 256 x 256.
// Assumes      nothing about alignment.
// Measured     16 columns at 0.4 to 0.6 of NumPy's time on the full matrix, 64 at 0.7 to 0.85, 256 at 0.9 to 1.1, where
//              copies of blocks through BLAS take 0.9 to 1.5 (n = 2048 and 4096, AVX-512, one thread). What the next
//              rows hold is fetched ahead: 5.0 ms for 8.0 (float32, 4096 x 16).
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/lanes.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/parallel.hpp"
#include "core/product.hpp"
#include "core/runs.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real>
class Stripes {
  public:
    using V = typename Lanes<Real, VECH_VECTOR>::type;
    static constexpr int lanes = Lanes<Real, VECH_VECTOR>::count, together = VECH_VECTOR == 64 ? 8 : 4;
    static constexpr std::int64_t side = 256;

    explicit Stripes(const Product& job)
        : strips((job.columns + lanes - 1) / lanes), job_(job), half_(job.half),
          words_(reinterpret_cast<const Real*>(job.words)) {
        const auto address = reinterpret_cast<std::uintptr_t>(job.work);
        x_ = reinterpret_cast<V*>((address + 63) / 64 * 64);
        y_ = x_ + strips * half_.n;
    }

    void lay_out(std::int64_t strip) const {
        const auto width = std::min<std::int64_t>(lanes, job_.columns - strip * lanes);
        for (std::int64_t r = 0; r < half_.n; ++r) {
            V row{};
            std::memcpy(&row, job_.x + at(r, strip), static_cast<std::size_t>(width) * sizeof(Real));
            x_[strip * half_.n + r] = row;
        }
    }

    // What the runs of a share give, of the strips [begin, end).
    void share(std::int64_t number, std::int64_t shares, std::int64_t begin, std::int64_t end, Watch& watch) const {
        const auto n = half_.n;
        V* const y = y_ + number * strips * n;
        std::fill(y + begin * n, y + end * n, V{});
        const auto [first, last] = share_of(half_, number, shares);
        for (auto row = first; row < last; row += side) {
            const Range rows{row, std::min(row + side, last)};
            const auto stop = half_.grow ? rows.end : n;
            for (auto column = half_.grow ? 0 : row; column < stop; column += side) {
                if (watch.stop()) return;
                for (auto strip = begin; strip < end; ++strip)
                    block(rows, {column, std::min(column + side, stop)}, x_ + strip * n, y + strip * n);
            }
        }
    }

    // Y = off * sum of shares + on * diagonal X.
    void finish(std::int64_t strip, std::int64_t shares) const {
        const auto width = std::min<std::int64_t>(lanes, job_.columns - strip * lanes);
        const auto off = static_cast<Real>(job_.off), on = static_cast<Real>(job_.on);
        for (std::int64_t r = 0; r < half_.n; ++r) {
            V sum{};
            for (std::int64_t share = 0; share < shares; ++share) sum += y_[(share * strips + strip) * half_.n + r];
            Real d = job_.diagonal == Product::Diagonal::one ? 1 : 0;
            if (job_.diagonal >= Product::Diagonal::stored) d = words_[half_.origin(r) + r];
            sum = off * sum + on * (d * x_[strip * half_.n + r]);
            std::memcpy(job_.y + at(r, strip), &sum, static_cast<std::size_t>(width) * sizeof(Real));
        }
    }

    const std::int64_t strips;

  private:
    std::int64_t at(std::int64_t r, std::int64_t strip) const {
        return (r * job_.columns + strip * lanes) * static_cast<std::int64_t>(sizeof(Real));
    }

    void block(Range rows, Range columns, const V* x, V* y) const {
        auto r = rows.begin;
        for (; r + together <= rows.end; r += together) band<together>(r, columns, x, y);
        for (; r < rows.end; ++r) band<1>(r, columns, x, y);
    }

    template <int rows>
    void band(std::int64_t r, Range columns, const V* x, V* y) const {
        const Real *row[rows], *next[rows];
        V own[rows], sum[rows] = {};
        for (int k = 0; k < rows; ++k) {
            row[k] = words_ + half_.origin(r + k);
            next[k] = words_ + half_.origin(r + rows + k);
            own[k] = job_.negates ? -x[r + k] : x[r + k];
        }
        const auto add = [&](int k, std::int64_t c, V in, V& out) VECH_ALWAYS {
            const V z = repeat<V>(row[k][c], std::make_integer_sequence<int, lanes>{});
            sum[k] = fused<Real>(z, in, sum[k]);
            out = fused<Real>(z, own[k], out);
        };
        const auto end = half_.grow ? std::min(columns.end, r) : columns.end;
        for (auto c = half_.grow ? columns.begin : std::max(columns.begin, r + rows); c < end; ++c) {
            const V in = x[c];
            V out = y[c];
            __builtin_prefetch(next[c % rows] + c);
            for (int k = 0; k < rows; ++k) add(k, c, in, out);
            y[c] = out;
        }
        if (columns.begin <= r && r < columns.end)
            for (int k = 0; k < rows; ++k)
                for (int c = half_.grow ? 0 : k + 1; c < (half_.grow ? k : rows); ++c)
                    add(k, r + c, x[r + c], y[r + c]);
        for (int k = 0; k < rows; ++k) y[r + k] += sum[k];
    }

    const Product& job_;
    const Half& half_;
    const Real* words_;
    V *x_, *y_;
};

}  // namespace

void multiply_columns(const Product& job, int threads, Watch& watch) {
    const auto with = [&]<class Real>(Real) {
        const Stripes<Real> stripes(job);
        const auto strips = stripes.strips, shares = job.shares();
        const auto groups = shares == 1 ? std::min<std::int64_t>(threads, strips) : 1;
        parallel_for(strips, threads, watch, [&](std::int64_t strip) { stripes.lay_out(strip); });
        parallel_for(groups * shares, threads, watch, [&](std::int64_t unit) {
            const auto group = unit / shares;
            stripes.share(unit % shares, shares, group * strips / groups, (group + 1) * strips / groups, watch);
        });
        if (watch.stop()) return;
        parallel_for(strips, threads, watch, [&](std::int64_t strip) { stripes.finish(strip, shares); });
    };
    job.real == 4 ? with(float{}) : with(double{});
}

VECH_TARGET_END
