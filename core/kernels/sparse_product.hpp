// multiply_sparse: y = S x of a half in CSR.
//
// Formula      y[r] += z x[c] and y[c] += mirror(z) x[r] for each z stored at (r, c) off the diagonal.
// Accumulator  the dtype's own, two a row. |error| <= n eps |S| |x|.
// Bytes moved  the half once for as many columns of x as a vector holds, up to 8 (4 of complex ones), its columns
// twice;
//              x and y besides. Wider vectors than a target has go through memory: 8 float64 columns of 27-point rows
//              took 134 ms for 9 of AVX-512 that way (AVX2, n = 125 000, beside other work).
// Idea         Rows are cut into shares of about equally many numbers. A share writes its own rows of y, and keeps what
//              belongs to the rows of others in a strip that is as long as its columns reach. Strips are added in a
//              fixed order, and shares are chosen from the matrix alone, as its first product finds it: the same
//              bits for any number of threads. Within a share, rows are walked so that each is met before anything
//              is added to it.
// Assumes      nothing: columns that lead out of bounds are looked for first, in a pass over all of them at once (a
//              fifth of the time), or known from an earlier product, as a plan; what is wrong with them, or with the
//              plan, shows on the way, and the product is then worth nothing.
//
// Gathers and scatters of AVX-512 did not help: in milliseconds (float64, Xeon of 2023) 2.2 for 1.7 on 7-point rows
// (n = 512 000), 5.9 for 4.1 on 27-point rows (n = 250 000), 7.7 for 7.6 on a random pattern (n = 200 000). Rows of a
// stencil are done in vectors, and what columns beside each other are given is added before it is stored, so that
// nothing waits for it: on a Zen 5 1.7 for 2.2 ms (27-point rows, n = 216 000), 1.3 for 2.0 in float32, 0.25 for 0.66
// of 9 points (n = 100 000), 1.3 for 1.8 of 7 points (n = 512 000). Of 7 points in the cache 0.17 for 0.14 (n =
// 64 000). x and y are interleaved for random patterns: 4.2 for 4.6 ms (float64, n = 200 000).
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/lanes.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/rowwise.hpp"
#include "core/kernels/transpose.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real, int count>
struct Several {
    typedef Real type __attribute__((vector_size(sizeof(Real) * count)));
};
template <class Real>
struct Several<Real, 1> {
    using type = Real;
};

template <class Real, bool is_complex, int width, bool grow, bool paired>
class SparseMultiplier {
  public:
    static constexpr int parts = is_complex ? 2 : 1, reals = width * parts;
    static constexpr std::int64_t pitch = reals * (paired ? 2 : 1);
    // Of a stencil: rows at least and at most, numbers of a row, what both are turned by, and how far the columns of a
    // group are from each other.
    static constexpr std::int64_t fewest = 16, tall = 128, widest = 16, group = turned_columns<Real>;
    static constexpr std::int64_t line = 64 / sizeof(Real), near = line;
    // Cache lines. Rows of 27 points, n = 216 000, AMD: 1.7 ms for 2.7 without, upper halves 2.2 for 4.
    static constexpr std::int64_t ahead = 128, columns_ahead = 96;
    using Edge = typename Several<Real, near>::type;
    using V = typename Several<Real, reals>::type;

    // Rows of x, of y or of a strip, `step` reals apart; those of one column adjoin, or are paired: a row of x and of
    // y.
    struct Target {
        Real* base;
        std::int64_t step;
        VECH_INLINE Real* at(std::int64_t row) const { return base + row * (width == 1 ? pitch : step); }
    };

    SparseMultiplier(const SparseProduct& job, Target x, Target y)
        : half_(job.half), negates_(job.negates), conjugates_(job.conjugates), diagonal_(job.diagonal), x_(x), y_(y),
          numbers_(reinterpret_cast<const Real*>(job.half.data)) {}

