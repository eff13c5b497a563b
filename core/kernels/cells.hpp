// cells: numbers of small matrices, from anywhere to anywhere, in every matrix of a batch.
//
// Idea         Cell by cell, matrix after matrix for each, in pieces that stay in L1. Where both sides are records
//              without gaps, AVX-512 shuffles whole lines of the target out of the source instead.
// Bytes moved  the source once, the target once (streamed from `streamed_bytes` on, where records are shuffled).
// Assumes      source and target do not overlap, save element by element when they are the same half.
#pragma once
#include "core/kernels/lines.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/scale.hpp"
#include "core/layout.hpp"
#include "core/move.hpp"
#include "core/parallel.hpp"

VECH_TARGET_BEGIN
namespace {

// Up to this side, a list of cells made once per call beats tiles: a batch of 3 x 3 is 9 loads and stores each.
constexpr std::int64_t small_side = 16;

#if VECH_VECTOR == 64
// Words of 128 bytes by their number, of which higher bits are left out of account.
template <class W>
VECH_INLINE __m512i pick(const std::byte* from, __m512i where) {
    const __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + line_bytes);
    return sizeof(W) == 4 ? _mm512_permutex2var_epi32(a, where, b) : _mm512_permutex2var_epi64(a, where, b);
}

// A batch of records, all of whose numbers go unchanged or scaled from one record to the next of the other side: a line
// of the target at a time out of two of the source, or four or six where two do not hold all its numbers (float64 6 x 6
// out of rectangular full packed: 0.9 copies, cell by cell 1.9, Zen 5). Returns the matrices [begin, end) that it did:
// not those whose lines are shared with others' memory, or where six lines would reach beyond the source. A million
// float32 3 x 3: 1.3 copies, cell by cell 3.4; scaled 1.9, cell by cell 6.
template <class W>
Range shuffle(const Cells& job, int threads, Watch& watch, Outcome& outcome) {
    constexpr std::int64_t item = sizeof(W), lanes = VECH_VECTOR / item, most = 32;
    const Range none{0, 0};
    const Batch& batch = job.batch;
    if (batch.axes != 1 || batch.count < 64 || batch.source[0] <= 0 || batch.source[0] % item != 0) return none;
    if (job.source == job.target) return none;  // in place, what is done twice is scaled twice
    const std::int64_t from_length = batch.source[0] / item, to_length = batch.target[0] / item;
    std::int64_t count = 0;
    for (int which = 0; which < job.list_count; ++which) count += job.lists[which].count;
    if (count == 0 || count > small_side * small_side || count * item != batch.target[0]) return none;
    std::int64_t place[small_side * small_side];
    const Change* change[small_side * small_side] = {};
    for (int which = 0; which < job.list_count; ++which) {
        const Cells::List& list = job.lists[which];
        for (std::int64_t k = 0; k < list.count; ++k) {
            const bool inside = list.to[k] >= 0 && list.to[k] < batch.target[0] && list.to[k] % item == 0 &&
                                list.from[k] >= 0 && list.from[k] < batch.source[0] && list.from[k] % item == 0;
            if (!inside || !(list.change->none() || is_scale<W>(*list.change))) return none;
            if (change[list.to[k] / item] != nullptr) return none;  // one twice, another never
            place[list.to[k] / item] = list.from[k] / item;
            change[list.to[k] / item] = list.change;
        }
    }
    const std::int64_t period = to_length / std::gcd(to_length, lanes);  // lines after which records begin anew
    const std::int64_t head = bytes_to_line(job.target);                 // before the first whole line
    if (period > most || head % item != 0) return none;

    std::int64_t origin[most], reach = 0;
    alignas(line_bytes) W index[most][lanes];
    unsigned far[most][2] = {};  // a bit for each number in the second, and in the third two lines
    VectorScaling<W> scaling[most];
    bool scales = false, divides = false;
    for (std::int64_t v = 0; v < period; ++v) {
        std::int64_t at[lanes];
        for (std::int64_t k = 0; k < lanes; ++k) {
            const std::int64_t number = head / item + v * lanes + k;
            at[k] = number / to_length * from_length + place[number % to_length];
            scaling[v].set(static_cast<int>(k), *change[number % to_length]);
        }
        scales |= scaling[v].numbers != 0;
        divides |= scaling[v].divides;
        const auto [first, last] = std::minmax_element(at, at + lanes);
        if (*last - *first >= 6 * lanes) return none;
        origin[v] = *first;
        for (std::int64_t k = 0; k < lanes; ++k) {
            index[v][k] = static_cast<W>(at[k] - *first);
            if (const auto pair = (at[k] - *first) / (2 * lanes); pair > 0) far[v][pair - 1] |= 1u << k;
        }
        reach = std::max(reach, *first + (far[v][1] != 0 ? 6 : far[v][0] != 0 ? 4 : 2) * lanes);
    }
    const std::int64_t records = period * lanes / to_length;  // of a period
    const std::int64_t beyond = std::max<std::int64_t>(reach - records * from_length, 0);
    const std::int64_t safe = batch.count - 1 - head / batch.target[0] - (beyond + from_length - 1) / from_length;
    const std::int64_t periods = std::max<std::int64_t>(safe / records, 0);
    const std::int64_t at_once = std::max<std::int64_t>(unit_bytes / (period * line_bytes), 1);
    // Of 24 MB, float32 3 x 3, 1.0 copies for 1.4, scaled 1.4 for 1.7; of 48 MB, float64, 0.97 for 1.18 (Zen 5).
    // Streaming waits for divisions in double of twice as many vectors: 2.4 copies instead of 1.3.
    const bool streams = batch.count * batch.target[0] >= streamed_bytes() && !(divides && item == 4);
    parallel_for((periods + at_once - 1) / at_once, threads, watch, [&](std::int64_t unit) {
        unsigned overflow = 0;
        const auto all = [&](auto&& finish) __attribute__((always_inline)) {
            for (std::int64_t p = unit * at_once; p < std::min((unit + 1) * at_once, periods); ++p) {
                const auto* from = job.source + p * records * batch.source[0];
                auto* to = job.target + head + p * period * line_bytes;
                for (std::int64_t v = 0; v < period; ++v) {
                    const auto* window = from + origin[v] * item;
                    const __m512i where = _mm512_load_si512(index[v]);
                    __m512i words = pick<W>(window, where);
                    for (int pair = 0; pair < 2; ++pair) {
                        const unsigned these = far[v][pair];
                        if (these == 0) continue;
                        const __m512i others = pick<W>(window + (pair + 1) * 2 * line_bytes, where);
                        words = item == 4 ? _mm512_mask_mov_epi32(words, static_cast<__mmask16>(these), others)
                                          : _mm512_mask_mov_epi64(words, static_cast<__mmask8>(these), others);
                    }
                    words = finish(words, v);
                    auto* line = reinterpret_cast<__m512i*>(to + v * line_bytes);
                    if (streams)
                        _mm512_stream_si512(line, words);
                    else
                        _mm512_store_si512(line, words);
                }
            }
        };
        if (!scales)
            all([](__m512i words, std::int64_t) { return words; });
        else if (divides)
            all([&](__m512i words, std::int64_t v) { return scaling[v].template operator()<true>(words, overflow); });
        else
            all([&](__m512i words, std::int64_t v) { return scaling[v].template operator()<false>(words, overflow); });
        if (streams) finish_streams();
        if (overflow != 0) outcome.overflow = true;
    });
    const std::int64_t begin = (head + batch.target[0] - 1) / batch.target[0];
    return {begin, std::max(begin, (head + periods * period * line_bytes) / batch.target[0])};
}
#endif

