// mirror: half CSR -> full CSR, or -> the CSR of the other half; sorted. Included once per target, inside its
// namespace.
//
// Idea         No merge, no sort: full row i is stored row i and then column i of the strict half (the other way round
//              when the half holds the upper triangle), and source rows visited in ascending order put column i down
//              in order. Two ways, for the same result:
//              directly: count columns; copy each row and put down its mirror;
//              by blocks, where a pattern is random and each mirror would be a miss of the cache: mirrors are first
//              put behind each other by blocks of columns, in the very memory that will hold those rows, then block
//              after block inside the cache.
// Bytes moved  the half twice, the full matrix once; directly n counters of 8 bytes per thread, by blocks the full
//              matrix twice and 2 bytes a number.
// Assumes      nothing: what could write out of bounds is looked for, since the arrays are the user's. Results are the
//              same for any thread count: each share of the rows has its own places.
//
// Milliseconds for 7-point rows (n = 512 000), 27-point rows (n = 250 000), a random pattern (n = 200 000, 4.2 M
// numbers):                                  9.5    27    50
//   fetching 8 numbers ahead                 8.2    27    38
//   fetching where each stream will go       6.6    25    67

class Mirroring {
  public:
    Mirroring(const Mirror& job, int threads, Watch& watch, Csr& result)
        : job_(job), half_(job.half), threads_(threads), watch_(watch), result_(result) {}

    template <class W>
    void run() {
        result_.malformed = !half_.has_rows();
        if (result_.malformed) return;
        const auto most = half_.nonzeros / std::max<std::int64_t>(half_.n, 65536);  // counters: no more than the half
        shares_ = std::clamp<std::int64_t>(most, 1, threads_);
        const bool done = by_blocks<W>() || directly<W>();
        std::free(std::exchange(counters_, nullptr));
        result_.malformed = malformed_;
        if (!done) return fail(result_);
        if (malformed_ || watch_.stop()) release(result_);
    }

  private:
    static constexpr std::int64_t block_bytes = 1 << 19, least_blocks = 16, most_blocks = 512;

    Range rows_of(std::int64_t share) const {
        return {half_.begin_of(share, shares_), half_.begin_of(share + 1, shares_)};
    }
    VECH_INLINE std::int64_t stored(std::int64_t r) const {
        return job_.own ? half_.indptr[r + 1] - half_.indptr[r] : 0;
    }