    // Rows [rows.begin, rows.end): what falls on other rows, down to or up to `reached`, goes to the strip. False: not
    // one triangle in CSR form.
    bool share(const Reach& reach, Range reached, Target strip, Watch& watch) const {
        constexpr std::int64_t ahead = 128;
        const auto local = *this;  // what no store can change stays in registers
        const auto rows = reach.rows;
        auto edge = once(grow ? half_.indptr[rows.begin] : half_.indptr[rows.end]);
        if (edge < 0 || edge > half_.nonzeros) return false;
        for (std::int64_t done = 0, step; done < rows.size() && !watch.stop(); done += step) {
            step = std::min<std::int64_t>(rows.size() - done, 2048);
            for (std::int64_t k = done; k < done + step; ++k) {
                const auto r = grow ? rows.begin + k : rows.end - 1 - k;
                const auto far = once(local.half_.indptr[grow ? r + 1 : r]);
                const auto begin = grow ? edge : far, end = grow ? far : edge;
                if (begin > end || (grow ? end > local.half_.nonzeros : begin < 0)) return false;
                edge = far;
                if constexpr (reals == 1 && !paired) {
                    const auto most = std::min<std::int64_t>(done + step - k, tall);
                    if (const auto count = local.stencil(r, {begin, end}, most, rows, reached, strip); count > 0) {
                        const auto more = (count - 1) * (end - begin);
                        edge = grow ? end + more : begin - more;
                        k += count - 1;
                        continue;
                    }
                }
                __builtin_prefetch(local.numbers_ + (grow ? end + ahead : begin - ahead) * parts);
                if (!local.row(r, begin, end, rows, reached, strip)) return false;
            }
        }
        return true;
    }

    void add(Range rows, Target strip) const {
        for (auto r = rows.begin; r < rows.end; ++r) store(y_.at(r), load<V>(y_.at(r)) + load<V>(strip.at(r)));
    }

  private:
    static VECH_INLINE V turned(V v) {  // i v
        if constexpr (is_complex) {
            V signs;
            for (int k = 0; k < reals; ++k) signs[k] = k % 2 ? Real{1} : Real{-1};
            return swap_lanes(v, std::make_integer_sequence<int, reals>{}) * signs;
        } else {
            return v;
        }
    }

    VECH_INLINE bool row(std::int64_t r, std::int64_t begin, std::int64_t end, Range rows, Range reached,
                         Target strip) const {
        const auto* columns = half_.indices;
        const V in = load<V>(x_.at(r));
        V result{};
        bool inside = true;
        if (begin < end) {
            const std::int64_t first = once(columns[begin]), last = once(columns[end - 1]);
            if ((grow ? last : first) == r) result = on_diagonal(grow ? --end : begin++, in);
            inside = grow ? first >= rows.begin : last < rows.end;
        }
        const Range to_rows = inside ? rows : reached;
        const Range allowed = grow ? Range{to_rows.begin, r} : Range{r + 1, to_rows.end};
        V own = negates_ ? -in : in, crossed{};
        if constexpr (is_complex) {
            crossed = turned(own);
            if (conjugates_) crossed = -crossed;
        }
        bool fits;
        if (inside) {
            fits =
                walk(begin, end, allowed, own, crossed, result, [&](std::int64_t c) VECH_ALWAYS { return y_.at(c); });
        } else {
            const Target to[2] = {y_, strip};
            fits = walk(begin, end, allowed, own, crossed, result, [&](std::int64_t c) VECH_ALWAYS {
                return to[grow ? c < rows.begin : c >= rows.end].at(c);  // no branch: nobody could guess it
            });
        }
        store(y_.at(r), result);
        return fits;
    }

    // Rows of a stencil from r on, whose numbers lead to places of y that are not the same but within a group, of
    // columns beside each other: how many of at most `most` rows are done, in vectors; none: they are for row(), which
    // also sees what is wrong with them. What each sum and each place of y is given, it is given in the order of rows.
    VECH_INLINE std::int64_t stencil(std::int64_t r, Range at, std::int64_t most, Range rows, Range reached,
                                     Target strip) const {
        const auto size = at.size();
        if (size < 2 || size > widest || most < fewest) return 0;
        if (grow ? half_.indptr[r + 2] != at.end + size : half_.indptr[r - 1] != at.begin - size) return 0;
        std::int64_t columns[widest];
        std::int64_t lead = 0;
        for (std::int64_t k = 0; k < size; ++k) {
            columns[k] = once(half_.indices[at.begin + k]);
            if (k == 0 || columns[k] == r || columns[k - 1] == r || columns[k] - columns[lead] > near) {
                if (k > 0 && columns[k] != r && columns[k - 1] != r) most = std::min(most, columns[k] - columns[k - 1]);
                lead = k;
            }
        }
        if (most < fewest) return 0;
        const auto room = grow ? half_.nonzeros - at.begin - group : at.end;  // as many are read with the last row
        const auto count = alike<grow>(half_, r, at, std::min(most, room / size)) / group * group;
        if (count == 0 || (!grow && at.end + group > half_.nonzeros)) return 0;
        return together(r, at, count, columns, rows, reached, strip) ? count : 0;
    }

