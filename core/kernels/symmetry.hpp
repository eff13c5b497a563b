// cut: one triangle of a full CSR matrix. asymmetry: the first place where a full CSR matrix is not its own mirror
// image.
//
// Idea         asymmetry: rows are read in order, and each keeps a cursor in what it holds above the diagonal. Where
//              row r holds column c < r, the cursor of row c must have come to column r; what it passes over on the
//              way has no partner. Whatever is found, the first pair by rows of the lower triangle is told: it is the
//              one found, or one that a cursor has not come to yet.
//              Where a pattern is random, numbers below the diagonal are first put behind each other by blocks of
//              columns, whose rows are in the cache when they are compared: 12.3 ms for 23 (float64, n = 200 000,
//              4.2 M numbers, Zen 5).
// Bytes moved  cut: the columns twice, the triangle twice. asymmetry: the matrix twice; n cursors of 8 bytes for each
//              thread; by blocks half of the matrix twice more.
// Assumes      nothing: both look for what would lead out of bounds. Results are the same for any thread count.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/pattern.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/rowwise.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

template <class W>
void cut_words(const Cut& job, int threads, Watch& watch, Csr& result) {
    const auto& full = job.full;
    const auto n = full.n;
    if (!full.has_rows()) return result.fail(Fault::malformed);
    if (!resize(result.indptr, n + 1)) return result.fail(Fault::out_of_memory);
    const auto shares = std::clamp<std::int64_t>(full.nonzeros * 4 / megabyte, 1, std::max<std::int64_t>(n, 1));
    const auto begins = full.shares(shares);
    const auto rows_of = [&](std::int64_t share) {
        const auto k = static_cast<std::size_t>(share);
        return Range{begins[k], begins[k + 1]};
    };
    std::atomic<Fault> fault{Fault::none};
    auto* const indptr = result.indptr;
    indptr[0] = 0;
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        const auto rows = rows_of(share);
        for (auto r = rows.begin; r < rows.end; ++r) {
            Range at;
            if (!full.row(r, at)) fault = Fault::changed;
            const auto [begin, end] = at;
            auto k = begin;
            const auto bound = r + job.grow;
            if (end - k > 64) k = std::lower_bound(full.indices + k, full.indices + end, bound) - full.indices;
            while (k < end && full.indices[k] < bound) ++k;
            indptr[r + 1] = job.grow ? k - begin : end - k;
        }
    });
    if (fault != Fault::none) return result.fail(fault);
    if (watch.stop()) return result.release();
    std::partial_sum(indptr, indptr + n + 1, indptr);
    result.nonzeros = indptr[n];
    W* values = nullptr;
    const bool got = resize(values, result.nonzeros) && resize(result.indices, result.nonzeros);
    result.data = reinterpret_cast<std::byte*>(values);
    if (!got) return result.fail(Fault::out_of_memory);
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        const auto rows = rows_of(share);
        const auto* columns = full.indices;
        const auto* numbers = full.data;
        auto* indices = result.indices;
        bool inside = true;
        for (auto r = rows.begin; r < rows.end; ++r) {
            const auto begin = indptr[r], count = indptr[r + 1] - begin;
            Range at;
            if (!full.row(r, at) || at.size() < count) {
                fault = Fault::changed;
                return;
            }
            const auto from = job.grow ? at.begin : at.end - count;
            for (std::int64_t k = 0; k < count; ++k) {
                const auto c = once(columns[from + k]);
                inside &= full.has_column(c);
                indices[begin + k] = c;
                values[begin + k] = load<W>(numbers + (from + k) * static_cast<std::int64_t>(sizeof(W)));
            }
        }
        if (!inside) fault = Fault::malformed;
    });
    if (fault != Fault::none) return result.fail(fault);
    if (watch.stop()) result.release();
}

// ---- equal to the mirror image? ----

template <class Number>
struct Mirrored {
    bool conjugates, negates;
    double tolerance;

    // Whether a agrees with the mirror image of b.
    bool agree(Number a, Number b) const {
        if constexpr (std::is_floating_point_v<Number>) {
            return close(a, negates ? -b : b) <= tolerance;
        } else {
            if constexpr (std::is_signed_v<Number>) {
                if (negates) {
                    constexpr auto smallest = std::numeric_limits<Number>::min();
                    if (a == smallest || b == smallest) return false;  // nothing is their mirror image
                    b = static_cast<Number>(-b);
                }
            }
            if (a == b) return true;
            const auto x = static_cast<std::uint64_t>(std::max(a, b)), y = static_cast<std::uint64_t>(std::min(a, b));
            return tolerance >= 1 && static_cast<double>(x - y) <= tolerance;
        }
    }
    // |x - y|; 0 for equal infinities, and for NaN and NaN.
    static double close(double x, double y) { return x == y || (x != x && y != y) ? 0.0 : std::fabs(x - y); }
};

