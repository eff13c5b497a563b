// multiply_quantized: y = S x out of codes, both triangles from one reading.
//
// Formula      y[r] += scale sum over c of level x[c] and y[c] += scale sum over r of level x[r], tile by tile; x
//              and y in units of the sides, where there are any.
// Idea         A tile of levels lies in L1. Of one column the sums of columns stay in registers while the rows of a
//              tile go by; those of rows stay in lanes from tile to tile. Of several, a strip has as many columns as
//              a vector has lanes, and a level is repeated in all of them.
// Accumulator  the numbers' own; each share of rows of tiles has a y of its own, and those are added in order: the
//              same results for any number of threads. |error| <= 2 n eps |S| |x|.
// Bytes moved  the codes once; x and y stay in the caches.
#pragma once
#include "core/kernels/decode.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/sign_product.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/quantized.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real>
class QuantizedMultiplier {
    using C = CodeLanes<Real>;
    using V = typename C::V;
    static constexpr int lanes = C::count;
    static constexpr std::int64_t item = sizeof(Real);

  public:
    explicit QuantizedMultiplier(const QuantizedProduct& job)
        : job_(job), half_(job.half), decoder_(half_), tile_(half_.tile), padded_(half_.grid() * tile_),
          one_(job.columns == 1), by_tables_(VECH_VECTOR == 64 && item == 4 && one_ && half_.width() == 64 &&
                                             half_.encoding->family == Encoding::Family::sign),
          strips_(one_ ? 1 : (job.columns + lanes - 1) / lanes), pitch_(one_ ? 1 : lanes) {}

    Fault run(int threads, Watch& watch) {
        const auto shares = job_.shares(strips_), size = strips_ * padded_ * pitch_;
        const auto groups = one_ || shares > 1 ? 1 : std::min<std::int64_t>(threads, strips_);
        // One thread adds what a share has as soon as it is there: its sums stay in the caches.
        const auto held = threads == 1 ? std::min<std::int64_t>(shares, 2) : shares;
        // All at once: of small pieces the C library gives the last back to the system with each call.
        const auto tabulated = by_tables_ ? sign_tables(padded_) : 0;
        if (!memory_.get_lines(tabulated + (1 + held) * size)) return Fault::out_of_memory;
        tables_ = memory_.line();
        x_ = tables_ + tabulated;
        y_ = x_ + size;
        std::fill(x_, y_ + held * size, Real{0});
        lay_out();
#if VECH_VECTOR == 64
        if constexpr (sizeof(Real) == 4)
            if (by_tables_) SignTile::tabulate(x_, padded_, tables_);
#endif
        std::atomic<bool> lacking = false;
        parallel_for(groups * shares, threads, watch, [&](std::int64_t unit) {
            const auto number = unit % shares, group = unit / shares;
            const Range strips{group * strips_ / groups, (group + 1) * strips_ / groups};
            Memory<Real> levels, sums;
            if (!levels.get_lines(tile_ * tile_) || !sums.get_lines(tile_ * lanes)) {
                lacking = true;
                return;
            }
            Real* const y = y_ + std::min(number, held - 1) * size;
            for (auto i = half_.first_tile(number, shares); i < half_.first_tile(number + 1, shares); ++i) {
                if (watch.stop()) return;
                one_ ? row_of_tiles(i, levels.line(), sums.line(), y) : rows_of_columns(i, levels.line(), y, strips);
            }
            if (held < shares && number > 0) add(number, shares, y);
        });
        if (lacking) return Fault::out_of_memory;
        if (watch.stop()) return Fault::none;
        for (std::int64_t number = 1; number < shares && held == shares; ++number)
            add(number, shares, y_ + number * size);
        finish();
        return Fault::none;
    }

  private:
    Real side(std::int64_t r) const { return half_.sides == nullptr ? Real{1} : load<Real>(half_.sides + r * item); }
    // Column c of row r of x or y, strip by strip.
    std::int64_t place(std::int64_t r, std::int64_t c) const {
        return (c / pitch_ * padded_ + r) * pitch_ + c % pitch_;
    }

    void lay_out() {
        for (std::int64_t r = 0; r < half_.n; ++r)
            for (std::int64_t c = 0; c < job_.columns; ++c)
                x_[place(r, c)] = load<Real>(job_.x + (r * job_.columns + c) * item) * side(r);
    }

    // What share `number` has is added, and becomes zero.
    void add(std::int64_t number, std::int64_t shares, Real* share) const {
        const auto reached = half_.first_tile(number + 1, shares) * tile_ * pitch_;
        for (std::int64_t s = 0; s < strips_; ++s) {
            Real* const to = y_ + s * padded_ * pitch_;
            Real* const from = share + s * padded_ * pitch_;
            for (std::int64_t k = 0; k < reached; ++k) to[k] += from[k];
            std::fill_n(from, reached, Real{0});
        }
    }

