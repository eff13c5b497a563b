// multiply: y = S x. multiply_tile: both products of a block. panel: a block of the half to or from rows of constant
// length. dot: the sum of products, added in double. largest: the largest |number|, NaN if there is one.
//
// Formula      y[r] += sum over c of z(r, c) x[c] and y[c] += mirror(z(r, c)) x[r], for each stored z off the diagonal.
// Accumulator  the dtype's own, in as many lanes as a vector has; each share of the rows has a y of its own, and those
//              are added in order. |error| <= n eps |S| |x|.
// Bytes moved  the half once; x and y stay in the caches. Four rows at a time share what is read of x and y.
// Assumes      nothing about alignment; results are the same for any number of threads.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/lanes.hpp"
#include "core/kernels/lines.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/product.hpp"
#include "core/runs.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real>
using BitsOf = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;

// `rows` rows with columns in common: what they add to y, and the sums of the rows. Where x is ones it is not read,
// with the same bits: row sums 0.04 to 0.1 plain reads less (Zen 5).
template <class Real, bool is_complex, bool ones, int rows>
struct Band {
    static constexpr int parts = is_complex ? 2 : 1;
    static constexpr std::int64_t ahead = 2048;  // bytes

    const Real* row[rows];  // at column 0
    const Real* x;
    Real* y;
    Real own[rows][parts], turned[rows][parts];  // factors of z and of swapped z: mirror(z) x[r]
    Real sum[rows][parts] = {};
    // From here on, a distance before their end, rows have nothing more to fetch: the next ones are, so many bytes
    // further. 8 to 20 % where numbers come from memory, and 27 to 32 GB/s for tiles of 1024 (AMD).
    std::int64_t near_end = std::numeric_limits<std::int64_t>::max(), next = 0;
    BitsOf<Real> kept = -1;  // of each number, where x is ones: all bits but the sign make magnitudes

    void then(std::int64_t end, std::int64_t bytes) {
        near_end = end * parts - ahead / static_cast<std::int64_t>(sizeof(Real));
        next = ahead + bytes;
    }

    // What the mirror images in row k are multiplied with: sign times the number at x.
    void multiply_by(int k, const Real* number, Real sign, bool conjugates) {
        own[k][0] = sign * number[0];
        if constexpr (is_complex) {
            const Real re = own[k][0], im = sign * number[1];
            own[k][1] = conjugates ? -re : re;
            turned[k][0] = conjugates ? im : -im;
            turned[k][1] = im;
        }
    }

    // Columns [c, end), as far as vectors of so many bytes reach. Counts real parts.
    template <int bytes>
    VECH_INLINE std::int64_t vectors(std::int64_t c, std::int64_t end) {
        using V = typename Lanes<Real, bytes>::type;
        using Bits = typename Lanes<BitsOf<Real>, bytes>::type;
        constexpr int lanes = Lanes<Real, bytes>::count;
        constexpr std::make_integer_sequence<int, lanes> every{};
        if (c + lanes > end) return c;
        V straight[rows] = {}, crossed[rows] = {}, by[rows], by_turned[rows];
        const auto repeated = [](const Real* numbers) {
            std::array<Real, lanes> pattern;
            for (int lane = 0; lane < lanes; ++lane) pattern[lane] = numbers[lane % parts];
            return load<V>(pattern.data());
        };
        for (int k = 0; k < rows; ++k) {
            by[k] = repeated(own[k]);
            by_turned[k] = repeated(turned[k]);
        }
        for (; c + lanes <= end; c += lanes) {
            V out = load<V>(y + c), in, in_turned;
            if constexpr (!ones) in = load<V>(x + c);
            if constexpr (is_complex) in_turned = swap_lanes(in, every);
            const auto further = c < near_end ? ahead : next;
            for (int k = 0; k < rows; ++k) {
                __builtin_prefetch(reinterpret_cast<const char*>(row[k] + c) + further);
                V z = load<V>(row[k] + c);
                if constexpr (ones) {
                    z = reinterpret_cast<V>(reinterpret_cast<Bits>(z) & kept);
                    straight[k] += z;
                } else {
                    straight[k] += z * in;
                }
                out += z * by[k];
                if constexpr (is_complex) {
                    crossed[k] += z * in_turned;
                    out += swap_lanes(z, every) * by_turned[k];
                }
            }
            store(y + c, out);
        }
        for (int k = 0; k < rows; ++k)
            for (int lane = 0; lane < lanes; lane += parts) {
                if constexpr (is_complex) {
                    sum[k][0] += straight[k][lane] - straight[k][lane + 1];
                    sum[k][1] += crossed[k][lane] + crossed[k][lane + 1];
                } else {
                    sum[k][0] += straight[k][lane];
                }
            }
        return c;
    }