template <class Real>
struct Pair {
    Real re, im;
};
template <class Real>
struct Mirrored<Pair<Real>> {
    bool conjugates, negates;
    double tolerance;

    bool agree(Pair<Real> a, Pair<Real> b) const {
        const double re = Mirrored<Real>::close(a.re, negates ? -b.re : b.re);
        const double im = Mirrored<Real>::close(a.im, negates != conjugates ? -b.im : b.im);
        if (re == 0 && im == 0) return true;
        return std::hypot(re, im) <= tolerance;
    }
};

// Of integers, whatever their sign: equal alone, for there is no hurry with those that differ.
template <class W>
struct Word {
    W bits;
};
template <class W>
struct Mirrored<Word<W>> {
    bool conjugates, negates;
    double tolerance;

    bool agree(Word<W> a, Word<W> b) const {
        constexpr auto smallest = static_cast<W>(W{1} << (8 * sizeof(W) - 1));
        if (!negates) return a.bits == b.bits;
        return a.bits == static_cast<W>(W{0} - b.bits) && b.bits != smallest;
    }
};

// Where the columns from `bound` on begin in a row. False: the row is not within the arrays.
inline bool begin_in(const Rowwise& full, std::int64_t row, std::int64_t bound, std::int64_t& begin) {
    Range at;
    const bool inside = full.row(row, at);
    auto k = at.begin;
    if (at.size() > 64) k = std::lower_bound(full.indices + k, full.indices + at.end, bound) - full.indices;
    while (k < at.end && full.indices[k] < bound) ++k;
    begin = k;
    return inside;
}

// Numbers below the diagonal by block of columns; of all rows at once those above it by block of rows, which are as
// many where each has its partner, and are found without a look at every column.
inline bool count_below(const Rowwise& matrix, Range rows, bool all, int shift, std::int64_t* counts) {
    const auto full = matrix;
    bool inside = true;
    for (auto r = rows.begin; r < rows.end && inside; ++r) {
        Range at;
        inside = full.row(r, at);
        const auto* from = full.indices + at.begin;
        for (auto size = at.size(); size > 0;) {  // no branch on what is found
            const auto part = (size + 1) / 2;
            from += from[part - 1] <= r ? part : 0;
            size -= part;
        }
        const auto after = from - full.indices;
        if (all) counts[r >> shift] += at.end - after;
        for (auto k = at.begin; !all && k < after && inside; ++k) {
            const std::int64_t c = once(full.indices[k]);
            inside = full.has_column(c);
            if (inside && c < r) ++counts[c >> shift];
        }
    }
    return inside;
}

// Counts by band and block become places, where the next band's follow within a block. Gives how many there are.
inline std::int64_t place(std::int64_t bands, std::int64_t blocks, std::int64_t* counts, std::int64_t* ends) {
    std::int64_t numbers = 0;
    for (std::int64_t block = 0; block < blocks; ++block)
        for (auto k = block; k < bands * blocks; k += blocks) {
            const auto mine = std::exchange(counts[k], numbers);
            ends[k] = numbers += mine;
        }
    return numbers;
}

template <class Number>
class Judge {
  public:
    Judge(const Symmetry& job, Watch& watch)
        : full_(job.full), mirrored_{job.conjugates, job.negates, job.tolerance}, watch_(watch) {}