    bool together(std::int64_t r, Range at, std::int64_t count, const std::int64_t* columns, Range rows, Range reached,
                  Target strip) const {
        const auto size = at.size(), back = grow ? 0 : count - 1, low = r - back;
        const auto diagonal = grow ? size - 1 : 0;
        const bool stored = columns[diagonal] == r, counts = stored && diagonal_ != Product::Diagonal::zero;
        const Range off{!grow && stored, size - (grow && stored)};
        Range groups[widest];
        Real* to[widest];          // where groups begin
        Real* straight[widest]{};  // of numbers that are all of their group, and far from the rows: nothing waits
        std::int64_t many = 0;
        for (std::int64_t k = off.begin, last = -1; k < off.end;) {
            auto next = k + 1;
            while (next < off.end && columns[next - 1] < columns[next] && columns[next] - columns[k] <= near) ++next;
            const auto begin = columns[k] - back, end = columns[next - 1] - back + count;
            const bool here = rows.begin <= begin && end <= rows.end;
            const bool there =
                reached.begin <= begin && end <= reached.end && (grow ? end <= rows.begin : begin >= rows.end);
            if (begin < last || (grow ? columns[next - 1] >= r : columns[k] <= r) || !(here || there)) return false;
            last = end;
            auto* const at_begin = (here ? y_ : strip).at(begin);
            if (next == k + 1 && (grow ? end <= low : begin >= low + count)) {
                straight[k] = at_begin;
            } else {
                to[many] = at_begin;
                groups[many++] = {k, next};
            }
            k = next;
        }
        const auto* numbers = numbers_ + (at.begin - back * size);
        // Rows of a group that lack some of its columns are given 0 there, which changes no sum that began at 0.
        alignas(64) Real moved[widest][near + tall + near];
        for (std::int64_t g = 0; g < many; ++g)
            for (auto k = groups[g].begin; k < groups[g].end; ++k) {
                store(moved[k], Edge{});
                store(moved[k] + near + count, Edge{});
            }
        each<group>(count, [&]<class Some>(std::int64_t done, Some) VECH_ALWAYS {
            constexpr int some = sizeof(Some) / sizeof(Real);
            const auto row = grow ? done : count - some - done;
            const std::byte* from[some];
            for (int i = 0; i < some; ++i) from[i] = reinterpret_cast<const std::byte*>(numbers + (row + i) * size);
            const auto next = at.begin + (row - back) * size;
            for (auto k = next; k < next + some * size; k += line)
                __builtin_prefetch(numbers_ + k + (grow ? ahead : -ahead) * line);
            for (auto k = next; k < next + some * size; k += 16)
                __builtin_prefetch(half_.indices + k + (grow ? columns_ahead : -columns_ahead) * 16);
            const auto in = load<Some>(x_.at(low + row)), own = negates_ ? -in : in;
            Some sums[2] = {}, result{};
            const auto number = [&](std::int64_t k, int lane, Some z) VECH_ALWAYS {
                if (k < off.begin || k >= off.end) {
                    if (counts) result = in * z;
                    return;
                }
                sums[lane] += load<Some>(x_.at(columns[k] - back + row)) * z;
                if (auto* const out = straight[k]; out != nullptr)
                    store(out + row, load<Some>(out + row) + own * z);
                else
                    store(&moved[k][near + row], own * z);
            };
            for (std::int64_t k = 0; k < size; k += group)
                turn<Real, sizeof(Some)>(from, k * static_cast<std::int64_t>(sizeof(Real)),
                                         [&](int c, auto words) VECH_ALWAYS {
                                             if (k + c < size) number(k + c, c % 2, reinterpret_cast<Some>(words));
                                         });
            store(y_.at(low + row), result + (sums[0] + sums[1]));
        });
        for (std::int64_t g = 0; g < many; ++g) {  // what adjoins the diagonal last: it waits for what was stored
            const auto which = grow ? g : many - 1 - g;
            const auto [begin, end] = groups[which];
            const auto first = columns[begin];
            each<1>(count + columns[end - 1] - first, [&]<class Some>(std::int64_t place, Some) VECH_ALWAYS {
                auto out = load<Some>(to[which] + place);
                for (std::int64_t i = 0; i < end - begin; ++i) {
                    const auto k = grow ? end - 1 - i : begin + i;
                    out += load<Some>(&moved[k][near + place - (columns[k] - first)]);
                }
                store(to[which] + place, out);
            });
        }
        return true;
    }