    void finish() const {
        for (std::int64_t r = 0; r < half_.n; ++r) {
            const auto d = load<Real>(half_.diagonal + r * item);
            for (std::int64_t c = 0; c < job_.columns; ++c) {
                const auto at = (r * job_.columns + c) * item;
                store(job_.y + at, y_[place(r, c)] * side(r) + d * load<Real>(job_.x + at));
            }
        }
    }

    // ---- one column

    // So many vectors of columns stay in registers, with their sums. `level` has vector k of row r + own, for own below
    // `together`.
    template <int vectors, int together, class Level>
    VECH_INLINE void columns(const Level& level, std::int64_t rows, const Real* own, Real scale, const Real* x,
                             Real* sums, Real* y) const {
        const V by_scale = in_all_lanes(scale);
        V in[vectors], out[vectors] = {};
        for (int k = 0; k < vectors; ++k) in[k] = load<V>(x + k * lanes);
        for (std::int64_t r = 0; r < rows; r += together)
#pragma GCC unroll 4
            for (int row = 0; row < together; ++row) {
                const V by = in_all_lanes(own[r + row]);
                V sum{};
#pragma GCC unroll 4
                for (int k = 0; k < vectors; ++k) {
                    const V number = level(r, row, k);
                    sum = fused<Real>(number, in[k], sum);
                    out[k] = fused<Real>(number, by, out[k]);
                }
                Real* const to = sums + (r + row) * lanes;
                store(to, fused<Real>(sum, by_scale, load<V>(to)));
            }
        const V factor = in_all_lanes(scale * static_cast<Real>(job_.mirrored));
        for (int k = 0; k < vectors; ++k) store(y + k * lanes, fused<Real>(out[k], factor, load<V>(y + k * lanes)));
    }

    // Straight out of the codes of a strip.
    template <std::int64_t width>
    VECH_INLINE void strip(const std::byte* codes, std::int64_t rows, const Real* own, Real scale, const Real* x,
                           Real* sums, Real* y) const {
        constexpr int vectors = std::min<int>(4, width / lanes);
        if (half_.encoding->family == Encoding::Family::table) {
            constexpr std::int64_t words = Quantized::words, parts = width / words, together = 8 / parts;
            const auto levels = decoder_.levels();  // which no store can change
            [&]<int... part>(std::integer_sequence<int, part...>) VECH_ALWAYS {
                (columns<vectors, together>(
                     [&](std::int64_t r, int row, int k) VECH_ALWAYS {
                         const auto c = part * vectors * lanes + k * lanes;
                         if (row == 0 && k == 0) __builtin_prefetch(codes + r / together * (4 * words) + ahead);
                         const auto word = load<typename C::U>(codes + r / together * (4 * words) + 4 * (c % words));
                         return levels[word >> static_cast<std::uint32_t>(4 * (row * parts + c / words))];
                     },
                     rows, own, scale, x + part * vectors * lanes, sums, y + part * vectors * lanes),
                 ...);
            }(std::make_integer_sequence<int, width / (vectors * lanes)>{});
            return;
        }
        with_codes(*half_.encoding, decoder_.levels(), [&]<class Code, class Level>(Code, Level level) VECH_ALWAYS {
            constexpr std::int64_t bytes = sizeof(Code) / lanes;
            for (std::int64_t c = 0; c < width; c += vectors * lanes)
                columns<vectors, 1>(
                    [&](std::int64_t r, int, int k) VECH_ALWAYS {
                        const auto* const from = codes + (r * width + c + k * lanes) * bytes;
                        if (k * lanes * bytes % 64 == 0) __builtin_prefetch(from + ahead);
                        return level(load<Code>(from));
                    },
                    rows, own, scale, x + c, sums, y + c);
        });
    }
    static constexpr std::int64_t ahead = 4096;

#if VECH_VECTOR == 64
    // Of a strip of signs, 64 rows at a time. What is beyond the last row goes where nobody looks.
    VECH_INLINE void signs(const std::byte* codes, std::int64_t i, std::int64_t first, float scale, float* y) const {
        const auto straight = scale * static_cast<float>(job_.straight),
                   mirrored = scale * static_cast<float>(job_.mirrored);
        const auto tables = [&](std::int64_t r) { return tables_ + sign_tables(r); };
        for (std::int64_t r = 0; r < half_.height(i); r += SignTile::side) {
            SignTile tile(codes + 8 * r, half_.height(i) - r);
            tile.multiply(tables(first), straight, y + i * tile_ + r);
            tile.turn();
            tile.multiply(tables(i * tile_ + r), mirrored, y + first);
        }
    }
#endif

