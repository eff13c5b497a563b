// nearest_half, nearest_block: the k smallest numbers of each row of a symmetric matrix, read from one
// triangle. pair_rows: rows of X with chosen others.
//
// Formula      list r gets the k first of the numbers s(r, c), c != r, ordered by (number, c); NaN never.
// Idea         Each number below the diagonal is offered to two lists, that of its row and that of its column. A vector
//              of a row is compared with the limits of its columns and with that of the row: few numbers pass.
//              Every list meets its candidates in ascending order of their indices, so that of equals the first is
//              there already: a limit is the number just below the last one of a full list, and the place of a
//              number is how many are no larger. Lists are kept sorted by vectors, in half the time of heaps (k = 10).
// Results      the same for any thread count: each share of a half has lists of its own, which are joined by the same
//              order; a block is walked twice, by owners of rows and by owners of columns.
// Memory       lists once more for each thread beyond the first.
// Assumes      blocks come row of blocks by row of blocks, columns ascending, all of one triangle; they cross the
//              diagonal in squares on it alone. pair_rows: rows and partners in bounds.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/lanes.hpp"
#include "core/kernels/lines.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/nearest.hpp"
#include "core/parallel.hpp"
#include "core/runs.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

// Bit k says whether a[k] <= b[k].
template <class Real, class V>
VECH_INLINE std::uint32_t not_above_bits(V a, V b) {
    [[maybe_unused]] constexpr bool single = sizeof(Real) == 4;
#if VECH_VECTOR == 64
    if constexpr (single) return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_LE_OQ);
    if constexpr (!single) return _mm512_cmp_pd_mask(__m512d(a), __m512d(b), _CMP_LE_OQ);
#elif VECH_VECTOR == 32
    if constexpr (single)
        return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(__m256(a), __m256(b), _CMP_LE_OQ)));
    if constexpr (!single)
        return static_cast<std::uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(__m256d(a), __m256d(b), _CMP_LE_OQ)));
#elif defined(__x86_64__)
    if constexpr (single) return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_cmple_ps(__m128(a), __m128(b))));
    if constexpr (!single) return static_cast<std::uint32_t>(_mm_movemask_pd(_mm_cmple_pd(__m128d(a), __m128d(b))));
#else
    std::uint32_t bits = 0;
    const auto is = a <= b;
    for (int lane = 0; lane < Lanes<Real, VECH_VECTOR>::count; ++lane) bits |= (is[lane] & 1u) << lane;
    return bits;
#endif
}

template <class Real>
class Ranks {
  public:
    using V = typename Lanes<Real, VECH_VECTOR>::type;
    using Index = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;
    typedef Index Places __attribute__((vector_size(VECH_VECTOR)));
    static constexpr int lanes = Lanes<Real, VECH_VECTOR>::count;

    Ranks(const Lists& lists, Real* values, Index* indices, Real* limits)
        : k_(lists.k), stride_(lists.stride), flip_(lists.largest ? -1 : 1), values_(values), indices_(indices),
          limits_(limits) {}
    explicit Ranks(const Lists& lists)
        : Ranks(lists, reinterpret_cast<Real*>(lists.values), reinterpret_cast<Index*>(lists.indices),
                reinterpret_cast<Real*>(lists.limits)) {}

    void clear(std::int64_t list) const {
        constexpr auto infinity = std::numeric_limits<Real>::infinity();
        std::fill_n(values_ + list * stride_, stride_, std::numeric_limits<Real>::quiet_NaN());
        std::fill_n(indices_ + list * stride_, stride_, -1);
        values_[list * stride_] = -infinity;
        limits_[list] = infinity;
    }

    // Cells (r, begin..end) of a row that begins at cell 0, to the list of r or to those of the columns, or both.
    template <bool to_row, bool to_columns>
    void scan(const Real* row, std::int64_t r, std::int64_t begin, std::int64_t end) const {
        constexpr std::int64_t far = 8192 / sizeof(Real);
        auto c = begin;
        for (; c + lanes <= end; c += lanes) {
            __builtin_prefetch(row + c + far);
            const V numbers = load<V>(row + c) * flip_;
            std::uint32_t own = 0, others = 0;
            if constexpr (to_row) own = not_above_bits<Real>(numbers, V{} + limits_[r]);
            if constexpr (to_columns) others = not_above_bits<Real>(numbers, load<V>(limits_ + c));
            if ((own | others) == 0) continue;
            for (; others != 0; others &= others - 1) to(c + std::countr_zero(others), row, r);
            for (; own != 0; own &= own - 1) {
                const auto at = c + std::countr_zero(own);
                offer(r, row[at] * flip_, at);
            }
        }
        for (; c < end; ++c) {
            if constexpr (to_columns) to(c, row, r);
            if constexpr (to_row) offer(r, row[c] * flip_, c);
        }
    }