    // visitor(row, vector of as many rows) for all rows, by no fewer than `least`, of which they are a multiple.
    template <int least, class Visitor>
    static VECH_INLINE void each(std::int64_t rows, Visitor&& visitor) {
        std::int64_t row = 0;
        const auto some = [&]<int count>(std::integral_constant<int, count>) VECH_ALWAYS {
            if constexpr (count >= least && count * sizeof(Real) <= VECH_VECTOR)
                for (; row + count <= rows; row += count) visitor(row, typename Several<Real, count>::type{});
        };
        some(std::integral_constant<int, 4 * group>{});
        some(std::integral_constant<int, 2 * group>{});
        some(std::integral_constant<int, group>{});
        some(std::integral_constant<int, 1>{});
    }

    // False: columns do not ascend within `allowed`.
    template <class To>
    VECH_INLINE bool walk(std::int64_t begin, std::int64_t end, Range allowed, V own, V crossed, V& result,
                          To&& to) const {
        V sums[2] = {}, sideways[2] = {};
        const auto one = [&](std::int64_t k, int lane) VECH_ALWAYS {
            const std::int64_t c = static_cast<std::uint32_t>(once(half_.indices[k]));
            if (c < allowed.begin || c >= allowed.end) return false;
            allowed.begin = c + 1;
            const Real* z = numbers_ + k * parts;
            const V in = load<V>(x_.at(c));
            Real* y = to(c);
            V out = load<V>(y);
            sums[lane] += in * z[0];
            out += own * z[0];
            if constexpr (is_complex) {
                sideways[lane] += in * z[1];
                out += crossed * z[1];
            }
            store(y, out);
            return true;
        };
        auto k = begin;
        for (; k + 2 <= end; k += 2)
            if (!one(k, 0) || !one(k + 1, 1)) return false;
        if (k < end && !one(k, 0)) return false;
        result += sums[0] + sums[1];
        if constexpr (is_complex) result += turned(sideways[0] + sideways[1]);
        return true;
    }

    VECH_INLINE V on_diagonal(std::int64_t k, V in) const {
        using enum Product::Diagonal;
        const Real* z = numbers_ + k * parts;
        if (diagonal_ == zero) return V{};
        if constexpr (is_complex) {
            if (diagonal_ == imaginary) return turned(in) * z[1];
            if (diagonal_ == real) return in * z[0];
            return in * z[0] + turned(in) * z[1];
        } else {
            return in * z[0];
        }
    }

    Rowwise half_;
    bool negates_, conjugates_;
    Product::Diagonal diagonal_;
    Target x_, y_;
    const Real* numbers_;
};

// Rows of others that a share reaches, and the columns that it may have.
inline Range strip_of(const Reach& reach, bool grow) {
    if (grow) return {std::min<std::int64_t>(reach.least, reach.rows.begin), reach.rows.begin};
    return {reach.rows.end, std::max<std::int64_t>(reach.most + std::int64_t{1}, reach.rows.end)};
}

inline Range reached_by(const Reach& reach, bool grow, std::int64_t n) {
    const auto strip = strip_of(reach, grow);
    return grow ? Range{strip.begin, n} : Range{0, strip.end};
}

// The shares of a half: about a megabyte each, and so few that their strips are short beside the half.
class Shares {
  public:
    static constexpr std::int64_t most = SparseProduct::most_shares;

    // False: not CSR, or out of bounds; or the plan is of another matrix.
    bool choose(const SparseProduct& job, int threads, Watch& watch) {
        if (job.plan != nullptr && job.plan[0] != 0) return take(job);
        if (!survey_all(job, threads, watch)) return false;
        if (job.plan != nullptr && !watch.stop()) put(job);
        return true;
    }
    std::int64_t strips(bool grow) const {
        std::int64_t sum = 0;
        for (std::int64_t s = 0; s < count; ++s) sum += strip_of(reaches[static_cast<std::size_t>(s)], grow).size();
        return sum;
    }

    // Whether rows reach anywhere, in a half of many megabytes: what is added to y is then a miss of the cache, and no
    // second one beside what is read of x.
    bool scattered(const SparseProduct& job) const {
        return count == 1 && job.half.nonzeros * (job.half.item + 4) >= 8 * megabyte;
    }

    std::int64_t count = 0;
    std::array<Reach, most> reaches;

