// Stencil: a half CSR whose numbers stand at few distances from the diagonal, rows beside each other mostly alike, as
// those of a grid are; and its full matrix.
//
// Idea         Rows are read once, as runs of rows with numbers at the same distances. What a row of the full matrix
//              holds, and where it is in the half, follows from the runs its mirrored numbers come from: nothing is
//              counted, and each row is written whole, after the one before.
// Bytes moved  the half once, and its numbers once more; the full matrix once.
// Assumes      nothing: where numbers are is kept as it was read, and with it all that is used later but the numbers.
#pragma once
#include "core/kernels/region.hpp"
#include "core/kernels/rowwise.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

class Stencil {
  public:
    // Of the units of rows that threads take: [begins[k], begins[k + 1]).
    Stencil(const Rowwise& half, bool grow, const std::vector<std::int64_t>& begins)
        : half_(half), grow_(grow), begins_(begins) {}

    // False: it is not one, or there is no memory to see it.
    bool read(int threads, Watch& watch) {
        const auto n = half_.n, units = this->units();
        if (n < 2 * shortest || !sample() || !runs_.get((n / shortest + 2 * units) + 1)) return false;
        std::vector<std::int64_t> found(static_cast<std::size_t>(units), 0);
        std::atomic<bool> fits{true};
        parallel_for(units, threads, watch, [&](std::int64_t unit) {
            if (fits && !read(rows_of(unit), runs_.at + room_of(unit), found[static_cast<std::size_t>(unit)]))
                fits = false;
        });
        if (!fits || watch.stop()) return false;
        std::int64_t count = 0;
        for (std::int64_t unit = 0; unit < units; ++unit) {
            const auto some = found[static_cast<std::size_t>(unit)];
            std::copy_n(runs_.at + room_of(unit), some, runs_.at + count);
            count += some;
        }
        runs_[count] = {n, half_.nonzeros, 0};
        count_ = count;
        return true;
    }

    // Numbers of the full rows that a unit has.
    std::int64_t length(std::int64_t unit) const {
        std::int64_t numbers = 0;
        walk(rows_of(unit), [&](Range rows, const Place& place) VECH_ALWAYS {
            numbers += rows.size() * (std::popcount(runs_[place.own].mask) + std::popcount(place.mirrored));
        });
        return numbers;
    }

    // The rows of a unit, whose numbers begin at `at`; op(word) is what a number becomes on the other side.
    template <class W, class Op>
    void fill(std::int64_t unit, std::int64_t at, std::int64_t* indptr, std::int32_t* indices, W* values,
              const Op& op) const {
        walk(rows_of(unit), [&](Range rows, const Place& place) {
            const auto size = std::popcount(runs_[place.own].mask), moves = std::popcount(place.mirrored);
            const std::int64_t pitch = size + moves;
            for (auto r = rows.begin; r < rows.end; ++r) indptr[r + 1] = at + (r - rows.begin + 1) * pitch;
            columns_of(rows, place, indices + at);
            copy(rows, place, values + at + (grow_ ? 0 : moves), pitch);
            gather(rows, place, values + at + (grow_ ? size : 0), pitch, op);
            at += rows.size() * pitch;
        });
    }

  private:
    // shortest: mean length of runs. longest: rows whose full rows stay in the cache while their numbers are put down.
    static constexpr std::int64_t shortest = 8, longest = 256;
    static constexpr int most = 64;

    struct Run {
        std::int64_t row, begin;  // the first one, and where its numbers begin
        std::uint64_t mask;       // of its distances
    };
    // Where full rows come from: runs of theirs and, by distance, of the mirrored numbers.
    struct Place {
        std::int64_t own = 0;
        std::uint64_t mirrored = 0;
        std::int64_t from[most] = {};
    };

    std::int64_t units() const { return static_cast<std::int64_t>(begins_.size()) - 1; }
    Range rows_of(std::int64_t unit) const {
        const auto k = static_cast<std::size_t>(unit);
        return {begins_[k], begins_[k + 1]};
    }
    std::int64_t room_of(std::int64_t unit) const { return rows_of(unit).begin / shortest + 2 * unit; }
    std::int64_t end_of(std::int64_t run) const { return runs_[run + 1].row; }
    // Of a row's numbers those before the one at distance k: in a lower half what is farther stands first.
    int before(std::uint64_t mask, int k) const {
        return std::popcount(grow_ ? mask >> k >> 1 : mask & ((std::uint64_t{1} << k) - 1));
    }