    // Whether all is well with these rows, and each of their numbers has its partner, as is almost always so: half of
    // the time of Finder, which must tell why not. Whatever the arrays hold, nothing is read outside of them.
    bool perfect(Range rows, std::int64_t* next) const {
        const auto full = full_;
        const auto mirrored = mirrored_;
        const auto* columns = full.indices;
        const auto number = [&](std::int64_t k) VECH_ALWAYS {
            return load<Number>(full.data + k * static_cast<std::int64_t>(sizeof(Number)));
        };
        const auto last = full.nonzeros - 1;
        constexpr std::int64_t ahead = 128;
        std::int64_t since = 0;
        for (std::int64_t c = 0; c < rows.begin; ++c)
            if (!begin_in(full, c, rows.begin, next[c])) return false;
        for (auto r = rows.begin; r < rows.end; ++r) {
            Range at_row;
            if (!full.row(r, at_row)) return false;
            const auto [begin, end] = at_row;
            auto k = begin;
            std::int64_t before = -1;
            for (; k < end; ++k) {
                const std::int64_t c = once(columns[k]);
                if (c >= r) break;
                if (c <= before) return false;
                before = c;
                const auto at = next[c];
                __builtin_prefetch(columns + at + ahead);
                __builtin_prefetch(full.data + (at + ahead) * static_cast<std::int64_t>(sizeof(Number)));
                if (at > last || columns[at] != r || !mirrored.agree(number(k), number(at))) return false;
                next[c] = at + 1;
            }
            if (k < end && columns[k] == r) {
                const auto own = number(k++);
                if (!mirrored.agree(own, own)) return false;
            }
            next[r] = k;
            if ((since += end - begin + 1) < 65536) continue;
            if (watch_.stop()) return true;
            since = 0;
        }
        // No cursor went too far, into another row, or not far enough.
        for (std::int64_t c = 0; c < rows.end; ++c) {
            Range at_row;
            if (!full.row(c, at_row)) return false;
            const auto at = next[c], end = at_row.end;
            if (at > end || (at < end && (rows.end == full.n || columns[at] < rows.end))) return false;
        }
        return true;
    }

    // The same of all rows, cut at `begins`, where a pattern is random: see Blocks. False: it is none, or no memory.
    bool by_blocks(const std::vector<std::int64_t>& begins, int threads, std::int64_t* next,
                   std::atomic<bool>& good) const {
        const auto full = full_;
        const Blocks by(full, full.nonzeros * static_cast<std::int64_t>(sizeof(Number) + 4));
        if (by.count == 0) return false;
        const auto blocks = by.count;
        const auto rows_of = by.bands(begins);
        const auto bands = static_cast<std::int64_t>(rows_of.size());
        Memory<std::int64_t> places, ends;
        if (!places.get_zeros(bands * blocks) || !ends.get(bands * blocks)) return false;
        parallel_for(bands, threads, watch_, [&](std::int64_t band) {
            if (!count_below(full, rows_of[static_cast<std::size_t>(band)], bands == 1, by.shift,
                             places.at + band * blocks))
                good = false;
        });
        const auto numbers = place(bands, blocks, places.at, ends.at);
        if (numbers > full.nonzeros) good = false;
        if (!good || watch_.stop()) return true;
        Memory<std::uint32_t> both;
        Memory<Number> lower;
        if (!both.get(numbers) || !lower.get(numbers)) return false;
        parallel_for(bands, threads, watch_, [&](std::int64_t band) {
            const auto put = Put{by, places.at + band * blocks, ends.at + band * blocks, both.at, lower.at};
            if (good && !put_down(rows_of[static_cast<std::size_t>(band)], put, next)) good = false;
        });
        if (!good || watch_.stop()) return true;
        parallel_for(blocks, threads, watch_, [&](std::int64_t block) {
            const auto first = block << by.shift, end = std::min((block + 1) << by.shift, full.n);
            Range all;
            bool same = good && full.rows(first, end, all);
            touch(full.indices + all.begin, all.size() * 4);  // 5.1 ms for 14.8, or 6.3 fetching number by number
            touch(full.data + all.begin * full.item, all.size() * full.item);
            auto k = block == 0 ? 0 : ends[(bands - 1) * blocks + block - 1];
            for (std::int64_t band = 0; band < bands && same; ++band) {
                const Range some{k, ends[band * blocks + block]};
                same = met(some, rows_of[static_cast<std::size_t>(band)].begin, by, both.at, lower.at, next + first);
                k = some.end;
            }
            for (auto c = first; c < end && same; ++c) {
                Range at;
                same = full.row(c, at) && next[c] == at.end;
            }
            if (!same) good = false;
        });
        return true;
    }

  private:
    struct Put {
        Blocks by;
        std::int64_t* places;
        const std::int64_t* ends;
        std::uint32_t* both;
        Number* lower;
    };