    VECH_INLINE void one(int k, std::int64_t c) {
        const Real* z = row[k] + c;
        if constexpr (is_complex) {
            sum[k][0] += z[0] * x[c] - z[1] * x[c + 1];
            sum[k][1] += z[0] * x[c + 1] + z[1] * x[c];
            y[c] += z[0] * own[k][0] + z[1] * turned[k][0];
            y[c + 1] += z[1] * own[k][1] + z[0] * turned[k][1];
        } else {
            const Real value = ones ? std::bit_cast<Real>(std::bit_cast<BitsOf<Real>>(*z) & kept) : *z;
            sum[k][0] += ones ? value : value * x[c];
            y[c] += value * own[k][0];
        }
    }

    void columns(std::int64_t begin, std::int64_t end) {
        begin *= parts;
        end *= parts;
        begin = vectors<VECH_VECTOR>(begin, end);
        if constexpr (VECH_VECTOR > 32) begin = vectors<32>(begin, end);
        if constexpr (VECH_VECTOR > 16) begin = vectors<16>(begin, end);
        for (; begin < end; begin += parts)
            for (int k = 0; k < rows; ++k) one(k, begin);
    }
};

template <class Real, bool is_complex, bool ones>
class Multiplier {
  public:
    static constexpr int parts = is_complex ? 2 : 1;

    explicit Multiplier(const Product& job)
        : job_(job), half_(job.half), words_(reinterpret_cast<const Real*>(job.words)),
          x_(reinterpret_cast<const Real*>(job.x)),
          ends_(reinterpret_cast<Real*>(job.work) + job.shares() * job.half.n * parts) {}

    // What the runs [first, last) give, into y: written where `touched` says.
    // Eight rows at a time read and write y half as often as four, and are too many streams from memory: row sums of
    // n = 4096 in float32 1.08 for 1.2 plain reads, of 8192 1.3 for 1.16 (AMD).
    void share(std::int64_t first, std::int64_t last, Real* y, Watch& watch) const {
        constexpr std::int64_t long_rows = 1024, cached = 48 * megabyte;
        if constexpr (VECH_VECTOR == 64 && !is_complex)
            if (half_.n >= long_rows && half_.length() * job_.item() <= cached) return bands<8>(first, last, y, watch);
        bands<4>(first, last, y, watch);
    }

    Range touched(std::int64_t first, std::int64_t last) const {
        return half_.grow ? Range{0, last} : Range{first, half_.n};
    }

    // y = off * sum of shares + on * diagonal x.
    void finish(const std::pair<std::int64_t, std::int64_t>* shares, std::int64_t count, const Real* work,
                Real* y) const {
        const auto size = half_.n * parts;
        std::fill(y, y + size, Real{0});
        for (std::int64_t share = 0; share < count; ++share) {
            const auto range = touched(shares[share].first, shares[share].second);
            const Real* part = work + share * size;
            for (auto k = range.begin * parts; k < range.end * parts; ++k) y[k] += part[k];
        }
        const auto off = static_cast<Real>(job_.off), on = static_cast<Real>(job_.on);
        for (std::int64_t r = 0; r < half_.n; ++r) {
            Real d[2] = {};
            using enum Product::Diagonal;
            if (job_.diagonal == one) d[0] = 1;
            if (job_.diagonal >= stored) std::memcpy(d, ends_ + r * parts, sizeof d[0] * parts);
            if (job_.diagonal == real) d[1] = 0;
            if (job_.diagonal == imaginary) d[0] = 0;
            if (job_.absolute) d[0] = std::fabs(d[0]);
            const Real* x = x_ + r * parts;
            if constexpr (is_complex) {
                y[2 * r] = off * y[2 * r] + on * (d[0] * x[0] - d[1] * x[1]);
                y[2 * r + 1] = off * y[2 * r + 1] + on * (d[0] * x[1] + d[1] * x[0]);
            } else {
                y[r] = off * y[r] + on * (d[0] * x[0]);
            }
        }
    }