    void row_of_tiles(std::int64_t i, Real* levels, Real* sums, Real* y) const {
        const auto rows = half_.height(i);
        std::fill(sums, sums + tile_ * lanes, Real{0});
        const Real* const own = x_ + i * tile_;
        for (std::int64_t j = 0; j <= i; ++j) {
            const Real* const x = x_ + j * tile_;
            Real* const to = y + j * tile_;
#if VECH_VECTOR == 64
            if constexpr (sizeof(Real) == 4)
                if (by_tables_ && i != j) {
                    for (std::int64_t s = 0; s < half_.strips(); ++s)
                        signs(half_.strip(i, j, s), i, j * tile_ + 64 * s,
                              load<Real>(half_.scales + half_.number(i, j) * item), y);
                    continue;
                }
#endif
            if (i != j && half_.zeros == nullptr && half_.encoding->family != Encoding::Family::sign) {
                const auto scale = load<Real>(half_.scales + half_.number(i, j) * item);
                for (std::int64_t s = 0, c = 0; s < half_.strips(); ++s, c += half_.width())
                    half_.width() == 64
                        ? strip<64>(half_.strip(i, j, s), half_.stored(i), own, scale, x + c, sums, to + c)
                        : strip<32>(half_.strip(i, j, s), half_.stored(i), own, scale, x + c, sums, to + c);
                continue;
            }
            const Real scale = decoder_.tile(i, j, levels, tile_);
            constexpr int vectors = std::min(4, 32 / lanes);
            for (std::int64_t c = 0; c < tile_; c += vectors * lanes)
                columns<vectors, 1>([&](std::int64_t r, int, int k)
                                        VECH_ALWAYS { return load<V>(levels + r * tile_ + c + k * lanes); },
                                    rows, own, scale, x + c, sums, to + c);
        }
        const auto straight = static_cast<Real>(job_.straight);
        for (std::int64_t r = 0; r < rows; ++r) {
            y[i * tile_ + r] += straight * sum_of(load<V>(sums + r * lanes));
        }
    }

    // ---- several columns

    static constexpr int group = VECH_VECTOR == 64 ? 8 : 4;

    void rows_of_columns(std::int64_t i, Real* levels, Real* y, Range strips) const {
        const auto rows = half_.height(i);
        for (std::int64_t j = 0; j <= i; ++j) {
            const Real scale = decoder_.tile(i, j, levels, tile_);
            for (auto s = strips.begin; s < strips.end; ++s) {
                const auto own = (s * padded_ + i * tile_) * lanes, across = (s * padded_ + j * tile_) * lanes;
                std::int64_t r = 0;
                for (; r + group <= rows; r += group)
                    band<group>(levels + r * tile_, scale, own + r * lanes, across, y);
                for (; r < rows; ++r) band<1>(levels + r * tile_, scale, own + r * lanes, across, y);
            }
        }
    }

    template <int count>
    void band(const Real* levels, Real scale, std::int64_t own, std::int64_t across, Real* y) const {
        V by[count], sum[count] = {};
        const V factor = in_all_lanes(scale * static_cast<Real>(job_.mirrored));
        for (int k = 0; k < count; ++k) by[k] = load<V>(x_ + own + k * lanes) * factor;
        const Real* x = x_ + across;
        Real* to = y + across;
        for (std::int64_t c = 0; c < tile_; ++c, x += lanes, to += lanes) {
            const V in = load<V>(x);
            V out = load<V>(to);
            for (int k = 0; k < count; ++k) {
                const V level = in_all_lanes(levels[k * tile_ + c]);
                sum[k] = fused<Real>(level, in, sum[k]);
                out = fused<Real>(level, by[k], out);
            }
            store(to, out);
        }
        const V straight = in_all_lanes(scale * static_cast<Real>(job_.straight));
        for (int k = 0; k < count; ++k)
            store(y + own + k * lanes, fused<Real>(sum[k], straight, load<V>(y + own + k * lanes)));
    }

    const QuantizedProduct& job_;
    const Quantized& half_;
    const Decoder<Real> decoder_;
    const std::int64_t tile_, padded_;
    const bool one_, by_tables_;
    const std::int64_t strips_, pitch_;
    Memory<Real> memory_;
    Real *tables_ = nullptr, *x_ = nullptr, *y_ = nullptr;
};

}  // namespace

Fault multiply_quantized(const QuantizedProduct& job, int threads, Watch& watch) {
    const auto with = [&]<class Real>(Real) { return QuantizedMultiplier<Real>(job).run(threads, watch); };
    return job.half.real == 4 ? with(float{}) : with(double{});
}

VECH_TARGET_END