// Matrices [range.begin, range.end) of the batch, cell by cell.
template <class W, bool compare>
void cell_by_cell(const Cells& job, Range range, int threads, Watch& watch, Outcome& outcome) {
    constexpr std::int64_t item = sizeof(W);
    const Batch& batch = job.batch;
    const int axis = batch.axes - 1;
    const std::int64_t inner = axis < 0 ? 1 : batch.shape[axis];
    const std::int64_t from_step = axis < 0 ? 0 : batch.source[axis], to_step = axis < 0 ? 0 : batch.target[axis];
    // Matrix after matrix for one cell, so that nothing is looked up between two numbers: 36 loads and stores for 6
    // x 6. 4 kB of them at a time, and the next 4 kB fetched: 1.9 copies of a million 6 x 6, with 16 kB 2.3,
    // unfetched 3.4. Where matrices follow each other number by number, a row of 4 kB for each cell.
    constexpr std::int64_t most_fetched = 16384;
    const bool adjoin = from_step == item && to_step == item;
    // Such rows are streamed past the cache, as long as a unit: 0.8 copies for 2.4, float64, and 0.9 for 3.5, float32,
    // on Zen 5; half as long 0.9 of both.
    const bool streams = !compare && adjoin && job.source != job.target && inner * item >= 4 * line_bytes &&
                         job.numbers * item * batch.count >= streamed_bytes();
    const std::int64_t in_4096 = std::max<std::int64_t>(1, 4096 / (job.numbers * item));
    const std::int64_t per_unit = (streams ? 512 : 16) * in_4096;
    const std::int64_t at_once = streams ? per_unit : adjoin ? 4096 / item : in_4096;
    parallel_for((range.size() + per_unit - 1) / per_unit, threads, watch, [&](std::int64_t unit) {
        bool overflow = false, differs = false;
        alignas(line_bytes) W changed[512];
        const std::int64_t end = std::min(range.end, range.begin + (unit + 1) * per_unit);
        std::int64_t count = 0;
        for (std::int64_t b = range.begin + unit * per_unit; b < end; b += count) {
            const Walk walk(batch, b);
            count = std::min({end - b, inner - b % inner, at_once});
            // Cells are met in no order that the processor would foresee.
            for (std::int64_t k = 0; !streams && k < std::min(count * from_step, most_fetched); k += line_bytes)
                __builtin_prefetch(job.source + walk.source + count * from_step + k, 0, 3);
            for (std::int64_t k = 0; !streams && k < std::min(count * to_step, most_fetched); k += line_bytes)
                __builtin_prefetch(job.target + walk.target + count * to_step + k, 1, 3);
            for (int which = 0; which < job.list_count; ++which) {
                const Cells::List& list = job.lists[which];
                const bool plain = list.change->none();
#if VECH_VECTOR == 64
                // Streamed as they are scaled: 1.0 copies for 1.1 to 1.4 by way of L1 (Zen 5).
                if constexpr (scales_vectors<W> && !compare)
                    if (adjoin && is_scale<W>(*list.change)) {
                        const VectorScaling<W> scaling(*list.change);
                        for (std::int64_t k = 0; k < list.count; ++k)
                            overflow |= scale_row<W>(scaling, job.source + list.from[k] + walk.source,
                                                     job.target + list.to[k] + walk.target, count, streams);
                        continue;
                    }
#endif
                if (streams && !list.change->constant) {
                    constexpr std::int64_t some = sizeof changed / sizeof(W);
                    for (std::int64_t k = 0; k < list.count; ++k) {
                        const auto* from = job.source + list.from[k] + walk.source;
                        auto* to = job.target + list.to[k] + walk.target;
                        if (plain) stream_lines(to, from, count * item);
                        for (std::int64_t q = 0; !plain && q < count; q += some) {
                            // Up to the end of a line: two parts of one took 1.8 times as long (Zen 5).
                            const std::int64_t begun = (line_bytes - bytes_to_line(to + q * item)) % line_bytes / item;
                            const std::int64_t numbers = std::min(some - begun, count - q);
                            overflow |= apply<W>(*list.change, from + q * item, item, changed, numbers);
                            stream_lines(to + q * item, reinterpret_cast<const std::byte*>(changed), numbers * item);
                        }
                    }
                    continue;
                }
                overflow |= visit<W, !compare>(*list.change, [&](auto& op) {
                    auto local = op;
                    const auto all = [&](std::int64_t step_from, std::int64_t step_to) __attribute__((always_inline)) {
                        for (std::int64_t k = 0; k < list.count; ++k) {
                            const auto* from = job.source + list.from[k] + walk.source;
                            auto* to = job.target + list.to[k] + walk.target;
                            for (std::int64_t q = 0; q < count; ++q) {
                                W word;
                                if constexpr (std::is_same_v<decltype(local), Constant<W>>)
                                    word = local.word;  // from nowhere
                                else
                                    word = local(load<W>(from + q * step_from));
                                if constexpr (compare)
                                    differs |= load<W>(to + q * step_to) != word;
                                else
                                    store<W>(to + q * step_to, word);
                            }
                        }
                    };
                    if (adjoin && !compare)
                        all(item, item);
                    else
                        all(from_step, to_step);
                    op = local;
                });
            }
        }
        if (streams) finish_streams();
        if (overflow) outcome.overflow = true;
        if (differs) outcome.differs = true;
        if (compare && differs) watch.end();
    });
}

template <class W, bool compare>
void go_cells(const Cells& job, int threads, Watch& watch, Outcome& outcome) {
    Range done{0, 0};
#if VECH_VECTOR == 64
    if constexpr (scales_vectors<W> && !compare) done = shuffle<W>(job, threads, watch, outcome);
#endif
    cell_by_cell<W, compare>(job, {0, done.begin}, threads, watch, outcome);
    cell_by_cell<W, compare>(job, {done.end, job.batch.count}, threads, watch, outcome);
}

}  // namespace

void cells(const Cells& job, int threads, Watch& watch, Outcome& outcome) {
    with_word(job.item, [&]<class W>(W) { go_cells<W, false>(job, threads, watch, outcome); });
}

VECH_TARGET_END
