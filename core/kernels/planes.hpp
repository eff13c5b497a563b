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

    // Columns [64 unit, 64 unit + 64) of the result. False: no memory.
    bool unit(std::int64_t unit, Watch& watch) const {
        const auto first = unit * span, width = std::min(span, job_.columns - first);
        Memory<Words> y;
        if (!y.get_zeros(job_.words * vectors)) return false;
        auto* const words = reinterpret_cast<std::uint64_t*>(y.at);
        for (std::int64_t c = 0; c < width; ++c)
            for (std::int64_t w = 0; w < job_.words; ++w) words[w * span + c] = job_.y[(first + c) * job_.words + w];
        Words in_y[vectors] = {};
        for (std::int64_t w = 0; w < job_.words; ++w)
            for (int v = 0; v < vectors; ++v) in_y[v] += ones_of(load<Words>(y.at + w * vectors + v));
        for (std::int64_t r = 0; r < job_.rows; ++r) {
            if (r % 64 == 0 && watch.stop()) return true;
            row(job_.x + r * job_.words, y.at, in_y, job_.out + (r * job_.columns + first) * job_.result, width);
        }
        return true;
    }

    static constexpr std::int64_t span = 64;

  private:
    static constexpr int lanes = sizeof(Words) / 8, vectors = span / lanes;

    void row(const std::uint64_t* x, const Words* y, const Words* in_y, std::byte* out, std::int64_t width) const {
        Words both[vectors] = {};
        std::int64_t in_x = 0;
        for (std::int64_t w = 0; w < job_.words; ++w) {
            in_x += std::popcount(x[w]);
            for (int v = 0; v < vectors; ++v) both[v] += ones_of(load<Words>(y + w * vectors + v) & x[w]);
        }
        double results[span];
        for (int v = 0; v < vectors; ++v) {
            const Doubles common = as_doubles(both[v]), first = static_cast<double>(in_x) - common,
                          second = as_doubles(in_y[v]) - common;
            const Doubles none = static_cast<double>(job_.features) - common - first - second;
            store(results + v * lanes, Formula::of({common, first, second, none}));
        }
        put(results, out, job_.result, width);
    }

    const Dissimilarities& job_;
};

}  // namespace

Fault dissimilarities(const Dissimilarities& job, int threads, Watch& watch) {
    std::atomic<bool> failed{false};
    const auto with = [&]<class Formula>(Formula) {
        const Planes<Formula> planes(job);
        const auto units = (job.columns + planes.span - 1) / planes.span;
        parallel_for(units, threads, watch, [&](std::int64_t unit) {
            if (!failed && !planes.unit(unit, watch)) failed = true;
        });
    };
#define VECH_CASE(name) \
    case Metric::name: with(name{}); break;
    switch (job.metric) {
        VECH_FORMULAS(VECH_CASE)
        default: break;
    }
#undef VECH_CASE
    return failed ? Fault::out_of_memory : Fault::none;
}

VECH_TARGET_END
