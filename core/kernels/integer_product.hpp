// multiply_coarse: y = S x out of codes of 8 and 4 bits, with x in 8 bits too: products of integers.
//
// Formula      that of multiply_quantized, where x is s[block] times integers within 127, a block being a tile's
//              rows and s its largest |x| / 127. Sums of a tile are exact; what is lost is lost in rounding x:
//              |error of y[r]| <= sum over c of |a[r, c]| s[c] / 2, and what the numbers' own precision loses.
//              Numbers that are not finite, or beneath what has a reciprocal: multiply_quantized.
// Idea         Four products are summed by one instruction, of bytes without and with a sign: codes get 128 more,
//              and the sum of x times 128 is taken away again. For the columns four rows are interleaved in
//              registers, so that what belongs to one column lies side by side. Without that instruction:
//              multiply_quantized.
// Bytes moved  the codes once; x and y stay in the caches.
#pragma once
#include "core/kernels/lanes.hpp"
#include "core/kernels/region.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/quantized.hpp"
#include "core/sparse.hpp"

namespace vech::VECH_SHARED {
Fault multiply_quantized(const QuantizedProduct& job, int threads, Watch& watch);
}

VECH_TARGET_BEGIN
#if defined(VECH_ICL)
namespace {

template <int bytes>
struct Integers {
    typedef std::int32_t type __attribute__((vector_size(bytes)));
};

template <class Real>
class IntegerMultiplier {
    using V = typename Lanes<Real, 64>::type;
    static constexpr std::int64_t item = sizeof(Real), lanes = 16, width = Quantized::widest, group = 4;
    // All of them: without a mask GCC 12 warns of what its own headers leave undefined.
    static constexpr __mmask16 all = 0xffff;
    static constexpr __mmask32 words = 0xffffffff;
    static constexpr __mmask64 bytes = ~__mmask64{0};
    static constexpr std::int64_t ahead = 4096;

  public:
    explicit IntegerMultiplier(const QuantizedProduct& job)
        : job_(job), half_(job.half), tile_(half_.tile), padded_(half_.grid() * tile_) {}

    // Whether x can be whole in units of a scale: numbers are finite, and the scale has a reciprocal.
    bool fits() const {
        for (std::int64_t column = 0; column < job_.columns; ++column)
            for (std::int64_t first = 0; first < half_.n; first += tile_) {
                Real most = 0;
                for (auto r = first; r < std::min(first + tile_, half_.n); ++r) {
                    const Real size = std::fabs(number(r, column) * side(r));
                    if (!std::isfinite(size)) return false;
                    most = std::max(most, size);
                }
                if (most > 0 && most / 127 <= std::numeric_limits<Real>::min()) return false;
            }
        return true;
    }

    Fault run(int threads, Watch& watch) {
        const auto shares = job_.shares(1), grid = half_.grid();
        if (!x_.get_zeros(padded_) || !scales_.get(grid) || !y_.get(shares * padded_)) return Fault::out_of_memory;
        std::atomic<bool> lacking = false;
        for (std::int64_t column = 0; column < job_.columns && !watch.stop(); ++column) {
            for (std::int64_t i = 0; i < grid; ++i) round_block(i, column);
            parallel_for(shares, threads, watch, [&](std::int64_t share) {
                Memory<std::int8_t> levels;
                Memory<Real> sums;
                if (!levels.get_lines(tile_ * width) || !sums.get_lines(tile_ * lanes)) {
                    lacking = true;
                    return;
                }
                Real* const y = y_.at + share * padded_;
                std::fill(y, y + half_.first_tile(share + 1, shares) * tile_, Real{0});
                for (auto i = half_.first_tile(share, shares); i < half_.first_tile(share + 1, shares); ++i) {
                    if (watch.stop()) return;
                    row_of_tiles(i, levels.line(), sums.line(), y);
                }
            });
            if (lacking) return Fault::out_of_memory;
            if (!watch.stop()) finish(column, shares);
        }
        return Fault::none;
    }

  private:
    Real side(std::int64_t r) const { return half_.sides == nullptr ? Real{1} : load<Real>(half_.sides + r * item); }
    Real number(std::int64_t r, std::int64_t column) const {
        return load<Real>(job_.x + (r * job_.columns + column) * item);
    }