    // The distances of some rows. False: too many.
    bool sample() {
        constexpr std::int64_t samples = 256;
        std::uint64_t chance = 0;
        for (std::int64_t k = 0; k < samples; ++k) {
            const auto first = half_.n * k / samples, last = half_.n * (k + 1) / samples;
            if (first == last) continue;
            chance = chance * 6364136223846793005u + 1442695040888963407u;  // a stride could follow the grid's own
            const auto r = first + static_cast<std::int64_t>((chance >> 33) % static_cast<std::uint64_t>(last - first));
            Range at;
            if (!half_.row(r, at)) return false;
            for (auto number = at.begin; number < at.end; ++number) {
                const auto distance = std::abs(r - std::int64_t{half_.indices[number]});
                const auto place = std::lower_bound(distances_, distances_ + kinds_, distance);
                if (place != distances_ + kinds_ && *place == distance) continue;
                if (kinds_ == most) return false;
                std::copy_backward(place, distances_ + kinds_, distances_ + kinds_ + 1);
                *place = distance;
                ++kinds_;
            }
        }
        return true;
    }

    bool read(Range rows, Run* to, std::int64_t& found) const {
        const auto room = rows.size() / shortest + 2;
        for (auto r = rows.begin; r < rows.end;) {
            Range at;
            if (found == room || !half_.row(r, at)) return false;
            std::uint64_t mask = 0;
            const auto size = at.size();
            auto k = grow_ ? kinds_ - 1 : 0;
            std::int64_t farthest = 0;
            for (auto number = at.begin; number < at.end; ++number) {
                const std::int64_t c = once(half_.indices[number]), distance = grow_ ? r - c : c - r;
                while (0 <= k && k < kinds_ && distances_[k] != distance) k += grow_ ? -1 : 1;
                if (k < 0 || k == kinds_ || !half_.has_column(c)) return false;
                mask |= std::uint64_t{1} << k;
                k += grow_ ? -1 : 1;
                farthest = std::max(farthest, distance);
            }
            auto many = rows.end - r;
            if (size > 0) many = std::min(many, (half_.nonzeros - at.begin) / size);
            many = alike<true>(half_, r, at, many);
            if (!grow_ && r + many - 1 + farthest >= half_.n) return false;
            to[found++] = {r, at.begin, mask};
            r += many;
        }
        return true;
    }

    // visitor(rows, place) for rows, some after the other, that come from the same runs.
    template <class Visitor>
    void walk(Range rows, Visitor&& visitor) const {
        const auto run_of = [&](std::int64_t row) {
            const auto after = std::upper_bound(runs_.at, runs_.at + count_, row,
                                                [](std::int64_t wanted, const Run& run) { return wanted < run.row; });
            return after - runs_.at - 1;
        };
        const auto other = [&](std::int64_t r, int k) { return grow_ ? r + distances_[k] : r - distances_[k]; };
        const int first = kinds_ > 0 && distances_[0] == 0;  // the diagonal is not mirrored
        Place place;
        for (int k = first; k < kinds_; ++k)
            place.from[k] = run_of(std::clamp<std::int64_t>(other(rows.begin, k), 0, half_.n - 1));
        if (rows.size() > 0) place.own = run_of(rows.begin);
        for (auto r = rows.begin, end = r; r < rows.end; r = end) {
            while (end_of(place.own) <= r) ++place.own;
            end = std::min({rows.end, r + longest, end_of(place.own)});
            place.mirrored = 0;
            for (int k = first; k < kinds_; ++k) {
                const auto row = other(r, k);
                if (row < 0) end = std::min(end, r - row);
                if (row < 0 || row >= half_.n) continue;
                auto& run = place.from[k];
                while (end_of(run) <= row) ++run;
                end = std::min(end, r + end_of(run) - row);
                place.mirrored |= runs_[run].mask & (std::uint64_t{1} << k);
            }
            visitor(Range{r, end}, place);
        }
    }

    // visitor(k) for the distances in a mask, as their numbers stand in a row: in ascending columns.
    template <class Visitor>
    static void each(std::uint64_t mask, bool descending, Visitor&& visitor) {
        while (mask != 0) {
            const int k = descending ? std::bit_width(mask) - 1 : std::countr_zero(mask);
            mask &= ~(std::uint64_t{1} << k);
            visitor(k);
        }
    }