    void offer(std::int64_t list, Real number, std::int64_t index) const {
        if (!(number <= limits_[list])) return;
        Real* const v = values_ + list * stride_;
        Index* const at = indices_ + list * stride_;
        const V here = V{} + number;
        const Places place = Places{} + static_cast<Index>(index);
        for (auto p = stride_ - lanes; p > 0; p -= lanes) {
            const V own = load<V>(v + p), before = load<V>(v + p - 1);
            store(v + p, own <= here ? own : before <= here ? here : before);
            store(at + p, own <= here ? load<Places>(at + p) : before <= here ? place : load<Places>(at + p - 1));
        }
        if (at[k_] >= 0) limits_[list] = below(v[k_]);
    }

    // What another list holds, of higher indices.
    void join(std::int64_t list, const Ranks& other) const {
        const auto first = list * stride_ + 1;
        for (auto p = first; p < first + k_ && other.indices_[p] >= 0; ++p)
            offer(list, other.values_[p], other.indices_[p]);
    }

  private:
    VECH_INLINE void to(std::int64_t c, const Real* row, std::int64_t r) const { offer(c, row[c] * flip_, r); }

    // The next number down; NaN below minus infinity, which nothing is less than.
    static Real below(Real number) {
        if (number == 0) return -std::numeric_limits<Real>::denorm_min();
        return std::bit_cast<Real>(static_cast<Index>(std::bit_cast<Index>(number) + (number > 0 ? -1 : 1)));
    }

    std::int64_t k_, stride_;
    Real flip_;
    Real* values_;
    Index* indices_;
    Real* limits_;
};

template <class Real>
Fault nearest_of_half(const NearestHalf& job, int threads, Watch& watch) {
    using Index = typename Ranks<Real>::Index;
    const auto n = job.lists.n, numbers = n * job.lists.stride;
    const auto* const words = reinterpret_cast<const Real*>(job.words);
    const auto shares = std::clamp<std::int64_t>(job.half.length() / job.parts * job.lists.real / megabyte, 1, threads);
    Memory<Real> values, limits;
    Memory<Index> indices;
    if (!values.get((shares - 1) * numbers) || !indices.get((shares - 1) * numbers) || !limits.get((shares - 1) * n))
        return Fault::out_of_memory;
    const Ranks<Real> ranks(job.lists);
    const auto ranks_of = [&](std::int64_t share) {
        const auto before = share - 1;
        return share == 0 ? ranks
                          : Ranks<Real>(job.lists, values.at + before * numbers, indices.at + before * numbers,
                                        limits.at + before * n);
    };
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        const auto own = ranks_of(share);
        for (std::int64_t list = 0; list < n && (share > 0 || job.part == 0); ++list) own.clear(list);
        const auto [first, last] = share_of(job.half, job.part * shares + share, job.parts * shares);
        std::int64_t since = 0;
        for (auto r = first; r < last; ++r) {
            const auto begin = job.half.grow ? 0 : r + 1, end = job.half.grow ? r : n;
            own.template scan<true, true>(words + job.half.origin(r), r, begin, end);
            since += (end - begin) * job.lists.real;
            if (since < megabyte) continue;
            if (watch.stop()) return;
            since = 0;
        }
    });
    constexpr std::int64_t unit = 1024;
    parallel_for((n + unit - 1) / unit, threads, watch, [&](std::int64_t number) {
        for (auto list = number * unit; list < std::min((number + 1) * unit, n); ++list)
            for (std::int64_t share = 1; share < shares; ++share) ranks.join(list, ranks_of(share));
    });
    return Fault::none;
}

