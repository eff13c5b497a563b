// finish: inner products of a block become distances, in one pass. add_differences: the pairs that want another way.
//
// Formula      d_ij = left_i + right_j - times p_ij; out = sqrt(d) scale, or d scale^2. A pair is doubtful where
//              d < least (left_i + right_j), which has lost digits, where d is so small that products have
//              underflowed, and where it is no number or infinite; what stands there is to be replaced.
//              sums_k += sum over c of ((x_c - y_c) scale)^2.
// Accumulator  finish: the dtype's own. Differences are taken and added in double, in 32 sums that do not depend on
//              the target; |error| <= (length / 32 + 40) eps / 2 of the sum, and equal rows give 0.
// Bytes moved  finish: the block once to and fro, in the cache where BLAS has left it. A pass of NumPy for each step
//              takes three times as long.
// Assumes      nothing about alignment.
#pragma once
#include "core/finish.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/parallel.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real, bool root>
class Finisher {
  public:
    explicit Finisher(const Finish& job)
        : job_(job), right_(reinterpret_cast<const Real*>(job.right)), times_(static_cast<Real>(job.times)),
          least_(static_cast<Real>(job.least)), most_(static_cast<Real>(job.most)),
          scale_(static_cast<Real>(job.scale)) {}

    // A row; returns how many doubtful pairs there are now.
    std::int64_t row(std::int64_t i, std::int64_t found) const {
        Real* numbers = reinterpret_cast<Real*>(job_.block) + i * job_.columns;
        const Real own = reinterpret_cast<const Real*>(job_.left)[i];
        for (std::int64_t begin = 0; begin < job_.columns; begin += piece) {
            const auto count = std::min(piece, job_.columns - begin);
            Flag flags[piece];
            if (!distances(numbers + begin, right_ + begin, own, count, flags)) continue;
            for (std::int64_t k = 0; k < count; ++k)
                if (flags[k]) job_.doubtful[found++] = i * job_.columns + begin + k;
        }
        return found;
    }

  private:
    using Flag = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;
    static constexpr std::int64_t piece = 64;
    // Above it, products that have underflowed are less than half a unit in the last place of d.
    static constexpr Real small = std::numeric_limits<Real>::min() * (sizeof(Real) == 4 ? Real(0x1p32) : Real(0x1p64));

    VECH_INLINE bool distances(Real* numbers, const Real* right, Real own, std::int64_t count, Flag* flags) const {
        Flag any = 0;
        for (std::int64_t k = 0; k < count; ++k) {
            const Real sum = own + right[k];
            const Real d = sum - times_ * numbers[k];
            const Real limit = least_ * sum;
            const Flag sure = Flag(d >= limit) & Flag(d >= small) & Flag(d <= std::numeric_limits<Real>::max());
            flags[k] = 1 - sure;
            any |= flags[k];
            const Real capped = d < most_ ? d : most_;
            if constexpr (root)
                numbers[k] = std::sqrt(capped) * scale_;
            else
                numbers[k] = capped * scale_ * scale_;
        }
        return any != 0;
    }

    const Finish& job_;
    const Real* right_;
    Real times_, least_, most_, scale_;
};

template <class Real, bool root>
std::int64_t finish_as(const Finish& job, Watch& watch) {
    const Finisher<Real, root> work(job);
    std::int64_t found = 0;
    for (std::int64_t i = 0; i < job.rows && !watch.stop(); ++i) found = work.row(i, found);
    return found;
}

template <class Real>
VECH_INLINE double squared_difference(const Real* x, const Real* y, std::int64_t length, double scale) {
    constexpr int lanes = 32;
    double sums[lanes] = {}, rest = 0;
    std::int64_t c = 0;
    for (; c + lanes <= length; c += lanes)
        for (int lane = 0; lane < lanes; ++lane) {
            const double d = (static_cast<double>(x[c + lane]) - static_cast<double>(y[c + lane])) * scale;
            sums[lane] += d * d;
        }
    for (; c < length; ++c) {
        const double d = (static_cast<double>(x[c]) - static_cast<double>(y[c])) * scale;
        rest += d * d;
    }
    if (length < lanes) return rest;
    for (int half = lanes / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    return sums[0] + rest;
}

template <class Real>
void differences_of(const Differences& job, Watch& watch) {
    const auto* left = reinterpret_cast<const Real*>(job.left);
    const auto* right = reinterpret_cast<const Real*>(job.right);
    const std::int64_t together = std::max<std::int64_t>(1, (1 << 17) / std::max<std::int64_t>(1, job.length));
    for (std::int64_t k = 0; k < job.count; ++k) {
        if (k % together == 0 && watch.stop()) return;
        const auto i = job.pairs[k] / job.columns, j = job.pairs[k] - i * job.columns;
        job.sums[k] += squared_difference(left + i * job.length, right + j * job.length, job.length, job.scale);
    }
}

}  // namespace

std::int64_t finish(const Finish& job, Watch& watch) {
    if (job.real == 4) return job.root ? finish_as<float, true>(job, watch) : finish_as<float, false>(job, watch);
    return job.root ? finish_as<double, true>(job, watch) : finish_as<double, false>(job, watch);
}

void add_differences(const Differences& job, Watch& watch) {
    job.real == 4 ? differences_of<float>(job, watch) : differences_of<double>(job, watch);
}
VECH_TARGET_END