  private:
    bool survey_all(const SparseProduct& job, int threads, Watch& watch) {
        count = std::clamp<std::int64_t>(job.half.nonzeros * (job.half.item + 4) / megabyte, 1, most);
        for (std::int64_t s = 0; s < count; ++s) {
            auto& rows = reaches[static_cast<std::size_t>(s)].rows;
            rows = {s == 0 ? 0 : reaches[static_cast<std::size_t>(s - 1)].rows.end, job.half.begin_of(s + 1, count)};
            rows.end = std::max(rows.begin, rows.end);
        }
        std::atomic<bool> fits{job.half.indptr[0] == 0 && job.half.indptr[job.half.n] == job.half.nonzeros};
        parallel_for(count, threads, watch, [&](std::int64_t s) {
            if (!survey(job.half, reaches[static_cast<std::size_t>(s)])) fits = false;
        });
        if (!fits) return false;
        while (count > 1 && strips(job.grow) > job.half.nonzeros / 16) halve();
        return true;
    }

    void put(const SparseProduct& job) const {
        auto* to = job.plan + 2;
        for (std::int64_t s = 0; s < count; ++s, to += SparseProduct::facts) {
            const auto& reach = reaches[static_cast<std::size_t>(s)];
            to[0] = reach.rows.end;
            to[1] = reach.least;
            to[2] = reach.most;
        }
        job.plan[1] = job.half.item;
        job.plan[0] = count;
    }

    // What leads out of bounds is refused here, and what only is not so shows in the product.
    bool take(const SparseProduct& job) {
        const auto within = [](std::int64_t number, std::int64_t least, std::int64_t last) {
            return least <= number && number <= last;
        };
        constexpr std::int64_t far = std::numeric_limits<std::int32_t>::max();
        const auto& half = job.half;
        count = once(job.plan[0]);
        if (!within(count, 1, most) || job.plan[1] != half.item || half.indptr[0] != 0 ||
            half.indptr[half.n] != half.nonzeros)
            return false;
        const auto* from = job.plan + 2;
        std::int64_t row = 0;
        for (std::int64_t s = 0; s < count; ++s, from += SparseProduct::facts) {
            const auto end = once(from[0]), least = once(from[1]), last = once(from[2]);
            if (!within(end, row, half.n) || !within(least, 0, far) || !within(last, -1, half.n - 1)) return false;
            auto& reach = reaches[static_cast<std::size_t>(s)];
            reach.rows = {row, end};
            reach.least = static_cast<std::int32_t>(least);
            reach.most = static_cast<std::int32_t>(last);
            row = end;
        }
        return row == half.n;
    }

    void halve() {
        for (std::int64_t s = 0; s < count; s += 2) {
            auto joined = reaches[static_cast<std::size_t>(s)];
            if (s + 1 < count) {
                const auto& next = reaches[static_cast<std::size_t>(s + 1)];
                joined.rows.end = next.rows.end;
                joined.least = std::min(joined.least, next.least);
                joined.most = std::max(joined.most, next.most);
            }
            reaches[static_cast<std::size_t>(s / 2)] = joined;
        }
        count = (count + 1) / 2;
    }
};