template <class Real>
void nearest_of_block(const NearestBlock& job, int threads, Watch& watch) {
    const Ranks<Real> ranks(job.lists);
    const auto* const words = reinterpret_cast<const Real*>(job.words);
    const bool above = job.columns.begin > job.rows.begin;
    const auto walk = [&]<bool to_row, bool to_columns>(Range rows, Range columns) {
        for (auto r = rows.begin; r < rows.end; ++r)
            ranks.template scan<to_row, to_columns>(words + (r - job.rows.begin) * job.stride - job.columns.begin, r,
                                                    above ? std::max(columns.begin, r + 1) : columns.begin,
                                                    above ? columns.end : std::min(columns.end, r));
    };
    const auto halves = [&](Range whole, auto&& body) {
        const auto unit = (whole.size() + 2 * threads - 1) / (2 * threads) + 64;
        parallel_for((whole.size() + unit - 1) / unit, threads, watch, [&](std::int64_t k) {
            body(Range{whole.begin + k * unit, std::min(whole.begin + (k + 1) * unit, whole.end)});
        });
    };
    if (threads == 1 || job.rows.size() * job.columns.size() * job.lists.real < megabyte)
        return walk.template operator()<true, true>(job.rows, job.columns);
    halves(job.rows, [&](Range rows) { walk.template operator()<true, false>(rows, job.columns); });
    halves(job.columns, [&](Range columns) { walk.template operator()<false, true>(job.rows, columns); });
}

// Eight lanes of double, whatever the target, so that one has the sums of the other.
template <class Real, bool products>
double pair_of(const Real* a, const Real* b, std::int64_t columns) {
    typedef double Lane __attribute__((vector_size(64)));
    typedef Real Numbers __attribute__((vector_size(8 * sizeof(Real))));
    Lane sums[2] = {};
    const auto take = [&](Numbers one, Numbers other, int turn) VECH_ALWAYS {
        const Lane x = __builtin_convertvector(one, Lane), y = __builtin_convertvector(other, Lane);
        sums[turn] += products ? x * y : (x - y) * (x - y);
    };
    std::int64_t c = 0;
    for (; c + 16 <= columns; c += 16)
        for (int turn = 0; turn < 2; ++turn)
            take(load<Numbers>(a + c + 8 * turn), load<Numbers>(b + c + 8 * turn), turn);
    for (; c < columns; c += 8) {
        Numbers rest[2] = {};
        const auto bytes = static_cast<std::size_t>(std::min<std::int64_t>(8, columns - c)) * sizeof(Real);
        std::memcpy(rest, a + c, bytes);
        std::memcpy(rest + 1, b + c, bytes);
        take(rest[0], rest[1], 0);
    }
    double sum = 0;
    for (const auto& lane : sums)
        for (int k = 0; k < 8; ++k) sum += lane[k];
    return sum;
}

template <class Real, bool products>
void pairs_of_rows(const RowPairs& job, int threads, Watch& watch) {
    const auto* const x = reinterpret_cast<const Real*>(job.x);
    const auto unit =
        std::max<std::int64_t>(1, megabyte / (job.columns * job.real * std::max<std::int64_t>(job.k, 1) + 1));
    parallel_for((job.count + unit - 1) / unit, threads, watch, [&](std::int64_t number) {
        for (auto row = number * unit; row < std::min((number + 1) * unit, job.count); ++row) {
            const auto* const own = x + job.rows[row] * job.columns;
            for (auto p = row * job.k; p < (row + 1) * job.k; ++p) {
                const auto* const next = x + job.partners[std::min(p + 2, job.count * job.k - 1)] * job.columns;
                for (std::int64_t c = 0; c < job.columns; c += line_bytes / job.real) __builtin_prefetch(next + c);
                job.results[p] = pair_of<Real, products>(own, x + job.partners[p] * job.columns, job.columns);
            }
        }
    });
}

}  // namespace

Fault nearest_half(const NearestHalf& job, int threads, Watch& watch) {
    return job.lists.real == 4 ? nearest_of_half<float>(job, threads, watch)
                               : nearest_of_half<double>(job, threads, watch);
}

void nearest_block(const NearestBlock& job, int threads, Watch& watch) {
    job.lists.real == 4 ? nearest_of_block<float>(job, threads, watch) : nearest_of_block<double>(job, threads, watch);
}

void pair_rows(const RowPairs& job, int threads, Watch& watch) {
    const auto with = [&]<class Real>(Real) {
        job.products ? pairs_of_rows<Real, true>(job, threads, watch) : pairs_of_rows<Real, false>(job, threads, watch);
    };
    job.real == 4 ? with(float{}) : with(double{});
}

VECH_TARGET_END