  private:
    template <int together>
    void bands(std::int64_t first, std::int64_t last, Real* y, Watch& watch) const {
        const auto range = touched(first, last);
        std::fill(y + range.begin * parts, y + range.end * parts, Real{0});
        std::int64_t since = 0;
        auto r = first;
        for (; r + together <= last; r += together) {
            band<together>(r, y);
            since += together * (half_.last(r) - half_.first(r)) * job_.item();
            if (since < megabyte) continue;
            if (watch.stop()) return;
            since = 0;
        }
        for (; r < last; ++r) band<1>(r, y);
    }

    template <int rows>
    void band(std::int64_t first, Real* y) const {
        Band<Real, is_complex, ones, rows> band{};
        if (job_.absolute) band.kept = std::numeric_limits<BitsOf<Real>>::max();
        band.x = x_;
        band.y = y;
        const Real sign = job_.negates ? Real{-1} : Real{1};
        for (int k = 0; k < rows; ++k) {
            const auto r = first + k;
            band.row[k] = words_ + half_.origin(r) * parts;
            band.multiply_by(k, x_ + r * parts, sign, job_.conjugates);
        }
        if (const auto end = half_.grow ? first : half_.n, after = first + rows; after < half_.n)
            band.then(end, (half_.origin(after) + half_.first(after) - half_.origin(first) - end) * job_.item());
        if (half_.grow)
            band.columns(0, first);
        else
            band.columns(first + rows, half_.n);
        for (int k = 0; k < rows; ++k)
            for (int c = half_.grow ? 0 : k + 1; c < (half_.grow ? k : rows); ++c) band.one(k, (first + c) * parts);
        for (int k = 0; k < rows; ++k)
            for (int part = 0; part < parts; ++part) y[(first + k) * parts + part] += band.sum[k][part];
        if (job_.diagonal >= Product::Diagonal::stored)
            for (int k = 0; k < rows; ++k)
                std::copy_n(band.row[k] + (first + k) * parts, parts, ends_ + (first + k) * parts);
    }

    const Product& job_;
    const Half& half_;
    const Real* words_;
    const Real* x_;
    // The diagonal, kept where rows are read, since later each number is a miss of the cache: 0.05 to 0.08 plain reads
    // less (Zen 5).
    Real* ends_;
};

template <class Real, bool is_complex, bool ones>
void multiply_with(const Product& job, int threads, Watch& watch) {
    const Multiplier<Real, is_complex, ones> multiplier(job);
    std::array<std::pair<std::int64_t, std::int64_t>, 64> shares;
    const auto count = job.shares();
    for (std::int64_t share = 0; share < count; ++share)
        shares[static_cast<std::size_t>(share)] = share_of(job.half, share, count);
    auto* work = reinterpret_cast<Real*>(job.work);
    parallel_for(count, threads, watch, [&](std::int64_t share) {
        const auto [first, last] = shares[static_cast<std::size_t>(share)];
        multiplier.share(first, last, work + share * job.half.n * multiplier.parts, watch);
    });
    if (!watch.stop()) multiplier.finish(shares.data(), count, work, reinterpret_cast<Real*>(job.y));
}

template <class Real, bool is_complex>
void multiply_tile_with(const Tile& job, Watch& watch) {
    constexpr int parts = is_complex ? 2 : 1, together = 4;
    const auto stride = job.stride * parts, item = parts * static_cast<std::int64_t>(sizeof(Real));
    auto* const to_rows = reinterpret_cast<Real*>(job.to_rows);
    const auto add = [&]<int rows>(std::integral_constant<int, rows>, std::int64_t first) {
        Band<Real, is_complex, false, rows> band{};
        band.x = reinterpret_cast<const Real*>(job.along);
        band.y = reinterpret_cast<Real*>(job.to_columns);
        for (int k = 0; k < rows; ++k) {
            band.row[k] = reinterpret_cast<const Real*>(job.words) + (first + k) * stride;
            band.multiply_by(k, reinterpret_cast<const Real*>(job.across) + (first + k) * parts, 1, false);
        }
        const auto columns = job.below ? std::min(first, job.columns) : job.columns;
        band.then(columns, (rows * stride / parts - columns) * item);
        band.columns(0, columns);
        for (int k = 0; k < rows && job.below; ++k)
            for (auto c = columns; c < std::min(first + k, job.columns); ++c) band.one(k, c * parts);
        for (int k = 0; k < rows; ++k)
            for (int part = 0; part < parts; ++part) to_rows[(first + k) * parts + part] += band.sum[k][part];
    };
    std::int64_t r = 0, since = 0;
    for (; r + together <= job.rows; r += together) {
        add(std::integral_constant<int, together>{}, r);
        since += together * job.columns * item;
        if (since < megabyte) continue;
        if (watch.stop()) return;
        since = 0;
    }
    for (; r < job.rows; ++r) add(std::integral_constant<int, 1>{}, r);
}