    void round_block(std::int64_t i, std::int64_t column) {
        Real most = 0;
        const auto first = i * tile_, last = std::min(first + tile_, half_.n);
        for (auto r = first; r < last; ++r) most = std::max(most, std::fabs(number(r, column) * side(r)));
        const Real scale = most / 127, inverse = scale > 0 ? 1 / scale : Real{0};
        scales_[i] = scale;
        for (auto r = first; r < last; ++r)
            x_[r] = static_cast<std::int8_t>(std::nearbyint(number(r, column) * side(r) * inverse));
    }

    void row_of_tiles(std::int64_t i, std::int8_t* levels, Real* sums, Real* y) const {
        const auto rows = (half_.height(i) + group - 1) / group * group;
        std::fill(sums, sums + rows * lanes, Real{0});
        for (std::int64_t j = 0; j <= i; ++j) {
            const auto scale = load<Real>(half_.scales + half_.number(i, j) * item);
            const auto across = scale * static_cast<Real>(job_.mirrored) * scales_[i];
            const auto along = scale * static_cast<Real>(job_.straight) * scales_[j];
            for (std::int64_t s = 0; s < half_.strips(); ++s)
                strip(levels_of(i, j, s, rows, levels), rows, x_.at + j * tile_ + s * width, x_.at + i * tile_, along,
                      sums, across, y + j * tile_ + s * width);
        }
        for (std::int64_t r = 0; r < half_.height(i); ++r) {
            Real sum = 0;
            for (std::int64_t lane = 0; lane < lanes; lane += 64 / item)
                sum += sum_of(load<V>(sums + r * lanes + lane));
            y[i * tile_ + r] += sum;
        }
    }

    // Rows of 64 levels, zeros where there is no number.
    const std::int8_t* levels_of(std::int64_t i, std::int64_t j, std::int64_t s, std::int64_t rows,
                                 std::int8_t* to) const {
        const auto* codes = half_.strip(i, j, s);
        const auto height = half_.height(i);
        if (half_.encoding->bits == 8) {
            if (rows == height && i != j) return reinterpret_cast<const std::int8_t*>(codes);
            std::memcpy(to, codes, static_cast<std::size_t>(height * width));
        } else {
            const auto ones = _mm512_set1_epi8(15), eight = _mm512_set1_epi8(8);
            for (std::int64_t r = 0; r < height; r += 2, codes += 64) {
                const auto nibbles = _mm512_loadu_si512(codes);
                const auto even = _mm512_and_si512(nibbles, ones),
                           odd = _mm512_and_si512(_mm512_maskz_srli_epi32(all, nibbles, 4), ones);
                for (std::int64_t k = 0; k < 2 && r + k < rows; ++k) {
                    const auto row = _mm512_permutex2var_epi8(
                        even, _mm512_loadu_si512(places_[static_cast<std::size_t>(k)].data()), odd);
                    _mm512_storeu_si512(to + (r + k) * width, _mm512_sub_epi8(row, eight));
                }
            }
        }
        if (i == j)
            for (std::int64_t r = 0; r < height; ++r) {
                const auto from = std::clamp<std::int64_t>(r - s * width, 0, width);
                std::fill(to + r * width + from, to + (r + 1) * width, std::int8_t{0});
            }
        std::fill(to + height * width, to + rows * width, std::int8_t{0});
        return to;
    }

    // Adds sixteen integers times a factor.
    static VECH_INLINE void add(Real* to, __m512i integers, V factor) {
        using Part = typename Integers<256 / item>::type;
        for (std::int64_t lane = 0; lane < lanes; lane += 64 / item) {
            const auto part = load<Part>(reinterpret_cast<const std::byte*>(&integers) + 4 * lane);
            store(to + lane, fused<Real>(__builtin_convertvector(part, V), factor, load<V>(to + lane)));
        }
    }

