// mirror: half CSR -> full CSR, or -> the CSR of the other half; sorted.
//
// Idea         No merge, no sort: full row i is stored row i and then column i of the strict half (the other way round
//              when the half holds the upper triangle), and source rows visited in ascending order put column i down
//              in order. Three ways, for the same result:
//              by stencil, where rows are alike: see kernels/stencil.hpp;
//              directly: count columns; copy each row and put down its mirror;
//              by blocks, where a pattern is random and each mirror would be a miss of the cache: mirrors are first
//              put behind each other by blocks of columns, in the very memory that will hold those rows, then block
//              after block inside the cache.
// Bytes moved  the half twice, the full matrix once; directly n counters of 8 bytes per thread, two of several, by
//              blocks the full matrix twice.
// Assumes      nothing: what could write out of bounds is looked for, since the arrays are the user's, and at the
//              second look again: they may have changed. Results are the same for any thread count: each share of the
//              rows has its own places.
//
// Milliseconds for 7-point rows (n = 512 000), 27-point rows (n = 250 000), a random pattern (n = 200 000, 4.2 M
// numbers), directly:                       9.5    27    50
//   fetching 8 numbers ahead                 8.2    27    38
//   fetching where each stream will go       6.6    25    67
// and of a Zen 5 (n = 512 000, 216 000, 200 000; no fetching: with it 9.2, 12.3):
//   directly                                 9.0  16.2
//   rows that are alike put down together    5.9  11.7
//   by stencil                               3.3   9.0
//   by blocks                                            14.6
//   by blocks, rows and columns apart, no fetching      18.6
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/pattern.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/rowwise.hpp"
#include "core/kernels/stencil.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

// What a number becomes on the other side, by one way for all: two's complement is ~word + 1.
template <class W>
struct Turned {
    W mask{}, minus{};

    explicit Turned(const Change& change) {
        if (change.negate && sizeof(W) < 16) {
            std::memset(&mask, 0xff, sizeof mask);
            minus = mask;
        } else if (change.flips) {
            mask = load<W>(change.flip);
        }
    }
    VECH_INLINE W operator()(W word) const {
        if constexpr (sizeof(W) == 16)
            return word ^ mask;  // no integer has 16 bytes
        else
            return static_cast<W>((word ^ mask) - minus);
    }
};

class Mirroring {
  public:
    Mirroring(const Mirror& job, int threads, Watch& watch, Csr& result)
        : job_(job), half_(job.half), threads_(threads), watch_(watch), result_(result) {}

    template <class W>
    void run() {
        if (!half_.has_rows()) return result_.fail(Fault::malformed);
        const auto most = half_.nonzeros / std::max<std::int64_t>(half_.n, 65536);  // counters: no more than the half
        shares_ = std::clamp<std::int64_t>(most, 1, threads_);
        begins_ = half_.shares(shares_);
        const bool done = by_stencil<W>() || by_blocks<W>() || directly<W>();
        if (fault_ != Fault::none) return result_.fail(fault_);
        if (!done) return result_.fail(Fault::out_of_memory);
        if (watch_.stop()) result_.release();
    }

  private:
    Range rows_of(std::int64_t share) const {
        const auto k = static_cast<std::size_t>(share);
        return {begins_[k], begins_[k + 1]};
    }
    // Numbers of these rows that stay.
    VECH_INLINE std::int64_t stored(std::int64_t first, std::int64_t last) {
        if (!job_.own) return 0;
        Range at;
        if (half_.rows(first, last, at)) return at.size();
        fault_ = Fault::changed;
        return 0;
    }

    // Columns of the numbers that move, counted by key(column); to the other half the diagonal moves too. Notes where
    // these rows are no triangle.
    template <class Key>
    void count(Range rows, std::int64_t* counts, Key&& key) {
        constexpr std::int64_t together = 4096;  // rows whose columns stay in the cache for three looks
        const auto half = half_;
        for (auto first = rows.begin; first < rows.end; first += together) {
            Reach reach{.rows = {first, std::min(first + together, rows.end)}};
            bool inside = survey(half, reach);
            auto descents = reach.descents;
            for (auto k = reach.numbers.begin; inside && k < reach.numbers.end; ++k) {
                const std::int64_t c = once(half.indices[k]);
                inside = half.has_column(c);
                if (inside) ++counts[key(c)];
            }
            for (auto r = reach.rows.begin; inside && r < reach.rows.end; ++r) {
                Range at;
                inside = half.row(r, at);
                if (!inside || at.size() == 0) continue;
                const std::int64_t least = half.indices[at.begin], most = half.indices[at.end - 1];
                descents -= at.begin > reach.numbers.begin && least <= half.indices[at.begin - 1];
                inside &= job_.grow ? most <= r : least >= r;
                if (job_.own) counts[key(r)] -= (job_.grow ? most : least) == r;
            }
            if (inside && descents == 0) continue;
            fault_ = Fault::malformed;
            return;
        }
    }