    VECH_INLINE Number number(std::int64_t k) const {
        return load<Number>(full_.data + k * static_cast<std::int64_t>(sizeof(Number)));
    }
    // Its walk is that of `perfect`, written out again: by one for both 7-point took 3.2 ms for 2.95 (float32, Zen 5).
    bool put_down(Range rows, const Put& put, std::int64_t* next) const {
        const auto full = full_;
        const auto mirrored = mirrored_;
        const auto [by, places, ends, both, lower] = put;
        std::int64_t since = 0;
        for (auto r = rows.begin; r < rows.end; ++r) {
            Range at_row;
            if (!full.row(r, at_row)) return false;
            const auto [begin, end] = at_row;
            auto k = begin;
            std::int64_t before = -1;
            for (; k < end; ++k) {
                const std::int64_t c = once(full.indices[k]);
                if (c >= r) break;
                if (c <= before) return false;
                before = c;
                const auto block = c >> by.shift, at = places[block];
                __builtin_prefetch(full.data + (k + 64) * static_cast<std::int64_t>(sizeof(Number)));
                if (at >= ends[block]) return false;
                places[block] = at + 1;
                __builtin_prefetch(both + at + 32, 1);
                __builtin_prefetch(lower + at + 128 / sizeof(Number), 1);
                both[at] = by.both(r - rows.begin, c);
                lower[at] = number(k);
            }
            if (k < end && full.indices[k] == r) {
                const auto own = number(k++);
                if (!mirrored.agree(own, own)) return false;
            }
            next[r] = k;
            if ((since += end - begin + 1) < 65536) continue;
            if (watch_.stop()) return true;
            since = 0;
        }
        return std::equal(places, places + by.count, ends);
    }
    // Whether these numbers of one band, whose rows begin at `row`, are what the cursors of their block point at.
    bool met(Range some, std::int64_t row, const Blocks& by, const std::uint32_t* both, const Number* lower,
             std::int64_t* next) const {
        const auto full = full_;
        const auto mirrored = mirrored_;
        const auto mask = by.mask();
        const auto shift = by.shift;
        const auto last = full.nonzeros - 1;
        for (auto k = some.begin; k < some.end; ++k) {
            const auto at = next[both[k] & mask]++;
            if (at > last || full.indices[at] != row + (both[k] >> shift)) return false;
            if (!mirrored.agree(lower[k], number(at))) return false;
        }
        return true;
    }

    const Rowwise& full_;
    Mirrored<Number> mirrored_;
    Watch& watch_;
};

// Tells which pair does not agree. Numbers are anything that `agree` knows, for there is no hurry; none is zero.
class Finder {
  public:
    using Agree = bool (*)(const Symmetry&, const std::byte* own, const std::byte* other);
    using Place = std::pair<std::int64_t, std::int64_t>;

    Finder(const Symmetry& job, Agree agree, Watch& watch) : job_(job), full_(job.full), agree_(agree), watch_(watch) {}

    // The first pair (i, j), i in rows, that does not agree; (-1, -1) without. `next`: cursors of all rows before.
    // False: the arrays have changed.
    bool first(Range rows, std::int64_t* next, const std::atomic<bool>& over, Place& found) {
        bool fits = true;
        for (std::int64_t c = 0; c < rows.end; ++c) fits &= begin_in(full_, c, std::max(rows.begin, c + 1), next[c]);
        std::int64_t since = 0;
        auto r = rows.begin;
        for (; r < rows.end && fits && found_.first < 0; ++r) {
            Range at;
            fits = full_.row(r, at);
            for (auto k = at.begin; fits && k < at.end; ++k) {
                const std::int64_t c = once(full_.indices[k]);
                if (c > r) break;
                fits = c >= 0 && meet(r, c, k, next);
            }
            if ((since += at.size() + 1) < 65536) continue;
            if (watch_.stop() || over) return found = found_, true;
            since = 0;
        }
        fits = fits && pending(r, next);
        found = found_;
        return fits;
    }

  private:
    const std::byte* number(std::int64_t k) const { return full_.data + k * full_.item; }

    bool meet(std::int64_t r, std::int64_t c, std::int64_t k, std::int64_t* next) {
        if (c == r) {
            if (!agree_(job_, number(k), number(k))) keep(r, c);
            return true;
        }
        if (!pass(c, r, next)) return false;
        Range at;
        if (!full_.row(c, at)) return false;
        const bool met = next[c] < at.end && full_.indices[next[c]] == r;
        if (!agree_(job_, number(k), met ? number(next[c]) : nothing_)) keep(r, c);
        next[c] += met;
        return true;
    }
    // What the cursor of row c passes over on its way to column `bound` has no partner.
    bool pass(std::int64_t c, std::int64_t bound, std::int64_t* next) {
        Range at;
        if (!full_.row(c, at)) return false;
        for (; next[c] < at.end; ++next[c]) {
            const std::int64_t column = full_.indices[next[c]];
            if (column >= bound) break;
            if (!agree_(job_, nothing_, number(next[c]))) keep(column, c);
        }
        return true;
    }
    // Numbers before column `bound` that no row asked for.
    bool pending(std::int64_t bound, std::int64_t* next) {
        for (std::int64_t c = 0; c + 1 < bound; ++c)
            if (!pass(c, bound, next)) return false;
        return true;
    }
    void keep(std::int64_t i, std::int64_t j) {
        if (found_.first < 0 || Place(i, j) < found_) found_ = {i, j};
    }