    void strip(const std::int8_t* levels, std::int64_t rows, const std::int8_t* x, const std::int8_t* own, Real along,
               Real* sums, Real across, Real* y) const {
        constexpr auto every = std::make_integer_sequence<int, 64 / static_cast<int>(item)>{};
        const auto flip = _mm512_set1_epi8(static_cast<char>(0x80)), zero = _mm512_setzero_si512();
        const auto in = _mm512_loadu_si512(x);
        const auto less = _mm512_sub_epi32(zero, _mm512_dpbusd_epi32(zero, flip, in));
        const auto factor = repeat<V>(along, every);
        __m512i out[4] = {zero, zero, zero, zero}, more = zero;
        for (std::int64_t r = 0; r < rows; r += group) {
            __m512i row[4];
#pragma GCC unroll 4  // so that they stay in registers
            for (int k = 0; k < 4; ++k) {
                __builtin_prefetch(levels + (r + k) * width + ahead);
                row[k] = _mm512_xor_si512(_mm512_loadu_si512(levels + (r + k) * width), flip);
                add(sums + (r + k) * lanes, _mm512_dpbusd_epi32(less, row[k], in), factor);
            }
            const auto by = _mm512_set1_epi32(load<int>(own + r));
            const auto a = _mm512_maskz_unpacklo_epi8(bytes, row[0], row[1]),
                       b = _mm512_maskz_unpackhi_epi8(bytes, row[0], row[1]),
                       c = _mm512_maskz_unpacklo_epi8(bytes, row[2], row[3]),
                       d = _mm512_maskz_unpackhi_epi8(bytes, row[2], row[3]);
            out[0] = _mm512_dpbusd_epi32(out[0], _mm512_maskz_unpacklo_epi16(words, a, c), by);
            out[1] = _mm512_dpbusd_epi32(out[1], _mm512_maskz_unpackhi_epi16(words, a, c), by);
            out[2] = _mm512_dpbusd_epi32(out[2], _mm512_maskz_unpacklo_epi16(words, b, d), by);
            out[3] = _mm512_dpbusd_epi32(out[3], _mm512_maskz_unpackhi_epi16(words, b, d), by);
            more = _mm512_dpbusd_epi32(more, flip, by);
        }
        // Four columns lie side by side in a quarter of each: the quarters of one place are sixteen columns.
        const auto low = _mm512_maskz_shuffle_i32x4(all, out[0], out[1], 0x44),
                   high = _mm512_maskz_shuffle_i32x4(all, out[0], out[1], 0xee),
                   low_2 = _mm512_maskz_shuffle_i32x4(all, out[2], out[3], 0x44),
                   high_2 = _mm512_maskz_shuffle_i32x4(all, out[2], out[3], 0xee);
        const __m512i columns[4] = {
            _mm512_maskz_shuffle_i32x4(all, low, low_2, 0x88), _mm512_maskz_shuffle_i32x4(all, low, low_2, 0xdd),
            _mm512_maskz_shuffle_i32x4(all, high, high_2, 0x88), _mm512_maskz_shuffle_i32x4(all, high, high_2, 0xdd)};
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) add(y + 16 * k, _mm512_sub_epi32(columns[k], more), repeat<V>(across, every));
    }

    void finish(std::int64_t column, std::int64_t shares) const {
        for (std::int64_t r = 0; r < half_.n; ++r) {
            Real sum = 0;
            for (std::int64_t share = 0; share < shares; ++share)
                if (r < half_.first_tile(share + 1, shares) * tile_) sum += y_[share * padded_ + r];
            const auto at = (r * job_.columns + column) * item;
            store(job_.y + at, sum * side(r) + load<Real>(half_.diagonal + r * item) * load<Real>(job_.x + at));
        }
    }

    // Where the codes of both rows that share a line are, among the even nibbles and, from 64 on, the odd ones.
    static constexpr auto places() {
        std::array<std::array<std::uint8_t, 64>, 2> at{};
        for (unsigned row = 0; row < 2; ++row)
            for (unsigned c = 0; c < 64; ++c)
                at[row][c] = static_cast<std::uint8_t>(c % 16 * 4 + 2 * row + c / 32 + (c / 16 % 2) * 64);
        return at;
    }
    static constexpr auto places_ = places();

    const QuantizedProduct& job_;
    const Quantized& half_;
    const std::int64_t tile_, padded_;
    Memory<std::int8_t> x_;
    Memory<Real> scales_, y_;
};

}  // namespace
#endif

Fault multiply_coarse(const QuantizedProduct& job, int threads, Watch& watch) {
#if defined(VECH_ICL)
    const bool four = job.half.levels == integers_of_four_bits && job.half.encoding->bits == 4;
    const bool whole = four || job.half.encoding->family == Encoding::Family::integer;
    const auto with = [&]<class Real>(Real) {
        IntegerMultiplier<Real> multiplier(job);
        return multiplier.fits() ? multiplier.run(threads, watch)
                                 : VECH_SHARED::multiply_quantized(job, threads, watch);
    };
    if (whole && job.half.tile >= Quantized::widest) return job.half.real == 4 ? with(float{}) : with(double{});
#endif
    return VECH_SHARED::multiply_quantized(job, threads, watch);
}

VECH_TARGET_END