    template <class W>
    bool allocate(std::int64_t numbers) {
        auto* words = values<W>();
        const bool got = resize(words, numbers) && resize(result_.indices, numbers);
        result_.data = reinterpret_cast<std::byte*>(words);
        result_.nonzeros = numbers;
        return got;
    }
    template <class W>
    W* values() const {
        return reinterpret_cast<W*>(result_.data);
    }

    // visitor(row, column, word) for each number of these rows that moves, in order; before(row, where) for each row.
    // Both return whether there is room.
    template <class W, class Before, class Visitor>
    void each(Range rows, const Before& before, const Visitor& visitor) {
        if (job_.change.none()) return each<W>(rows, Keep{}, before, visitor);
        each<W>(rows, Turned<W>(job_.change), before, visitor);
    }
    template <class W, class Op, class Before, class Visitor>
    void each(Range rows, Op turned, const Before& before, const Visitor& visitor) {
        const auto half = half_;  // what no store can change stays in registers
        const bool grow = job_.grow, own = job_.own;
        const auto word = [&](std::int64_t k)
                              VECH_ALWAYS { return load<W>(half.data + k * static_cast<std::int64_t>(sizeof(W))); };
        std::int64_t since = 0;
        for (auto r = rows.begin; r < rows.end; ++r) {
            Range at;
            bool fits = half.row(r, at);
            const auto move = [&](std::int64_t k, std::int64_t c, auto& op) VECH_ALWAYS {
                if (!half.has_column(c) || !visitor(r, c, op(word(k)))) fits = false;
            };
            fits = fits && before(r, at);
            if (!fits) at = {};
            auto off = at;
            if (at.size() > 0 && half.indices[grow ? at.end - 1 : at.begin] == r) grow ? --off.end : ++off.begin;
            for (auto k = off.begin; k < off.end; ++k) move(k, once(half.indices[k]), turned);
            if (Keep keep; !own && off.size() < at.size()) {
                const auto k = grow ? off.end : at.begin;
                move(k, once(half.indices[k]), keep);
            }
            since += at.size() + 1;
            if (!fits) {
                fault_ = Fault::changed;
                return;
            }
            if (since < 65536) continue;
            if (watch_.stop()) return;
            since = 0;
        }
    }
    // Whether the columns are some.
    template <class W>
    static VECH_INLINE bool copy_row(const Rowwise& half, Range from, std::int64_t at, std::int32_t* indices, W* to) {
        const auto* columns = half.indices;
        const auto* numbers = half.data;
        const auto size = from.size();
        constexpr std::int64_t some = 4;  // the last of them overlap those before
        if (size >= some) {
            constexpr std::uint64_t both = 0x1'0000'0001, signs = both << 31;
            const auto last = static_cast<std::uint64_t>(half.n - 1) * both;
            std::uint64_t outside = 0;
            for (std::int64_t k = 0; k < size; k += some) {
                const auto first = std::min(k, size - some);
                for (const auto c : {first, first + 2}) {
                    std::uint64_t pair;
                    std::memcpy(&pair, columns + from.begin + c, sizeof pair);
                    pair = once(pair);
                    outside |= pair | (last - pair);
                    std::memcpy(indices + at + c, &pair, sizeof pair);
                }
                std::memcpy(static_cast<void*>(to + at + first),
                            numbers + (from.begin + first) * static_cast<std::int64_t>(sizeof(W)), some * sizeof(W));
            }
            return (outside & signs) == 0;
        }
        bool inside = true;
        for (auto k = from.begin; k < from.end; ++k, ++at) {
            const auto c = once(columns[k]);
            inside &= half.has_column(c);
            indices[at] = c;
            to[at] = load<W>(numbers + k * static_cast<std::int64_t>(sizeof(W)));
        }
        return inside;
    }

    // False: it is none, or no memory.
    template <class W>
    bool by_stencil() {
        if (!job_.own) return false;
        const auto units =
            std::clamp<std::int64_t>(half_.nonzeros * half_.item / megabyte, 1, std::max<std::int64_t>(half_.n, 1));
        const auto begins = half_.shares(units);
        Stencil stencil(half_, job_.grow, begins);
        if (!stencil.read(threads_, watch_)) return watch_.stop();
        Memory<std::int64_t> places;
        if (!places.get(units + 1) || !resize(result_.indptr, half_.n + 1)) return false;
        places[0] = result_.indptr[0] = 0;
        for (std::int64_t unit = 0; unit < units; ++unit) places[unit + 1] = places[unit] + stencil.length(unit);
        if (!allocate<W>(places[units])) return false;
        parallel_for(units, threads_, watch_, [&](std::int64_t unit) {
            const auto fill = [&](const auto& op) {
                stencil.fill(unit, places[unit], result_.indptr, result_.indices, values<W>(), op);
            };
            job_.change.none() ? fill(Keep{}) : fill(Turned<W>(job_.change));
        });
        return true;
    }