template <class Real>
void add_row(const std::byte* from, std::byte* to, std::int64_t bytes) {
    for (std::int64_t k = 0; k < bytes; k += sizeof(Real)) store(to + k, load<Real>(to + k) + load<Real>(from + k));
}

// A block on the diagonal with both its triangles. Eight rows at a time, so that mirrored numbers leave by the line.
template <class W>
void fill_square(const Panel& job) {
    constexpr std::int64_t item = sizeof(W), group = 8;
    const auto mask = load<W>(job.mirror);
    const auto begin = job.rows.begin, end = job.rows.end, width = job.rows.size();
    const auto cell = [&](std::int64_t r, std::int64_t c) {
        return load<W>(job.words + (job.half.origin(r) + c) * item);
    };
    const auto to = [&](std::int64_t r, std::int64_t c) {
        return job.block + ((r - begin) * width + c - begin) * item;
    };
    for (auto first = begin; first < end; first += group) {
        const auto last = std::min(first + group, end);
        for (auto r = first; r < last; ++r) {
            const auto from = job.half.grow ? begin : r + 1, until = job.half.grow ? r : end;
            std::memcpy(to(r, from), job.words + (job.half.origin(r) + from) * item,
                        static_cast<std::size_t>((until - from) * item));
            for (auto c = std::max(from, first); c < std::min(until, last); ++c) store(to(c, r), cell(r, c) ^ mask);
        }
        const std::byte* rows[group];
        for (auto r = first; r < last; ++r) rows[r - first] = job.words + job.half.origin(r) * item;
        for (auto c = job.half.grow ? begin : last; c < (job.half.grow ? first : end); ++c) {
            auto* line = to(c, first);
            if (last - first == group)
                for (int k = 0; k < group; ++k) store(line + k * item, load<W>(rows[k] + c * item) ^ mask);
            else
                for (int k = 0; k < last - first; ++k) store(line + k * item, load<W>(rows[k] + c * item) ^ mask);
        }
    }
}

// Eight lanes, whatever the target, so that one has the sums of the other; four in turn hide what an addition takes.
template <class Real>
struct Dot {
    typedef Real Lane __attribute__((vector_size(8 * sizeof(Real))));
    Lane sums[4] = {};

    VECH_INLINE void take(Lane numbers, Lane others, int turn) { sums[turn] += numbers * others; }
    double result() const {
        double sum = 0;
        for (const auto& lanes : sums)
            for (int lane = 0; lane < 8; ++lane) sum += static_cast<double>(lanes[lane]);
        return sum;
    }
    static double both(double one, double other) { return one + other; }
};

// Without their sign, numbers are ordered as their bits are, NaN above infinity.
template <class Real>
struct Largest {
    typedef Real Lane __attribute__((vector_size(8 * sizeof(Real))));
    using Bits = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;
    typedef Bits Words __attribute__((vector_size(8 * sizeof(Real))));
    Words most[4] = {};

    VECH_INLINE void take(Lane numbers, Lane, int turn) {
        const auto bits = reinterpret_cast<Words>(numbers) & std::numeric_limits<Bits>::max();
        most[turn] = bits > most[turn] ? bits : most[turn];
    }
    double result() const {
        Bits found = 0;
        for (const auto& words : most)
            for (int lane = 0; lane < 8; ++lane) found = std::max(found, words[lane]);
        return std::bit_cast<Real>(found);
    }
    static double both(double one, double other) { return one > other || std::isnan(one) ? one : other; }
};