    // Columns of the numbers that move, counted by key(column); to the other half the diagonal moves too. Notes where
    // these rows are no triangle.
    template <class Key>
    void count(Range rows, std::int64_t* counts, Key&& key) {
        constexpr std::int64_t together = 4096;  // rows whose columns stay in the cache for three looks
        const auto half = half_;
        for (auto first = rows.begin; first < rows.end; first += together) {
            Reach reach{{first, std::min(first + together, rows.end)}};
            if (!survey(half, reach)) {
                malformed_ = true;
                return;
            }
            const auto start = half.indptr[reach.rows.begin];
            for (auto k = start, end = half.indptr[reach.rows.end]; k < end; ++k) ++counts[key(half.indices[k])];
            auto descents = reach.descents;
            bool inside = true;
            for (auto r = reach.rows.begin; r < reach.rows.end; ++r) {
                const auto begin = half.indptr[r], end = half.indptr[r + 1];
                if (begin == end) continue;
                const std::int64_t least = half.indices[begin], most = half.indices[end - 1];
                descents -= begin > start && least <= half.indices[begin - 1];
                inside &= job_.grow ? most <= r : least >= r;
                if (job_.own) counts[key(r)] -= (job_.grow ? most : least) == r;
            }
            if (!inside || descents != 0) malformed_ = true;
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

    // visitor(row, column, word) for each number of these rows that moves, in order; before(row) for each row.
    template <class W, class Before, class Visitor>
    void each(Range rows, Before&& before, Visitor&& visitor) const {
        visit<W>(job_.change, [&](auto& op) {
            const auto half = half_;  // what no store can change stays in registers
            const bool grow = job_.grow, own = job_.own;
            const auto word = [&](std::int64_t k)
                                  VECH_ALWAYS { return load<W>(half.data + k * static_cast<std::int64_t>(sizeof(W))); };
            auto local = op;
            std::int64_t since = 0;
            for (auto r = rows.begin; r < rows.end; ++r) {
                before(r);
                const auto begin = half.indptr[r], end = half.indptr[r + 1];
                auto first = begin, last = end;
                if (begin < end && half.indices[grow ? end - 1 : begin] == r) grow ? --last : ++first;
                for (auto k = begin; k < end; ++k) {
                    const bool off = k >= first && k < last;
                    if (off || !own) visitor(r, half.indices[k], off ? local(word(k)) : word(k));
                }
                if ((since += end - begin + 1) < 65536) continue;
                if (watch_.stop()) return;
                since = 0;
            }
        });
    }
    template <class W>
    VECH_INLINE void copy_row(std::int64_t r, std::int64_t at) const {
        const auto* columns = half_.indices;
        const auto* numbers = half_.data;
        auto* indices = result_.indices;
        auto* to = values<W>();
        for (auto k = half_.indptr[r], end = half_.indptr[r + 1]; k < end; ++k, ++at) {
            indices[at] = columns[k];
            to[at] = load<W>(numbers + k * static_cast<std::int64_t>(sizeof(W)));
        }
    }

    // False: no memory.
    template <class W>
    bool directly() {
        const auto n = half_.n;
        if (!resize(counters_, shares_ * n) || !resize(result_.indptr, n + 1)) return false;
        parallel_for(shares_, threads_, watch_, [&](std::int64_t share) {
            auto* mine = counters_ + share * n;
            std::fill(mine, mine + n, 0);
            count(rows_of(share), mine, [](std::int64_t c) { return c; });
        });
        if (malformed_ || watch_.stop()) return true;
        result_.indptr[0] = 0;
        for (std::int64_t r = 0; r < n; ++r) {  // counts become places
            auto place = result_.indptr[r] + (job_.grow ? stored(r) : 0);
            for (std::int64_t share = 0; share < shares_; ++share)
                place += std::exchange(counters_[share * n + r], place);
            result_.indptr[r + 1] = place + (job_.grow ? 0 : stored(r));
        }
        if (!allocate<W>(result_.indptr[n])) return false;
        parallel_for(shares_, threads_, watch_, [&](std::int64_t share) {
            constexpr std::int64_t ahead = 256;
            auto* next = counters_ + share * n;
            auto* to = values<W>();
            auto* columns = result_.indices;
            const bool own = job_.own;
            each<W>(
                rows_of(share),
                [&](std::int64_t r) VECH_ALWAYS {
                    if (own) copy_own<W>(r);
                },
                [&](std::int64_t r, std::int64_t c, W moved) VECH_ALWAYS {
                    const auto at = next[c]++;
                    columns[at] = static_cast<std::int32_t>(r);
                    to[at] = moved;
                    __builtin_prefetch(columns + at + ahead, 1);
                    __builtin_prefetch(to + at + ahead, 1);
                });
        });
        return true;
    }
    template <class W>
    VECH_INLINE void copy_own(std::int64_t r) const {
        copy_row<W>(r, job_.grow ? result_.indptr[r] : result_.indptr[r + 1] - stored(r));
    }

    // False: no memory for it, or no use.
    template <class W>
    bool by_blocks() {
        const auto n = half_.n;
        const auto numbers = (job_.own ? 2 : 1) * half_.nonzeros;  // at most
        const auto bytes = numbers * static_cast<std::int64_t>(sizeof(W) + 4);
        if (bytes < least_blocks * block_bytes / 2 || jumps(half_) < 0.5) return false;
        const auto wanted = std::clamp(bytes / block_bytes, least_blocks, most_blocks);
        const int shift = std::bit_width(static_cast<std::uint64_t>((n - 1) / wanted));
        const auto blocks = ((n - 1) >> shift) + 1;
        if (shift > 16) return false;
        if (!resize(counters_, (shares_ + 2) * (blocks + 1))) return false;
        parallel_for(shares_, threads_, watch_, [&](std::int64_t share) {
            auto* mine = counters_ + share * blocks;
            std::fill(mine, mine + blocks, 0);
            count(rows_of(share), mine, [shift](std::int64_t c) { return c >> shift; });
        });
        if (malformed_ || watch_.stop()) return true;
        // Where the blocks begin in the result, and in what moves.
        auto *regions = counters_ + shares_ * blocks, *before = regions + blocks + 1;
        regions[0] = before[0] = 0;
        std::int64_t longest = 0;
        for (std::int64_t block = 0; block < blocks; ++block) {
            auto place = regions[block];
            for (std::int64_t share = 0; share < shares_; ++share)
                place += std::exchange(counters_[share * blocks + block], place);
            const auto moved = place - regions[block];
            longest = std::max(longest, moved);
            before[block + 1] = before[block] + moved;
            const auto end = std::min((block + 1) << shift, n), begin = block << shift;
            regions[block + 1] = place + (job_.own ? half_.indptr[end] - half_.indptr[begin] : 0);
        }
        if (longest > half_.nonzeros / 4) return false;  // a few columns have most: the cache holds them
        std::uint16_t* low = nullptr;
        if (!resize(low, before[blocks]) || !resize(result_.indptr, n + 1) || !allocate<W>(regions[blocks])) {
            std::free(low);
            return false;
        }
        parallel_for(shares_, threads_, watch_, [&](std::int64_t share) {
            auto* next = counters_ + share * blocks;
            const auto mask = (std::int64_t{1} << shift) - 1;
            auto* indices = result_.indices;
            auto* to = values<W>();
            each<W>(
                rows_of(share), [](std::int64_t) {},
                [&](std::int64_t r, std::int64_t c, W moved) VECH_ALWAYS {
                    const auto block = c >> shift, at = next[block]++;
                    indices[at] = static_cast<std::int32_t>(r);
                    to[at] = moved;
                    low[at - regions[block] + before[block]] = static_cast<std::uint16_t>(c & mask);
                });
        });
        std::atomic<bool> good{true};
        result_.indptr[0] = 0;
        parallel_for(blocks, threads_, watch_, [&](std::int64_t block) {
            const Range columns{block << shift, std::min((block + 1) << shift, n)};
            if (!settle_block<W>(columns, regions[block], low + before[block], before[block + 1] - before[block]))
                good = false;
        });
        std::free(low);
        return good;
    }

    // One block's numbers, which lie behind each other from `place` on, to their rows.
    template <class W>
    bool settle_block(Range columns, std::int64_t place, const std::uint16_t* low, std::int64_t count) const {
        std::int32_t* rows = nullptr;
        W* moved = nullptr;
        std::uint32_t* next = nullptr;
        const bool got = resize(rows, count) && resize(moved, count) && resize(next, columns.size());
        if (got) {
            const auto size = static_cast<std::size_t>(count);
            std::memcpy(rows, result_.indices + place, size * sizeof(std::int32_t));
            std::memcpy(moved, values<W>() + place, size * sizeof(W));
            std::fill(next, next + columns.size(), 0u);
            for (std::int64_t k = 0; k < count; ++k) ++next[low[k]];
            auto end = place;
            for (auto r = columns.begin; r < columns.end; ++r) {
                const auto moves = std::int64_t{next[r - columns.begin]};
                const auto own = stored(r);
                if (job_.own) copy_row<W>(r, job_.grow ? end : end + moves);
                next[r - columns.begin] = static_cast<std::uint32_t>(end - place + (job_.grow ? own : 0));
                end += own + moves;
                result_.indptr[r + 1] = end;
            }
            auto* to = values<W>() + place;
            auto* indices = result_.indices + place;
            for (std::int64_t k = 0; k < count; ++k) {
                const auto at = next[low[k]]++;
                indices[at] = rows[k];
                to[at] = moved[k];
            }
        }
        std::free(rows);
        std::free(moved);
        std::free(next);
        return got;
    }

    const Mirror& job_;
    const Rowwise& half_;
    int threads_;
    Watch& watch_;
    Csr& result_;
    std::int64_t shares_ = 1;
    std::int64_t* counters_ = nullptr;
    std::atomic<bool> malformed_{false};
};

inline void mirror(const Mirror& job, int threads, Watch& watch, Csr& result) {
    with_word(job.half.item, [&]<class W>(W) { Mirroring(job, threads, watch, result).run<W>(); });
}