template <class Real, bool is_complex, int width, bool grow, bool paired = false>
Fault multiply_columns(const SparseProduct& job, std::int64_t column, const Shares& shares, int threads, Watch& watch) {
    using Multiplier = SparseMultiplier<Real, is_complex, width, grow, paired>;
    using Target = typename Multiplier::Target;
    const bool alone = threads == 1;
    const auto step = job.columns * Multiplier::parts;
    Target x{reinterpret_cast<Real*>(const_cast<std::byte*>(job.x)) + column * Multiplier::parts, step};
    Target y{reinterpret_cast<Real*>(job.y) + column * Multiplier::parts, step};
    const Target out = y;
    std::unique_ptr<Real[]> apart;  // one column among others, by itself
    if (width == 1 && (paired || job.columns > 1)) {
        const auto size = job.half.n * Multiplier::parts;
        apart.reset(new (std::nothrow) Real[static_cast<std::size_t>(2 * size)]);
        if (!apart) return Fault::out_of_memory;
        for (std::int64_t r = 0; r < job.half.n; ++r)
            std::copy_n(x.base + r * step, Multiplier::parts, apart.get() + r * Multiplier::pitch);
        x.base = apart.get();
        y.base = apart.get() + (paired ? Multiplier::parts : size);
    }
    const Multiplier multiplier(job, x, y);
    std::array<std::int64_t, Shares::most + 1> places{};  // of the strips in their memory; alone: one after the other
    std::int64_t longest = 0;
    for (std::int64_t s = 0; s < shares.count; ++s) {
        const auto size = strip_of(shares.reaches[static_cast<std::size_t>(s)], grow).size();
        longest = std::max(longest, size);
        places[static_cast<std::size_t>(s + 1)] = alone ? 0 : places[static_cast<std::size_t>(s)] + size;
    }
    const auto room = std::max<std::int64_t>(1, alone ? longest : places[static_cast<std::size_t>(shares.count)]);
    const std::unique_ptr<Real[]> memory(new (std::nothrow) Real[static_cast<std::size_t>(room * Multiplier::pitch)]);
    if (!memory) return Fault::out_of_memory;
    const auto memory_of = [&](std::int64_t s) {
        const auto from = strip_of(shares.reaches[static_cast<std::size_t>(s)], grow).begin;
        return Target{memory.get() + (places[static_cast<std::size_t>(s)] - from) * Multiplier::pitch,
                      Multiplier::reals};
    };
    const auto in_order = [&](std::int64_t unit) { return grow ? unit : shares.count - 1 - unit; };
    std::atomic<bool> fits{true};
    parallel_for(shares.count, threads, watch, [&](std::int64_t unit) {
        const auto s = in_order(unit);
        const auto& reach = shares.reaches[static_cast<std::size_t>(s)];
        const auto range = strip_of(reach, grow);
        const auto strip = memory_of(s);
        std::fill(strip.at(range.begin), strip.at(range.end), Real{0});
        if (!multiplier.share(reach, reached_by(reach, grow, job.half.n), strip, watch)) fits = false;
        if (alone) multiplier.add(range, strip);
    });
    if (!fits) return Fault::malformed;
    if (!alone && !watch.stop())
        parallel_for(shares.count, threads, watch, [&](std::int64_t owner) {
            const auto& rows = shares.reaches[static_cast<std::size_t>(owner)].rows;
            for (std::int64_t unit = 0; unit < shares.count; ++unit) {
                const auto s = in_order(unit);
                const auto range = strip_of(shares.reaches[static_cast<std::size_t>(s)], grow);
                multiplier.add({std::max(rows.begin, range.begin), std::min(rows.end, range.end)}, memory_of(s));
            }
        });
    if (apart)
        for (std::int64_t r = 0; r < job.half.n; ++r)
            std::copy_n(y.base + r * Multiplier::pitch, Multiplier::parts, out.base + r * step);
    return Fault::none;
}

}  // namespace

Fault multiply_sparse(const SparseProduct& job, int threads, Watch& watch) {
    Shares shares;
    if (!shares.choose(job, threads, watch)) return Fault::malformed;
    Fault fault = Fault::none;
    std::int64_t column = 0;
    const auto with = [&]<class Real, bool is_complex, int width>(Real, std::bool_constant<is_complex>,
                                                                  std::integral_constant<int, width>) {
        if constexpr (width == 1 && !is_complex)
            if (shares.scattered(job)) {
                for (; column < job.columns && fault == Fault::none && !watch.stop(); ++column)
                    fault = job.grow
                                ? multiply_columns<Real, false, 1, true, true>(job, column, shares, threads, watch)
                                : multiply_columns<Real, false, 1, false, true>(job, column, shares, threads, watch);
                return;
            }
        if constexpr (width == 1 || width * sizeof(Real) * (is_complex ? 2 : 1) <= VECH_VECTOR)
            for (; column + width <= job.columns && fault == Fault::none && !watch.stop(); column += width)
                fault = job.grow
                            ? multiply_columns<Real, is_complex, width, true>(job, column, shares, threads, watch)
                            : multiply_columns<Real, is_complex, width, false>(job, column, shares, threads, watch);
    };
    const auto widths = [&]<class Real, bool is_complex>(Real real, std::bool_constant<is_complex> kind) {
        if constexpr (!is_complex) with(real, kind, std::integral_constant<int, 8>{});
        with(real, kind, std::integral_constant<int, 4>{});
        with(real, kind, std::integral_constant<int, 2>{});
        with(real, kind, std::integral_constant<int, 1>{});
    };
    if (job.real == 4)
        job.complex ? widths(float{}, std::true_type{}) : widths(float{}, std::false_type{});
    else
        job.complex ? widths(double{}, std::true_type{}) : widths(double{}, std::false_type{});
    return fault;
}

VECH_TARGET_END
