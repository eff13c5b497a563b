// mirror: half CSR -> full CSR, sorted. Included once per target, inside its namespace.
//
// Idea         No merge, no sort: full row i is stored row i and then column i of the strict half (the other way round
//              when the half holds the upper triangle), and source rows visited in ascending order put column i down
//              in order. Two passes: count columns; copy each row and scatter its mirror.
// Bytes moved  the half twice, the full matrix once; n counters of 8 bytes per thread.
// Assumes      columns sorted, none twice. What could write out of bounds is looked for: the arrays are the user's.
//              Results are the same for any thread count: a thread has its own counters, and what it scatters begins
//              where threads with earlier rows end.

template <class W>
void mirror_words(const Mirror& job, int threads, Watch& watch, Csr& result) {
    const auto n = job.n, nonzeros = job.indptr[n];
    result.malformed = job.indptr[0] != 0 || !std::is_sorted(job.indptr, job.indptr + n + 1);
    if (result.malformed) return;
    // Counters never take more memory than the half.
    const auto shares = std::clamp<std::int64_t>(nonzeros / std::max<std::int64_t>(n, 65536), 1, threads);
    const auto rows_of = [&](std::int64_t share) {  // rows of about equally many numbers
        const auto bound = [&](std::int64_t k) {
            return std::lower_bound(job.indptr, job.indptr + n, nonzeros / shares * k) - job.indptr;
        };
        return std::pair(share == 0 ? 0 : bound(share), share + 1 == shares ? n : bound(share + 1));
    };
    std::int64_t* counters = nullptr;
    if (!resize(counters, shares * n) || !resize(result.indptr, n + 1)) {
        std::free(counters);
        return fail(result);
    }
    std::atomic<bool> outside{false};
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        auto* mine = counters + share * n;
        std::fill(mine, mine + n, 0);
        const auto [first, last] = rows_of(share);
        for (auto r = first; r < last; ++r)
            for (auto k = job.indptr[r]; k < job.indptr[r + 1]; ++k) {
                const std::int64_t c = job.indices[k];
                if (job.grow ? c < 0 || c > r : c < r || c >= n) {
                    outside = true;
                    return;
                }
                mine[c] += c != r;
            }
    });
    result.malformed = outside;
    if (outside || watch.stop()) {
        std::free(counters);
        return release(result);
    }
    result.indptr[0] = 0;
    for (std::int64_t r = 0; r < n; ++r) {  // counts become places
        const auto stored = job.indptr[r + 1] - job.indptr[r];
        auto place = result.indptr[r] + (job.grow ? stored : 0);
        for (std::int64_t share = 0; share < shares; ++share) place += std::exchange(counters[share * n + r], place);
        result.indptr[r + 1] = place + (job.grow ? 0 : stored);
    }
    result.nonzeros = result.indptr[n];
    W* values = nullptr;
    const bool got = resize(values, result.nonzeros) && resize(result.indices, result.nonzeros);
    result.data = reinterpret_cast<std::byte*>(values);
    if (!got) {
        std::free(counters);
        return fail(result);
    }
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        auto* next = counters + share * n;
        const auto [first, last] = rows_of(share);
        std::int64_t since = 0;
        for (auto r = first; r < last; ++r) {
            const auto begin = job.indptr[r], end = job.indptr[r + 1], count = end - begin;
            const auto at = job.grow ? result.indptr[r] : result.indptr[r + 1] - count;
            if (count > 0) {
                std::memcpy(result.indices + at, job.indices + begin, static_cast<std::size_t>(count) * 4);
                std::memcpy(values + at, job.data + begin * sizeof(W), static_cast<std::size_t>(count) * sizeof(W));
            }
            for (auto k = begin; k < end; ++k) {
                const auto c = job.indices[k];
                if (c == r) continue;
                // The processor cannot guess where a random pattern goes: 41 ms for 55 (n = 200 000, 4.2 M nonzeros).
                const auto soon = next[job.indices[std::min(k + 8, nonzeros - 1)]];
                __builtin_prefetch(result.indices + soon, 1);
                __builtin_prefetch(values + soon, 1);
                const auto to = next[c]++;
                result.indices[to] = static_cast<std::int32_t>(r);
                values[to] = load<W>(job.mirrored + k * sizeof(W));
            }
            if ((since += count) > 65536) {
                if (watch.stop()) return;
                since = 0;
            }
        }
    });
    std::free(counters);
    if (watch.stop()) release(result);
}

inline void mirror(const Mirror& job, int threads, Watch& watch, Csr& result) {
    with_word(job.item, [&]<class W>(W) { mirror_words<W>(job, threads, watch, result); });
}