    static constexpr std::byte nothing_[16] = {};
    const Symmetry& job_;
    const Rowwise& full_;
    Agree agree_;
    Watch& watch_;
    Place found_{-1, -1};
};

template <class Number>
bool agree(const Symmetry& job, const std::byte* own, const std::byte* other) {
    const Mirrored<Number> mirrored{job.conjugates, job.negates, job.tolerance};
    return mirrored.agree(load<Number>(own), load<Number>(other));
}

// `judge` does the work; what it is not sure of, `agree` tells.
template <class Number>
void asymmetry_of(const Symmetry& job, const Judge<Number>& judge, Finder::Agree agree, int threads, Watch& watch,
                  Asymmetry& result) {
    const auto& full = job.full;
    if (!full.has_rows()) {
        result.fault = Fault::malformed;
        return;
    }
    const auto most = full.nonzeros / std::max<std::int64_t>(2 * full.n, 65536);  // cursors: no more than half of it
    const auto shares = std::clamp<std::int64_t>(most, 1, threads);
    const auto begins = full.shares(shares);
    const auto rows_of = [&](std::int64_t share) {
        const auto k = static_cast<std::size_t>(share);
        return Range{begins[k], begins[k + 1]};
    };
    Memory<std::int64_t> cursors;
    if (!cursors.get(shares * full.n)) {
        result.fault = Fault::out_of_memory;
        return;
    }
    const auto cursors_of = [&](std::int64_t share) { return cursors.at + share * full.n; };
    std::atomic<bool> good{true};
    const auto check = [&](std::int64_t share) {
        if (!canonical(full, rows_of(share), Part::full)) good = false;
    };
    const auto look = [&](std::int64_t share) {
        if (good && !judge.perfect(rows_of(share), cursors_of(share))) good = false;
    };
    if (!judge.by_blocks(begins, threads, cursors.at, good)) {
        if (shares > 1) parallel_for(shares, threads, watch, check);  // they begin and end where columns ascend
        if (good) parallel_for(shares, threads, watch, look);
    }
    if (good || watch.stop()) return;

    good = true;
    parallel_for(shares, threads, watch, check);
    if (!good) {
        result.fault = Fault::malformed;
        return;
    }
    std::vector<Finder::Place> found(static_cast<std::size_t>(shares), {-1, -1});
    std::vector<std::atomic<bool>> over(static_cast<std::size_t>(shares));
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        const auto k = static_cast<std::size_t>(share);
        if (over[k]) return;
        if (!Finder(job, agree, watch).first(rows_of(share), cursors_of(share), over[k], found[k])) good = false;
        if (found[k].first >= 0)  // whatever later rows hold, this pair comes first
            for (auto later = k + 1; later < over.size(); ++later) over[later] = true;
    });
    if (!good) result.fault = Fault::changed;
    for (std::size_t k = 0; k < found.size() && result.row < 0 && !watch.stop(); ++k)
        std::tie(result.row, result.column) = found[k];
}

}  // namespace

void cut(const Cut& job, int threads, Watch& watch, Csr& result) {
    with_word(job.full.item, [&]<class W>(W) { cut_words<W>(job, threads, watch, result); });
}

void asymmetry(const Symmetry& job, int threads, Watch& watch, Asymmetry& result) {
    const auto judge = [&]<class Number, class Exact>(Number, Exact) {
        asymmetry_of(job, Judge<Number>(job, watch), agree<Exact>, threads, watch, result);
    };
    const auto integer = [&]<class Signed, class Unsigned>(Signed s, Unsigned u) {
        job.number == Symmetry::Number::integer ? judge(Word<Unsigned>{}, s) : judge(Word<Unsigned>{}, u);
    };
    const int item = job.full.item;
    switch (job.number) {
        case Symmetry::Number::real: return item == 4 ? judge(float{}, float{}) : judge(double{}, double{});
        case Symmetry::Number::complex:
            return item == 8 ? judge(Pair<float>{}, Pair<float>{}) : judge(Pair<double>{}, Pair<double>{});
        default: break;
    }
    switch (item) {
        case 1: return integer(std::int8_t{}, std::uint8_t{});
        case 2: return integer(std::int16_t{}, std::uint16_t{});
        case 4: return integer(std::int32_t{}, std::uint32_t{});
        default: return integer(std::int64_t{}, std::uint64_t{});
    }
}

VECH_TARGET_END