    // False: no memory.
    template <class W>
    bool directly() {
        const auto n = half_.n;
        const auto later = (shares_ - 1) * n;  // where those of the next share begin, to see that each has had its own
        if (!counters_.get(shares_ * n + later) || !resize(result_.indptr, n + 1)) return false;
        auto *places = counters_.at, *ends = places + shares_ * n;
        parallel_for(shares_, threads_, watch_, [&](std::int64_t share) {
            auto* mine = places + share * n;
            std::fill(mine, mine + n, 0);
            count(rows_of(share), mine, [](std::int64_t c) { return c; });
        });
        if (fault_ != Fault::none || watch_.stop()) return true;
        auto* const indptr = result_.indptr;
        indptr[0] = 0;
        std::int64_t least = 0;
        for (std::int64_t r = 0; r < n; ++r) {  // counts become places
            const auto own = stored(r, r + 1);
            auto place = indptr[r] + (job_.grow ? own : 0);
            for (std::int64_t share = 0; share < shares_; ++share) {
                if (share > 0) ends[(share - 1) * n + r] = place;
                const auto mine = std::exchange(places[share * n + r], place);
                least = std::min(least, mine);
                place += mine;
            }
            indptr[r + 1] = place + (job_.grow ? 0 : own);
        }
        if (least < 0) fault_ = Fault::changed;
        if (fault_ != Fault::none) return true;
        const auto numbers = indptr[n];
        if (!allocate<W>(numbers)) return false;
        parallel_for(shares_, threads_, watch_, [&](std::int64_t share) {
            const bool last = share == shares_ - 1, grow = job_.grow, own = job_.own;
            const auto rows = rows_of(share);
            auto* const next = places + share * n;
            auto* const to = values<W>();
            auto* const columns = result_.indices;
            const auto* const begins = indptr;
            const auto half = half_;
            each<W>(
                rows,
                [&](std::int64_t r, Range at) VECH_ALWAYS {
                    if (!own) return true;
                    const auto place = grow ? begins[r] : next[r], end = grow ? next[r] : begins[r + 1];
                    return end - place == at.size() && copy_row<W>(half, at, place, columns, to);
                },
                [&](std::int64_t r, std::int64_t c, W moved) VECH_ALWAYS {
                    const auto at = next[c]++;
                    if (static_cast<std::uint64_t>(at) >= static_cast<std::uint64_t>(numbers)) return false;
                    columns[at] = static_cast<std::int32_t>(r);
                    to[at] = moved;
                    return true;
                });
            // What was counted is what came: nothing is left out. Rows of an upper half have seen to that themselves.
            bool all = true;
            if (!last)
                for (std::int64_t r = 0; r < n; ++r) all &= next[r] == ends[share * n + r];
            else if (grow || !own)
                for (std::int64_t r = 0; r < n; ++r) all &= next[r] == indptr[r + 1];
            if (!all && !watch_.stop()) fault_ = Fault::changed;
        });
        return true;
    }

