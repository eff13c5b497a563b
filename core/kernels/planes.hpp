// dissimilarities: rows of bits -> a matrix of distances, rows against rows.
//
// Formula      a formula of formulas.hpp, of counts.
// Idea         Counting what is true in both is enough: the rest follows from how many are true in each row. 64 rows of
//              Y lie side by side, word by word, so that a word of a row of X meets 64 others, and no sums are taken
//              across a vector.
// Accumulator  64-bit integers. Results are the same for any number of threads.
// Bytes moved  Y once, X once for each 64 rows of Y, each result once.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/elementary.hpp"
#include "core/kernels/formulas.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/metrics.hpp"
#include "core/parallel.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

// How many bits are set in each word: by an instruction where there is one for vectors, else by adding neighbours.
VECH_INLINE Words ones_of(Words bits) {
#if defined(VECH_ICL)
    return reinterpret_cast<Words>(_mm512_popcnt_epi64(reinterpret_cast<__m512i>(bits)));
#else
    bits = bits - ((bits >> 1) & 0x5555555555555555u);
    bits = (bits & 0x3333333333333333u) + ((bits >> 2) & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    bits += bits >> 8;
    bits += bits >> 16;
    return (bits + (bits >> 32)) & 0xffu;
#endif
}

VECH_INLINE Doubles as_doubles(Words counts) {  // below 2^52
    return reinterpret_cast<Doubles>(counts + 0x4330000000000000u) - 0x1p52;
}

template <class Formula>
class Planes {
  public:
    explicit Planes(const Dissimilarities& job) : job_(job) {}

    // All rows. False: no memory.
    bool run(int threads, Watch& watch) {
        constexpr std::int64_t chunk = 32;
        const auto units = (job_.columns + span - 1) / span;
        if (!y_.get_zeros(units * job_.words * vectors) || !in_y_.get_zeros(units * vectors)) return false;
        for (std::int64_t c = 0; c < job_.columns; ++c) {
            auto* const to = reinterpret_cast<std::uint64_t*>(y_.at) + c / span * span * job_.words + c % span;
            for (std::int64_t w = 0; w < job_.words; ++w) to[w * span] = job_.y[c * job_.words + w];
        }
        for (std::int64_t unit = 0; unit < units; ++unit)
            for (std::int64_t w = 0; w < job_.words; ++w)
                for (int v = 0; v < vectors; ++v) {
                    const auto count = load<Words>(in_y_.at + unit * vectors + v);
                    const auto bits = load<Words>(y_.at + (unit * job_.words + w) * vectors + v);
                    store(in_y_.at + unit * vectors + v, count + ones_of(bits));
                }
        parallel_for((job_.rows + chunk - 1) / chunk, threads, watch, [&](std::int64_t number) {
            const Range rows{number * chunk, std::min((number + 1) * chunk, job_.rows)};
            for (std::int64_t unit = 0; unit < units && !watch.stop(); ++unit) share(rows, unit);
        });
        return true;
    }

  private:
    static constexpr std::int64_t span = 64;
    static constexpr int lanes = sizeof(Words) / 8, vectors = span / lanes;

    void share(Range rows, std::int64_t unit) const {
        const auto first = unit * span, width = std::min(span, job_.columns - first);
        double results[span];
        for (auto r = rows.begin; r < rows.end; ++r) {
            const auto kept = job_.place.kept(r, first, width);
            if (kept.size() <= 0) continue;
            row(job_.x + r * job_.words, y_.at + unit * job_.words * vectors, in_y_.at + unit * vectors, results);
            put(results, job_.place, r, first, kept, job_.columns);
        }
    }

    void row(const std::uint64_t* x, const Words* y, const Words* in_y, double* results) const {
        Words both[vectors] = {};
        std::int64_t in_x = 0;
        for (std::int64_t w = 0; w < job_.words; ++w) {
            in_x += std::popcount(x[w]);
            for (int v = 0; v < vectors; ++v) both[v] += ones_of(load<Words>(y + w * vectors + v) & x[w]);
        }
        for (int v = 0; v < vectors; ++v) {
            const Doubles common = as_doubles(both[v]), first = static_cast<double>(in_x) - common,
                          second = as_doubles(load<Words>(in_y + v)) - common;
            const Doubles none = static_cast<double>(job_.features) - common - first - second;
            store(results + v * lanes, Formula::of({common, first, second, none}));
        }
    }

    const Dissimilarities& job_;
    Memory<Words> y_, in_y_;
};

}  // namespace

Fault dissimilarities(const Dissimilarities& job, int threads, Watch& watch) {
    bool done = true;
    const auto with = [&]<class Formula>(Formula) { done = Planes<Formula>(job).run(threads, watch); };
#define VECH_CASE(name) \
    case Metric::name: with(name{}); break;
    switch (job.metric) {
        VECH_FORMULAS(VECH_CASE)
        default: break;
    }
#undef VECH_CASE
    return done ? Fault::none : Fault::out_of_memory;
}

VECH_TARGET_END
