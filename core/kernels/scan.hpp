// scan: half -> CSR in kernel space, of the numbers with (word & keep) != 0, or > bound. scatter: half -> the nonzero
// words of a full matrix that is already zero. density: what part of a half counts, from a sample.
//
// Bytes moved  scan: the half once; (item + 4) per number found. scatter: the half once; two lines per number found.
// Idea         One pass. Every thread compresses whole runs, an equal share of the cells, into blocks that grow; those
//              of the first thread become the result and the others are appended, so one thread copies nothing.
//              Blocks are reserved from a sample of the density: pages never touched cost nothing.
// Assumes      nothing about alignment; reads no byte outside the half. Results are the same for any thread count.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/compress.hpp"
#include "core/kernels/found.hpp"
#include "core/kernels/region.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/runs.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN

double density(const std::byte* words, std::int64_t count, int item, const std::uint8_t* keep) {
    constexpr std::int64_t places = 1024, at_each = 4;
    std::int64_t seen = 0, hit = 0;
    with_word(item, [&]<class W>(W) {
        const W wanted = load<W>(keep);
        std::uint64_t chance = 0;
        for (std::int64_t place = 0; place < places; ++place) {
            const auto first = count * place / places, last = count * (place + 1) / places;
            if (first == last) continue;
            chance = chance * 6364136223846793005u + 1442695040888963407u;  // a stride could follow the matrix's own
            auto k = first + static_cast<std::int64_t>((chance >> 33) % static_cast<std::uint64_t>(last - first));
            for (const auto end = std::min(k + at_each, last); k < end; ++k, ++seen)
                hit += any(load<W>(words + k * item) & wanted);
        }
    });
    return seen == 0 ? 0.0 : static_cast<double>(hit) / static_cast<double>(seen);
}

namespace {

// Runs [first, last) into found; indptr[r + 1] becomes where run r ends there. False: no memory.
template <class W, bool bounded>
bool scan_runs(const Scan& job, std::int64_t first, std::int64_t last, Found<W>& found, std::int64_t* indptr,
               Watch& watch) {
    constexpr std::int64_t item = sizeof(W), most = megabyte / item;
    const W keep = load<W>(job.keep), fill = load<W>(job.fill), bound = load<W>(job.bound);
    std::int64_t since = 0;
    for (auto r = first; r < last; ++r) {
        const auto end = job.half.last(r);
        const auto* row = job.words + job.half.origin(r) * item;
        if (!found.reserve(1)) return false;
        if (job.implied && !job.half.grow) found.push(fill, r);
        for (auto c = job.half.first(r); c < end; c += most) {
            const auto count = std::min(most, end - c);
            if (!found.reserve(count + 1)) return false;
            found.size += compress<W, bounded>(row + c * item, count, keep, c, found.values + found.size,
                                               found.columns + found.size, bound);
            since += count;
            if (since < most) continue;
            if (watch.stop()) return true;
            since = 0;
        }
        if (job.implied && job.half.grow) found.push(fill, r);
        indptr[r + 1] = found.size;
    }
    return true;
}

template <class W, bool bounded = false>
void scan_words(const Scan& job, int threads, Watch& watch, Csr& result) {
    constexpr std::int64_t item = sizeof(W);
    const auto length = job.half.length();
    const auto shares = std::clamp<std::int64_t>(length * item / megabyte, 1, threads);
    const std::unique_ptr<Found<W>[]> found(new (std::nothrow) Found<W>[static_cast<std::size_t>(shares)]);
    std::atomic<bool> failed{!found || !resize(result.indptr, job.half.n + 1)};
    if (failed) return result.fail(Fault::out_of_memory);
    const auto likely = std::min(1.0, 1.5 * density(job.words, length, job.item, job.keep));
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        // The first share also takes what the others find.
        const auto cells = length / (share == 0 ? 1 : shares) + job.half.n;
        const auto expected = static_cast<std::int64_t>(likely * static_cast<double>(cells));
        auto& mine = found[static_cast<std::size_t>(share)];
        const auto [first, last] = share_of(job.half, share, shares);
        if (mine.reserve(std::min(cells, expected + 131072)) &&
            scan_runs<W, bounded>(job, first, last, mine, result.indptr, watch))
            return;
        failed = true;
        watch.end();
    });
    if (failed) return result.fail(Fault::out_of_memory);
    if (watch.stop()) return result.release();

    join(
        found.get(), shares, [&](std::int64_t share) { return share_of(job.half, share, shares); }, threads, watch,
        result);
}

template <class W>
void scatter_words(const Scatter& job, int threads, Watch& watch) {
    constexpr std::int64_t item = sizeof(W), most = 1024;
    W every, fill = load<W>(job.fill);
    std::memset(&every, 0xff, sizeof every);
    const auto shares =
        std::clamp<std::int64_t>(job.half.length() * item / megabyte, 1, std::max<std::int64_t>(1, job.half.n));
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        W values[most + Found<W>::slack];
        std::int32_t columns[most + Found<W>::slack];
        const auto [first, last] = share_of(job.half, share, shares);
        for (auto r = first; r < last; ++r) {
            const auto* row = job.words + job.half.origin(r) * item;
            if (job.implied) store(job.target.cell(r, r), fill);
            const auto end = job.half.last(r);
            for (auto c = job.half.first(r); c < end; c += most) {
                const auto found = compress<W>(row + c * item, std::min(most, end - c), every, c, values, columns);
                for (std::int64_t k = 0; k < found; ++k) store(job.target.cell(r, columns[k]), values[k]);
                if (job.transposed)
                    for (std::int64_t k = 0; k < found; ++k) store(job.target.cell(columns[k], r), values[k]);
            }
        }
    });
}

}  // namespace

void scan(const Scan& job, int threads, Watch& watch, Csr& result) {
    if (job.bounded && job.item == 4) return scan_words<std::uint32_t, true>(job, threads, watch, result);
    if (job.bounded && job.item == 8) return scan_words<std::uint64_t, true>(job, threads, watch, result);
    with_word(job.item, [&]<class W>(W) { scan_words<W>(job, threads, watch, result); });
}

void scatter(const Scatter& job, int threads, Watch& watch) {
    with_word(job.item, [&]<class W>(W) { scatter_words<W>(job, threads, watch); });
}

VECH_TARGET_END