// Same: of one vector, whose lines are fetched once and read once: 1.2 ms for 1.55 (float64, n = 4096, Zen 5).
template <class Task, class Real, bool same>
double over_unit(const Real* words, const Real* others, std::int64_t count) {
    using Lane = typename Task::Lane;
    constexpr std::int64_t chunk = 4096;                            // 128 additions in the numbers' own precision
    constexpr std::int64_t item = sizeof(Real), far = 8192 / item;  // ahead: 5.3 ms for 8.0 beyond the caches
    double all = 0;
    for (std::int64_t k = 0, end; k < count; k = end) {
        end = std::min(k + chunk, count);
        Task task;
        auto at = k;
        for (; at + 32 <= end; at += 32) {
            for (std::int64_t next = far; next < far + 32; next += line_bytes / item) {
                __builtin_prefetch(words + at + next);
                if constexpr (!same) __builtin_prefetch(others + at + next);
            }
            for (int turn = 0; turn < 4; ++turn) {
                const auto numbers = load<Lane>(words + at + 8 * turn);
                if constexpr (same)
                    task.take(numbers, numbers, turn);
                else
                    task.take(numbers, load<Lane>(others + at + 8 * turn), turn);
            }
        }
        for (; at < end; at += 8) {
            Lane rest[2] = {};
            const auto bytes = static_cast<std::size_t>(std::min<std::int64_t>(8, end - at)) * sizeof(Real);
            std::memcpy(rest, words + at, bytes);
            std::memcpy(rest + 1, others + at, bytes);
            task.take(rest[0], rest[1], 0);
        }
        all = Task::both(task.result(), all);
    }
    return all;
}

template <template <class> class Task>
double over(const Numbers& job, int threads, Watch& watch) {
    const auto with = [&]<class Real>(Real) {
        const auto unit = megabyte / job.real, units = (job.count + unit - 1) / unit;
        std::vector<double> parts(static_cast<std::size_t>(units));
        const auto of_unit =
            job.words == job.others ? over_unit<Task<Real>, Real, true> : over_unit<Task<Real>, Real, false>;
        parallel_for(units, threads, watch, [&](std::int64_t k) {
            const auto from = k * unit;
            parts[static_cast<std::size_t>(k)] =
                of_unit(reinterpret_cast<const Real*>(job.words) + from,
                        reinterpret_cast<const Real*>(job.others) + from, std::min(unit, job.count - from));
        });
        double all = 0;
        for (const auto part : parts) all = Task<Real>::both(part, all);  // in order: so for any number of threads
        return all;
    };
    return job.real == 4 ? with(float{}) : with(double{});
}

}  // namespace

void multiply(const Product& job, int threads, Watch& watch) {
    const auto with = [&]<class Real>(Real) {
        if (job.complex) return multiply_with<Real, true, false>(job, threads, watch);
        if (job.by_ones()) return multiply_with<Real, false, true>(job, threads, watch);
        return multiply_with<Real, false, false>(job, threads, watch);
    };
    job.real == 4 ? with(float{}) : with(double{});
}

void multiply_tile(const Tile& job, Watch& watch) {
    const auto with = [&]<class Real>(Real) {
        job.complex ? multiply_tile_with<Real, true>(job, watch) : multiply_tile_with<Real, false>(job, watch);
    };
    job.real == 4 ? with(float{}) : with(double{});
}

void panel(const Panel& job, int threads, Watch& watch) {
    if (job.way == Panel::Way::square) return with_word(job.item, [&]<class W>(W) { fill_square<W>(job); });
    const auto width = job.columns.size() * job.item;
    const auto height = std::max<std::int64_t>(1, megabyte / std::max<std::int64_t>(1, width));
    parallel_for((job.rows.size() + height - 1) / height, threads, watch, [&](std::int64_t unit) {
        const auto begin = job.rows.begin + unit * height, end = std::min(begin + height, job.rows.end);
        for (auto r = begin; r < end; ++r) {
            auto* row = job.block + (r - job.rows.begin) * width;
            const auto first = std::clamp(job.half.first(r), job.columns.begin, job.columns.end);
            const auto last = std::clamp(job.half.last(r), first, job.columns.end);
            auto* cells = job.words + (job.half.origin(r) + first) * job.item;
            const auto before = (first - job.columns.begin) * job.item, bytes = (last - first) * job.item;
            if (job.way == Panel::Way::write) {
                std::memcpy(cells, row + before, static_cast<std::size_t>(bytes));
            } else if (job.way == Panel::Way::add) {
                job.real == 4 ? add_row<float>(row + before, cells, bytes)
                              : add_row<double>(row + before, cells, bytes);
            } else {
                std::memset(row, 0, static_cast<std::size_t>(before));
                std::memcpy(row + before, cells, static_cast<std::size_t>(bytes));
                std::memset(row + before + bytes, 0, static_cast<std::size_t>(width - before - bytes));
            }
        }
    });
}

double dot(const Numbers& job, int threads, Watch& watch) { return over<Dot>(job, threads, watch); }

double largest(const Numbers& job, int threads, Watch& watch) { return over<Largest>(job, threads, watch); }

VECH_TARGET_END
