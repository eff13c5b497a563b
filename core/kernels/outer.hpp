// outer: the half of a sum of outer products.
//
// Formula      half(r, c) = sum over k of left_k[r] right_k[c].
// Accumulator  the dtype's own, k after k: the first product is rounded, each other one with its sum.
// Bytes moved  the half once, past the caches where it is larger than these. BLAS's rank-2 update adds to zeros that
//              must be written first: three passes for one.
// Assumes      one pair of vectors at least; the results are the same for any number of threads.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/lanes.hpp"
#include "core/kernels/lines.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/parallel.hpp"
#include "core/product.hpp"
#include "core/runs.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real>
class OuterRows {
    using V = typename Lanes<Real, VECH_VECTOR>::type;
    static constexpr std::int64_t lanes = Lanes<Real, VECH_VECTOR>::count, item = sizeof(Real), together = 4;

    const Outer& job_;
    const Real *left_, *right_;
    bool streams_;

    VECH_INLINE V factor(std::int64_t k, std::int64_t r) const { return V{} + load<Real>(left_ + k * job_.half.n + r); }

    // Columns from c on: `vectors` whole ones.
    template <int vectors>
    VECH_INLINE void sums(std::int64_t r, std::int64_t c, V* sum) const {
        const V first = factor(0, r);
        for (int v = 0; v < vectors; ++v) sum[v] = first * load<V>(right_ + c + v * lanes);
        for (std::int64_t k = 1; k < job_.pairs; ++k) {
            const V by = factor(k, r);
            const Real* numbers = right_ + k * job_.half.n + c;
            for (int v = 0; v < vectors; ++v) sum[v] = fused<Real>(by, load<V>(numbers + v * lanes), sum[v]);
        }
    }

  public:
    explicit OuterRows(const Outer& job)
        : job_(job), left_(reinterpret_cast<const Real*>(job.left)), right_(reinterpret_cast<const Real*>(job.right)),
          streams_(job.half.length() * item >= streamed_bytes() && bytes_to_line(job.words) % item == 0) {}

    void row(std::int64_t r) const {
        const auto begin = job_.half.first(r), end = job_.half.last(r);
        auto* const to = reinterpret_cast<Real*>(job_.words) + job_.half.origin(r);
        V sum[together];
        if (end - begin < lanes) {
            for (auto c = begin; c < end; ++c) {
                V number = factor(0, r) * load<Real>(right_ + c);
                for (std::int64_t k = 1; k < job_.pairs; ++k)
                    number = fused<Real>(factor(k, r), V{} + load<Real>(right_ + k * job_.half.n + c), number);
                store(to + c, number[0]);
            }
            return;
        }
        const auto put = [&](std::int64_t c) VECH_ALWAYS {
            sums<1>(r, c, sum);
            store(to + c, sum[0]);
        };
        auto c = begin;
        if (streams_) {
            const auto before = bytes_to_line(reinterpret_cast<const std::byte*>(to + begin)) / item;
            const auto line = std::min(begin + before, end);
            for (; c < line; c += lanes) put(std::min(c, end - lanes));
            c = line;
        }
        constexpr std::int64_t in_line = line_bytes / item;
        for (; c + together * lanes <= end; c += together * lanes) {
            sums<together>(r, c, sum);
            if (streams_) {
                for (std::int64_t line = 0; line < together * lanes; line += in_line)
                    stream_line(reinterpret_cast<std::byte*>(to + c + line),
                                reinterpret_cast<const std::byte*>(sum) + line * item);
            } else {
                for (int v = 0; v < together; ++v) store(to + c + v * lanes, sum[v]);
            }
        }
        for (; c + lanes <= end; c += lanes) put(c);
        if (c < end) put(end - lanes);
    }
};

template <class Real>
void outer_of(const Outer& job, int threads, Watch& watch) {
    const OuterRows<Real> rows(job);
    const auto shares = std::max<std::int64_t>(1, job.half.length() * job.real / unit_bytes);
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        const auto [first, last] = share_of(job.half, share, shares);
        for (auto r = first; r < last; ++r) rows.row(r);
        finish_streams();
    });
}

}  // namespace

void outer(const Outer& job, int threads, Watch& watch) {
    job.real == 4 ? outer_of<float>(job, threads, watch) : outer_of<double>(job, threads, watch);
}

VECH_TARGET_END