    // visitor(k, how many) for `size` things by `some`, the last of them overlapping those before; fewer one by one.
    template <int some, class Visitor>
    static VECH_INLINE void by(std::int64_t size, Visitor&& visitor) {
        if (size < some)
            for (std::int64_t k = 0; k < size; ++k) visitor(k, std::integral_constant<int, 1>{});
        else
            for (std::int64_t k = 0; k < size; k += some)
                visitor(std::min(k, size - some), std::integral_constant<int, some>{});
    }

    void columns_of(Range rows, const Place& place, std::int32_t* indices) const {
        std::int32_t columns[2 * most];
        std::int64_t pitch = 0;
        const auto put = [&](std::int64_t column) { columns[pitch++] = static_cast<std::int32_t>(column); };
        const auto left = grow_ ? runs_[place.own].mask : place.mirrored;
        const auto right = grow_ ? place.mirrored : runs_[place.own].mask;
        each(left, true, [&](int k) { put(rows.begin - distances_[k]); });
        each(right, false, [&](int k) { put(rows.begin + distances_[k]); });
        const auto down = [&]<int some>(std::int64_t k, std::integral_constant<int, some>) VECH_ALWAYS {
            std::int32_t next[some];
            std::copy_n(columns + k, some, next);
            auto* to = indices + k;
            for (auto r = rows.begin; r < rows.end; ++r, to += pitch) {
                std::memcpy(to, next, sizeof next);
                for (auto& column : next) ++column;
            }
        };
        if (pitch >= 8)
            by<8>(pitch, down);
        else
            by<4>(pitch, down);
    }

    // The rows' own numbers.
    template <class W>
    void copy(Range rows, const Place& place, W* values, std::int64_t pitch) const {
        constexpr std::int64_t ahead = 40, item = sizeof(W);  // rows
        const auto& run = runs_[place.own];
        const std::int64_t size = std::popcount(run.mask);
        const auto* from = half_.data + (run.begin + (rows.begin - run.row) * size) * item;
        by<4>(size, [&]<int some>(std::int64_t k, std::integral_constant<int, some>) VECH_ALWAYS {
            const auto* number = from + k * item;
            auto* to = values + k;
            for (auto r = rows.begin; r < rows.end; ++r, number += size * item, to += pitch) {
                __builtin_prefetch(number + ahead * size * item);
                std::memcpy(static_cast<void*>(to), number, some * item);
            }
        });
    }

    // Those that come from other rows.
    template <class W, class Op>
    void gather(Range rows, const Place& place, W* values, std::int64_t pitch, const Op& op) const {
        constexpr std::int64_t ahead = 40, item = sizeof(W);
        const std::byte* from[most];
        std::int64_t steps[most], count = 0;
        each(place.mirrored, !grow_, [&](int k) {
            const auto& run = runs_[place.from[k]];
            const auto row = grow_ ? rows.begin + distances_[k] : rows.begin - distances_[k];
            const std::int64_t size = std::popcount(run.mask);
            from[count] = half_.data + (run.begin + (row - run.row) * size + before(run.mask, k)) * item;
            steps[count++] = size * item;
        });
        by<4>(count, [&]<int some>(std::int64_t k, std::integral_constant<int, some>) VECH_ALWAYS {
            const std::byte* numbers[some];
            std::copy_n(from + k, some, numbers);
            auto* to = values + k;
            for (auto r = rows.begin; r < rows.end; ++r, to += pitch) {
                W words[some];
                for (int j = 0; j < some; ++j) {
                    words[j] = op(load<W>(numbers[j]));
                    numbers[j] += steps[k + j];
                }
                __builtin_prefetch(numbers[some - 1] + ahead * steps[k + some - 1]);
                std::memcpy(static_cast<void*>(to), words, sizeof words);
            }
        });
    }

    const Rowwise half_;
    bool grow_;
    const std::vector<std::int64_t>& begins_;
    std::int64_t distances_[most];  // ascending
    int kinds_ = 0;
    Memory<Run> runs_;  // and one more, which begins where rows end
    std::int64_t count_ = 0;
};

}  // namespace
VECH_TARGET_END