    // False: no memory for it, or no use.
    template <class W>
    bool by_blocks() {
        const auto n = half_.n;
        const auto numbers = (job_.own ? 2 : 1) * half_.nonzeros;  // at most
        const auto bytes = numbers * static_cast<std::int64_t>(sizeof(W) + 4);
        const Blocks by(half_, bytes);
        if (by.count == 0) return false;
        const auto shift = by.shift;
        const auto blocks = by.count;
        const auto rows_of = by.bands(begins_);
        const auto bands = static_cast<std::int64_t>(rows_of.size());
        if (!counters_.get((2 * bands + 2) * (blocks + 1))) return false;
        auto *places = counters_.at, *ends = places + bands * blocks;
        parallel_for(bands, threads_, watch_, [&](std::int64_t band) {
            auto* mine = places + band * blocks;
            std::fill(mine, mine + blocks, 0);
            count(rows_of[static_cast<std::size_t>(band)], mine, [shift](std::int64_t c) { return c >> shift; });
        });
        if (fault_ != Fault::none || watch_.stop()) return true;
        // Where the blocks begin in the result.
        auto* const regions = ends + bands * blocks;
        regions[0] = 0;
        std::int64_t longest = 0, least = 0;
        for (std::int64_t block = 0; block < blocks; ++block) {
            auto place = regions[block];
            for (std::int64_t band = 0; band < bands; ++band) {
                const auto mine = std::exchange(places[band * blocks + block], place);
                least = std::min(least, mine);
                ends[band * blocks + block] = place += mine;
            }
            longest = std::max(longest, place - regions[block]);
            const auto end = std::min((block + 1) << shift, n), begin = block << shift;
            regions[block + 1] = place + stored(begin, end);
        }
        if (least < 0) fault_ = Fault::changed;
        if (fault_ != Fault::none) return true;
        if (longest > half_.nonzeros / 4) return false;  // a few columns have most: the cache holds them
        if (!resize(result_.indptr, n + 1) || !allocate<W>(regions[blocks])) return false;
        parallel_for(bands, threads_, watch_, [&](std::int64_t band) {
            auto* const next = places + band * blocks;
            const auto* const limits = ends + band * blocks;
            const auto rows = rows_of[static_cast<std::size_t>(band)];
            auto* const indices = result_.indices;
            auto* const to = values<W>();
            each<W>(
                rows, [](std::int64_t, Range) { return true; },
                [&](std::int64_t r, std::int64_t c, W moved) VECH_ALWAYS {
                    const auto block = c >> shift, at = next[block];
                    if (at >= limits[block]) return false;
                    next[block] = at + 1;
                    __builtin_prefetch(indices + at + 32, 1);  // two lines on: 16.3 ms for 18.4
                    __builtin_prefetch(to + at + 128 / static_cast<std::int64_t>(sizeof(W)), 1);
                    indices[at] = static_cast<std::int32_t>(by.both(r - rows.begin, c));
                    to[at] = moved;
                    return true;
                });
            if (!std::equal(next, next + blocks, limits) && !watch_.stop()) fault_ = Fault::changed;
        });
        if (fault_ != Fault::none || watch_.stop()) return true;
        std::atomic<bool> good{true};
        result_.indptr[0] = 0;
        parallel_for(blocks, threads_, watch_, [&](std::int64_t block) {
            const Range columns{block << shift, std::min((block + 1) << shift, n)};
            const Range places_of_block{regions[block], regions[block + 1]};
            Memory<std::uint32_t> both;
            Memory<W> moved;
            Memory<std::uint32_t> next;
            const auto count = ends[(bands - 1) * blocks + block] - regions[block];
            if (!both.get(count) || !moved.get(count) || !next.get(columns.size())) {
                good = false;
                return;
            }
            const auto size = static_cast<std::size_t>(count), first = static_cast<std::size_t>(regions[block]);
            std::memcpy(both.at, result_.indices + first, size * sizeof(std::uint32_t));
            std::memcpy(static_cast<void*>(moved.at), values<W>() + first, size * sizeof(W));
            const auto mask = by.mask();
            std::fill(next.at, next.at + columns.size(), 0u);
            for (std::int64_t k = 0; k < count; ++k) ++next[both[k] & mask];
            if (!settle<W>(columns, places_of_block, next.at)) {
                fault_ = Fault::changed;
                return;
            }
            auto* const to = values<W>() + first;
            auto* const indices = result_.indices + first;
            std::int64_t k = 0;
            for (std::int64_t band = 0; band < bands; ++band) {
                const auto row = rows_of[static_cast<std::size_t>(band)].begin;
                for (const auto end = ends[band * blocks + block] - regions[block]; k < end; ++k) {
                    const auto at = next[both[k] & mask]++;
                    indices[at] = static_cast<std::int32_t>(row + (both[k] >> shift));
                    to[at] = moved[k];
                }
            }
        });
        return good;
    }

    // Puts down what stays of one block's rows; counts of what moves to each become its places. False: no room for it.
    template <class W>
    bool settle(Range columns, Range places, std::uint32_t* next) {
        auto end = places.begin;
        for (auto r = columns.begin; r < columns.end; ++r) {
            const auto moves = std::int64_t{next[r - columns.begin]};
            Range own{};
            bool fits = !job_.own || half_.row(r, own);
            fits = fits && own.size() + moves <= places.end - end;
            if (!fits ||
                (job_.own && !copy_row<W>(half_, own, job_.grow ? end : end + moves, result_.indices, values<W>())))
                return false;
            next[r - columns.begin] = static_cast<std::uint32_t>(end - places.begin + (job_.grow ? own.size() : 0));
            end += own.size() + moves;
            result_.indptr[r + 1] = end;
        }
        return end == places.end;
    }

    const Mirror& job_;
    const Rowwise& half_;
    int threads_;
    Watch& watch_;
    Csr& result_;
    std::int64_t shares_ = 1;
    std::vector<std::int64_t> begins_;
    Memory<std::int64_t> counters_;
    std::atomic<Fault> fault_{Fault::none};
};

}  // namespace

void mirror(const Mirror& job, int threads, Watch& watch, Csr& result) {
    with_word(job.half.item, [&]<class W>(W) { Mirroring(job, threads, watch, result).run<W>(); });
}

VECH_TARGET_END
