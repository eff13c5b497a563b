// quantize: rows and columns of numbers -> codes and scales of the lower tiles among them, and the errors made.
//
// Formula      code = the nearest level to number * (1 / scale), the even or the lower one of two; or, at random,
//              one of the two levels around it, so that the mean is right. scale = largest |number| / largest level,
//              as it is rounded; of affine codes (largest - least) / 255; of signs the mean |number|.
// Error        number - what the code says, as `decode` and one multiplication give it; squares and |errors| are
//              added in double from the sums of a row of lanes.
// Accumulator  that of the numbers within a tile, where sums are rounded up by what it can lose.
// Bytes moved  the numbers once from memory and twice from the caches, the codes once.
// Random       one number of splitmix64 for each place of the matrix: the same for any number of threads.
#pragma once
#include "core/kernels/decode.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/transpose.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/quantized.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

// How a vector of numbers, in units of the scale and within the limit, becomes codes.
template <class Real, Encoding::Family family, int bits, int mantissa, int bias>
class Encoder {
    using C = CodeLanes<Real>;
    using V = typename C::V;
    using U = typename C::U;
    using Family = Encoding::Family;

  public:
    static constexpr bool affine = family == Family::affine;

    Encoder(const Encoding& encoding, const Levels& levels, const Levels& between)
        : most_(in_all_lanes(static_cast<Real>(encoding.most))), least_(family == Family::affine ? V{} : -most_),
          last_(encoding.last) {
        for (std::size_t k = 0; k < 15; ++k) between_.numbers[k] = static_cast<Real>(between[k]);
        for (std::size_t k = 0; k < 16; ++k) levels_.numbers[k] = static_cast<Real>(levels[k]);
    }

    struct Coded {
        U codes;
        V levels;
    };

    // What cannot be beyond the last level, but for rounding, need not be looked at unless it `clips`.
    template <bool clips>
    VECH_INLINE Coded code(V y) const {
        if constexpr (family == Family::number) {
            const U codes = narrow(y);
            return {codes, NarrowLevels<Real, bits, mantissa, bias>::of(codes)};
        } else if constexpr (family == Family::sign) {
            const U codes = __builtin_convertvector(-(y >= 0), U) & 1;
            return {codes, levels(codes)};
        } else {
            if constexpr (clips || family == Family::table) {
                y = y < least_ ? least_ : y;
                y = y > most_ ? most_ : y;
            }
            if constexpr (family == Family::table) {
                const U codes = place(y);
                return {codes, levels_[codes]};
            }
            // The last bits of such a sum are the nearest integer.
            constexpr Real magic = sizeof(Real) == 4 ? Real{0x1.8p23} : static_cast<Real>(0x1.8p52);
            const V sum = y + magic;
            return {last_bits(sum) & 0xff, sum - magic};
        }
    }

    // Those of any codes, as `decode` has them.
    VECH_INLINE V levels(U codes) const {
        if constexpr (family == Family::number) return NarrowLevels<Real, bits, mantissa, bias>::of(codes);
        if constexpr (family == Family::table) return levels_[codes];
        using I = typename C::I;
        const auto signed_codes = reinterpret_cast<I>(codes);
        if constexpr (family == Family::sign) return __builtin_convertvector(signed_codes * 2 - 1, V);
        return __builtin_convertvector(family == Family::integer ? (signed_codes << 24) >> 24 : signed_codes, V);
    }

    // Puts codes of row r and column c of a strip among the zeros that are there.
    static VECH_INLINE void put(std::byte* to, U codes, std::int64_t r, std::int64_t c, std::int64_t width) {
        if constexpr (bits == 16) store(to + 2 * (r * width + c), __builtin_convertvector(codes, typename C::U16));
        if constexpr (bits == 8) store(to + r * width + c, narrowed<Real>(codes));
        if constexpr (bits == 4) {
            constexpr auto words = Quantized::words;
            const auto group = 8 * words / width, nibble = (r % group) * (width / words) + c / words;
            auto* const word = to + r / group * (4 * words) + 4 * (c % words);
            store(word, load<U>(word) | (codes << static_cast<std::uint32_t>(4 * nibble)));
        }
        if constexpr (bits == 1) {
            std::uint32_t ones = 0;
            for (int lane = 0; lane < C::count; ++lane) ones |= codes[lane] << lane;
            auto* const word = to + (r * width + c / 32 * 32) / 8;
            store(word, load<std::uint32_t>(word) | (ones << (c % 32)));
        }
    }

  private:
    static VECH_INLINE U last_bits(V v) {
        if constexpr (sizeof(Real) == 4) {
            return reinterpret_cast<U>(v);
        } else {
            typedef std::uint64_t Bits __attribute__((vector_size(VECH_VECTOR)));
            return __builtin_convertvector(reinterpret_cast<Bits>(v), U);
        }
    }

    // How many of the fifteen thresholds are below.
    VECH_INLINE U place(V y) const {
        U before{};
        for (std::uint32_t step = 8; step > 0; step /= 2) {
            const U more = before + step;
            before = __builtin_convertvector(y > between_[more - 1], typename C::I) != 0 ? more : before;
        }
        return before;
    }

    // Of a number in single precision, which of one in double has its last bit set where digits are lost: so it is
    // rounded once.
    VECH_INLINE U narrow(V y) const {
        auto single = reinterpret_cast<U>(__builtin_convertvector(y, typename C::F));
        if constexpr (sizeof(Real) == 8) {
            const V back = __builtin_convertvector(reinterpret_cast<typename C::F>(single), V);
            const auto sized = [](V v) VECH_ALWAYS { return v < 0 ? -v : v; };
            single += __builtin_convertvector(sized(back) > sized(y), U);  // towards zero
            single |= __builtin_convertvector(back != y, U) & 1;
        }
        constexpr int shift = 23 - mantissa;
        constexpr std::uint32_t exponents = 127 - bias, magic = (exponents + shift + 1) << 23;
        const U sign = (single >> 31) << (bits - 1), size = single & 0x7fffffffu;
        const U small =
            reinterpret_cast<U>(reinterpret_cast<typename C::F>(size) + std::bit_cast<float>(magic)) - magic;
        U normal = size - (exponents << 23);
        normal = (normal + ((1u << (shift - 1)) - 1) + ((normal >> shift) & 1)) >> shift;
        U code = size < ((exponents + 1) << 23) ? small : normal;
        code = code > last_ ? U{} + last_ : code;
        return code | sign;
    }

    V most_, least_;
    std::uint32_t last_;
    Sixteen<Real> between_, levels_;
};

// The levels on both sides of a number, for rounding at random.
class Neighbours {
  public:
    Neighbours(const Encoding& encoding, const Levels& levels) : encoding_(encoding), levels_(levels) {}

    // The other level around a number than the nearest one, and how far it is towards that, from 0 to 1.
    std::pair<std::uint32_t, double> other(std::uint32_t code, double y) const {
        const double here = level(code);
        if (y == here) return {code, 0};
        const auto next = beside(code, y > here);
        const double there = level(next);
        return {next, next == code ? 0 : std::clamp((y - here) / (there - here), 0.0, 1.0)};
    }

  private:
    double level(std::uint32_t code) const {
        switch (encoding_.family) {
            using enum Encoding::Family;
            case integer: return static_cast<std::int8_t>(code);
            case affine: return code;
            case table: return levels_[code];
            case sign: return code == 0 ? -1 : 1;
            case number: break;
        }
        const std::uint32_t sign = 1u << (encoding_.bits - 1), size = code & (sign - 1);
        const double value = std::ldexp(size & ((1u << encoding_.mantissa) - 1), -encoding_.mantissa);
        const int exponent = static_cast<int>(size >> encoding_.mantissa);
        const double number = std::ldexp((exponent == 0 ? 0 : 1) + value, std::max(exponent, 1) - encoding_.bias);
        return (code & sign) != 0 ? -number : number;
    }

    std::uint32_t beside(std::uint32_t code, bool up) const {
        const auto step = [&](std::int64_t k, std::int64_t least, std::int64_t most) {
            return std::clamp<std::int64_t>(k + (up ? 1 : -1), least, most);
        };
        const auto top = static_cast<std::int64_t>(encoding_.most);
        switch (encoding_.family) {
            using enum Encoding::Family;
            case integer: return static_cast<std::uint32_t>(step(static_cast<std::int8_t>(code), -top, top)) & 0xff;
            case affine: return static_cast<std::uint32_t>(step(code, 0, top));
            case table: return static_cast<std::uint32_t>(step(code, levels_[0] < -encoding_.most ? 1 : 0, 15));
            case sign: return up ? 1 : 0;
            case number: break;
        }
        const std::uint32_t sign = 1u << (encoding_.bits - 1);
        const std::int64_t size = code & (sign - 1), last = encoding_.last;
        const auto moved = step((code & sign) != 0 ? -size : size, -last, last);
        return static_cast<std::uint32_t>(std::abs(moved)) | (moved < 0 || (moved == 0 && !up) ? sign : 0);
    }

    const Encoding& encoding_;
    const Levels& levels_;
};

inline double random_at(std::int64_t seed, std::int64_t r, std::int64_t c) {
    auto x = static_cast<std::uint64_t>(seed) +
             0x9e3779b97f4a7c15u * (static_cast<std::uint64_t>(r) << 32 | static_cast<std::uint64_t>(c));
    for (int round = 0; round < 2; ++round) {
        x += 0x9e3779b97f4a7c15u;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        x ^= x >> 31;
    }
    return static_cast<double>(x >> 11) * 0x1p-53;
}

template <class Real>
class Quantizer {
    using C = CodeLanes<Real>;
    using V = typename C::V;
    using U = typename C::U;
    using Wide = typename Lanes<double, VECH_VECTOR>::type;
    using Word = std::conditional_t<sizeof(Real) == 4, std::uint32_t, std::uint64_t>;
    using Bits = std::make_signed_t<Word>;
    typedef Bits Sizes __attribute__((vector_size(VECH_VECTOR)));
    static constexpr int lanes = C::count;
    static constexpr std::int64_t item = sizeof(Real);
    // |errors| of up to 256 numbers are summed in their own precision.
    static constexpr double up = sizeof(Real) == 4 ? 1 + 0x1p-14 : 1 + 0x1p-43;

  public:
    Quantizer(const Quantize& job, QuantizeResult& result)
        : job_(job), half_(job.half), encoding_(*half_.encoding), neighbours_(encoding_, half_.levels), result_(result),
          plain_(half_.sides == nullptr && job.seed < 0 && job.scales != Quantize::Scales::clipping) {}

    bool run(Watch& watch) {
        const auto tile = half_.tile;
        if (!numbers_.get_lines(tile * tile) || !turned_.get_lines(tile * tile * code_bytes())) return false;
        // Along the runs of the source, which are long.
        const auto &outer = job_.turned ? job_.columns : job_.rows, &inner = job_.turned ? job_.rows : job_.columns;
        for (auto o = outer.begin / tile; o * tile < outer.end && !watch.stop(); ++o) {
            const auto first = std::max(inner.begin / tile, job_.turned ? o : 0);
            for (std::int64_t r = 0; r < half_.height(o); ++r) run_[r] = job_.source.cell(o * tile + r, first * tile);
            for (auto k = first; k * tile < inner.end && (job_.turned || k <= o); ++k) {
                along_ = (k - first) * tile * item;
                if (!(job_.turned ? one(k, o) : one(o, k))) return true;
            }
        }
        return true;
    }

  private:
    // A row of the tile: its numbers, in units of both sides.
    struct Row {
        const Real* numbers;
        std::int64_t count;  // below the diagonal
        Real own;            // 1 / side of the row
    };

    Row row(std::int64_t i, std::int64_t j, std::int64_t r) const {
        const auto at = i * half_.tile + r;
        return {reinterpret_cast<const Real*>(rows_[r]), i == j ? r : half_.tile,
                half_.sides == nullptr ? Real{1} : 1 / load<Real>(half_.sides + at * item)};
    }

    // A tile is used where it lies in a half, whose runs fall on different lines of a cache, or side by side with the
    // others, which far apart would push each other out. Copying what need not be takes 8 ms for 134 MB, reading 5.
    // The transpose of one where it lies is encoded as it is, if codes are whole bytes, which are turned afterwards.
    bool in_place(std::int64_t i, std::int64_t j) const {
        return job_.source.bend != 0 && i != j &&
               (!job_.turned || (plain_ && code_bytes() > 0 && half_.height(i) == half_.tile));
    }
    std::int64_t code_bytes() const { return encoding_.bits / 8; }

    // What is worked on: the tile, or its transpose if it is `swapped_`.
    void find(std::int64_t i, std::int64_t j, bool in_place) {
        swapped_ = in_place && job_.turned;
        if (!in_place) job_.turned ? turn(i, j) : take(i, j);
        for (std::int64_t r = 0; r < (swapped_ ? half_.tile : half_.height(i)); ++r)
            rows_[r] = in_place ? run_[r] + along_ : reinterpret_cast<std::byte*>(numbers_.line() + r * half_.tile);
    }

    // Some of what lies further along a run, into the second cache. A little with every row that becomes codes, 512
    // bytes ahead: 7.6 ms for 134 MB (AMD), into the first cache 9.4, further ahead 8.1 to 8.8; the next tile of 64 all
    // at once, or nothing, doubles it.
    VECH_INLINE void fetch(std::int64_t r, std::int64_t begin, std::int64_t width) const {
        const auto* const from = run_[r] + along_ + begin * item + 512;
        for (std::int64_t at = 0; at < width * item; at += 64) __builtin_prefetch(from + at, 0, 2);
    }

    void take(std::int64_t i, std::int64_t j) {
        const auto tile = half_.tile;
        for (std::int64_t r = 0; r < half_.height(i); ++r) {
            const std::byte* const from = job_.source.cell(i * tile + r, j * tile);
            Real* const to = numbers_.line() + r * tile;
            if (i == j)
                std::memcpy(to, from, static_cast<std::size_t>(r * item));
            else
                for (std::int64_t c = 0; c < tile; c += lanes) store(to + c, load<V>(from + c * item));
        }
    }

    // Columns of the source are rows of the tile. Of whole blocks of these those that are there are read.
    void turn(std::int64_t i, std::int64_t j) {
        constexpr int side = vech::VECH_NAMESPACE::lanes<Word>;
        const auto tile = half_.tile, rows = half_.height(i), columns = std::min(tile, half_.n - j * tile);
        auto* const to = reinterpret_cast<Word*>(numbers_.line());
        const std::byte* from[side];
        for (std::int64_t c = 0; c < columns; c += side) {
            const int count = static_cast<int>(std::min<std::int64_t>(side, columns - c));
            for (int k = 0; k < count; ++k) {
                from[k] = job_.source.cell(j * tile + c + k, i * tile);
            }
            for (std::int64_t r = i == j ? c : 0; r < rows; r += side)
                if (count == side && r + side <= rows && (i != j || r > c))
                    transpose_block<Word>(from, r * item, to + r * tile + c, tile);
                else
                    for (int k = 0; k < count; ++k)
                        for (auto at = i == j ? std::max(r, c + k + 1) : r; at < std::min(r + side, rows); ++at)
                            to[at * tile + c + k] = load<Word>(from[k] + at * item);
        }
    }

    // Calls of(numbers, their first column, how many they are) for the columns [c, end) of a row that are there; what
    // fills up the last vector is zero.
    template <class Of>
    static VECH_INLINE void each(const Row& row, std::int64_t c, std::int64_t end, const Of& of) {
        end = std::min(end, row.count);
        for (; c + lanes <= end; c += lanes) of(load<V>(row.numbers + c), c, lanes);
        if (c >= end) return;
        V v{};
        std::memcpy(&v, row.numbers + c, static_cast<std::size_t>((end - c) * item));
        of(v, c, end - c);
    }
    VECH_INLINE V in_units(V v, const Row& row, std::int64_t c) const {
        return half_.sides == nullptr ? v : v * row.own * load<V>(inverse_ + c);
    }

    struct Extent {
        Real least, most, size;
        double sum;
        bool finite;
    };

    template <Encoding::Family family>
    Extent extent(std::int64_t i, std::int64_t j) const {
        constexpr Real infinity = std::numeric_limits<Real>::infinity();
        constexpr bool signs = family == Encoding::Family::sign, affine = family == Encoding::Family::affine;
        V least = in_all_lanes(infinity), most = -least;
        Sizes size{};  // without their sign, numbers are ordered as their bits are, NaN above infinity
        double sum = 0;
        if (!signs && i != j && half_.sides == nullptr) return whole_extent<affine>(i);
        for (std::int64_t r = 0; r < half_.height(i); ++r) {
            const auto line = row(i, j, r);
            V total{};
            each(line, 0, half_.tile, [&](V v, std::int64_t c, std::int64_t count) VECH_ALWAYS {
                v = in_units(v, line, c);
                const auto sized = reinterpret_cast<Sizes>(v) & std::numeric_limits<Bits>::max();
                size = sized > size ? sized : size;
                if constexpr (signs) total += reinterpret_cast<V>(sized);
                if constexpr (affine) {
                    if (count < lanes)  // the first again, for what is not there
                        for (int lane = 1; lane < lanes; ++lane) v[lane] = lane < count ? v[lane] : v[0];
                    least = v < least ? v : least;
                    most = v > most ? v : most;
                }
            });
            if constexpr (signs) sum += sum_of(widely(total));
        }
        return of_lanes(least, most, size, sum);
    }

    // Of all numbers of a tile, several at a time.
    template <bool affine>
    Extent whole_extent(std::int64_t i) const {
        constexpr int some = 4;
        const V infinity = in_all_lanes(std::numeric_limits<Real>::infinity());
        V least[some], most[some];
        Sizes size[some] = {};
        for (int k = 0; k < some; ++k) {
            least[k] = infinity;
            most[k] = -infinity;
        }
        const auto look = [&](const Real* at, int k) VECH_ALWAYS {
            const V v = load<V>(at);
            size[k] = larger(reinterpret_cast<Sizes>(v) & std::numeric_limits<Bits>::max(), size[k]);
            if constexpr (affine) {
                least[k] = v < least[k] ? v : least[k];
                most[k] = v > most[k] ? v : most[k];
            }
        };
        for (std::int64_t r = 0; r < (swapped_ ? half_.tile : half_.height(i)); ++r) {
            const auto* const row = reinterpret_cast<const Real*>(rows_[r]);
            std::int64_t c = 0;
            for (; c + some * lanes <= half_.tile; c += some * lanes)
#pragma GCC unroll 4
                for (int k = 0; k < some; ++k) look(row + c + k * lanes, k);
            for (; c < half_.tile; c += lanes) look(row + c, 0);  // of tiles of 32 columns
        }
        for (int k = 1; k < some; ++k) {
            size[0] = larger(size[k], size[0]);
            least[0] = least[k] < least[0] ? least[k] : least[0];
            most[0] = most[k] > most[0] ? most[k] : most[0];
        }
        return of_lanes(least[0], most[0], size[0], 0);
    }

    static Extent of_lanes(V least, V most, Sizes size, double sum) {
        constexpr Real infinity = std::numeric_limits<Real>::infinity();
        Extent found{infinity, -infinity, 0, sum, true};
        for (int lane = 0; lane < lanes; ++lane) {
            found.least = std::min(found.least, least[lane]);
            found.most = std::max(found.most, most[lane]);
            const Real sized = reinterpret_cast<V>(size)[lane];
            found.finite = found.finite && sized < infinity;
            found.size = std::max(found.size, sized);
        }
        return found;
    }

    // The first number for which it holds is at fault.
    template <class Holds>
    [[gnu::cold]] bool blame(std::int64_t i, std::int64_t j, Quantize::Fault fault, Holds holds) {
        if (swapped_) find(i, j, false);
        for (std::int64_t r = 0; r < half_.height(i); ++r) {
            const auto line = row(i, j, r);
            for (std::int64_t c = 0; c < line.count; ++c) {
                Real v = load<Real>(line.numbers + c);
                if (half_.sides != nullptr) v = v * line.own * inverse_[c];
                if (!holds(v)) continue;
                result_.fault = fault;
                result_.row = i * half_.tile + r;
                result_.column = j * half_.tile + c;
                return false;
            }
        }
        return true;
    }

    bool one(std::int64_t i, std::int64_t j) {
        find(i, j, in_place(i, j));
        if (half_.sides != nullptr)
            for (std::int64_t c = 0; c < std::min(half_.tile, half_.n - j * half_.tile); ++c)
                inverse_[c] = 1 / load<Real>(half_.sides + (j * half_.tile + c) * item);
        using Family = Encoding::Family;
        const auto found = encoding_.family == Family::sign     ? extent<Family::sign>(i, j)
                           : encoding_.family == Family::affine ? extent<Family::affine>(i, j)
                                                                : extent<Family::integer>(i, j);
        if (!found.finite) return blame(i, j, Quantize::Fault::not_finite, [](Real v) { return !std::isfinite(v); });
        const auto at = half_.number(i, j) * item;
        const bool affine = encoding_.family == Encoding::Family::affine;
        if (job_.scales == Quantize::Scales::computed) {
            store(half_.scales + at, scale_of(found, i, j));
            if (affine) store(half_.zeros + at, found.most < found.least ? Real{0} : found.least);
            const Real reach = affine ? found.most - found.least : load<Real>(half_.scales + at) * most_level();
            if ((!affine || found.least <= found.most) && !std::isfinite(reach))
                return blame(i, j, Quantize::Fault::beyond,
                             [&](Real v) { return affine ? v == found.most : std::fabs(v) == found.size; });
        }
        const Real scale = load<Real>(half_.scales + at), zero = affine ? load<Real>(half_.zeros + at) : Real{0};
        // Beneath, a scale has no reciprocal.
        constexpr Real small = std::numeric_limits<Real>::min() * 256, more = static_cast<Real>(0x1p64);
        const Real lift = scale < small ? more : Real{1}, inverse = scale == 0 ? Real{0} : 1 / (scale * lift);
        if (job_.scales != Quantize::Scales::clipping) {
            const auto limit = static_cast<Real>(encoding_.limit), least = affine ? Real{-0.5} : -limit;
            const bool computed = job_.scales == Quantize::Scales::computed && encoding_.most != 0;
            const auto beyond = [&](Real v) {
                const Real y = (v - zero) * lift * inverse;
                return scale == 0 ? v != zero : (y >= limit || y <= least) && !(affine && y >= least && y < limit);
            };
            const bool any =
                affine ? found.least <= found.most && (beyond(found.least) || beyond(found.most)) : beyond(found.size);
            if (!computed && any)
                return blame(i, j, Quantize::Fault::beyond,
                             [&](Real v) { return beyond(v) || beyond(affine ? v : -v); });
        }
        encode(i, j, zero, lift, inverse);
        return true;
    }

    Real most_level() const { return encoding_.most == 0 ? Real{1} : static_cast<Real>(encoding_.most); }

    Real scale_of(const Extent& found, std::int64_t i, std::int64_t j) const {
        using enum Encoding::Family;
        if (encoding_.most == 0) return 1;
        double wanted = static_cast<double>(found.size) / encoding_.most;
        if (encoding_.family == affine)
            wanted = found.most < found.least
                         ? 0
                         : (static_cast<double>(found.most) - static_cast<double>(found.least)) / encoding_.most;
        if (encoding_.family == sign && job_.seed < 0) {
            const auto h = half_.height(i), count = i == j ? h * (h - 1) / 2 : h * half_.tile;
            wanted = count == 0 ? 0 : found.sum / static_cast<double>(count);
        }
        const auto scale = static_cast<Real>(wanted);
        return wanted > 0 && scale == 0 ? std::numeric_limits<Real>::denorm_min() : scale;
    }

    void encode(std::int64_t i, std::int64_t j, Real zero, Real lift, Real inverse) {
        const auto with = [&]<int bits, int mantissa, int bias>(std::integer_sequence<int, bits, mantissa, bias>,
                                                                auto of) {
            const Encoder<Real, of(), bits, mantissa, bias> encoder(encoding_, half_.levels, half_.between);
            const bool plain = i != j && lift == 1 && plain_;
            if (!plain && swapped_) find(i, j, false);
            for (std::int64_t s = 0; s < half_.strips(); ++s) {
                if (!plain)
                    strip(encoder, i, j, s, zero, lift, inverse);
                else if (half_.width() == 64)
                    plain_strip<64>(encoder, i, j, s, zero, inverse);
                else
                    plain_strip<32>(encoder, i, j, s, zero, inverse);
            }
            if (swapped_) turn_codes(i, j);
        };
        using Family = Encoding::Family;
        const auto number = std::integral_constant<Family, Family::number>{};
        switch (encoding_.family) {
            case Family::integer:
                return with(std::integer_sequence<int, 8, 0, 0>{}, std::integral_constant<Family, Family::integer>{});
            case Family::affine:
                return with(std::integer_sequence<int, 8, 0, 0>{}, std::integral_constant<Family, Family::affine>{});
            case Family::table:
                return with(std::integer_sequence<int, 4, 0, 0>{}, std::integral_constant<Family, Family::table>{});
            case Family::sign:
                return with(std::integer_sequence<int, 1, 0, 0>{}, std::integral_constant<Family, Family::sign>{});
            case Family::number: with_number(encoding_, [&](auto shape) { with(shape, number); });
        }
    }

    template <class Encoder>
    void strip(const Encoder& given, std::int64_t i, std::int64_t j, std::int64_t s, Real zero, Real lift,
               Real inverse) {
        const Encoder encoder = given;  // which no store can change
        const auto width = half_.width(), begin = s * width, tile = half_.tile;
        std::byte* const to = half_.strip(i, j, s);
        if (encoding_.bits < 8 || i == j)
            std::memset(to, 0, static_cast<std::size_t>(half_.bytes(half_.stored(i) * width)));
        const Real scale = load<Real>(half_.scales + half_.number(i, j) * item);
        constexpr bool affine = Encoder::affine;
        const bool sided = half_.sides != nullptr;
        V largest{}, columns[Quantized::widest / lanes] = {};
        Wide squares{};
        for (std::int64_t r = 0; r < half_.height(i); ++r) {
            const auto line = row(i, j, r);
            const Real own = sided ? load<Real>(half_.sides + (i * tile + r) * item) : Real{1};
            V total{}, square{};
            each(line, begin, begin + width, [&](V v, std::int64_t c, std::int64_t count) VECH_ALWAYS {
                V y = in_units(v, line, c);
                if constexpr (affine) y = y - zero;
                y = y * lift * inverse;
                auto [codes, levels] = encoder.template code<true>(y);
                if (job_.seed >= 0) {
                    codes = at_random(codes, y, i * tile + r, j * tile + c);
                    levels = encoder.levels(codes);
                }
                V value = levels * scale;
                if constexpr (affine) value = value + zero;
                if (sided) value = value * own * sides(j * tile + c);
                V error = v - value;
                if (count < lanes) {
                    const U there = reinterpret_cast<U>(C::iota() < static_cast<std::uint32_t>(count));
                    codes &= there;
                    for (int lane = 0; lane < lanes; ++lane) error[lane] = lane < count ? error[lane] : Real{0};
                }
                Encoder::put(to, codes, r, c - begin, width);
                const V sized = size_of(error);
                largest = sized > largest ? sized : largest;
                total += sized;
                square += error * error;
                columns[(c - begin) / lanes] += sized;
            });
            job_.sums[i * tile + r] += up * static_cast<double>(sum_of(total));
            squares += widely(square);
        }
        note(half_.number(i, j), j * tile + begin, width, columns, squares, largest);
    }

    // Of a whole strip beside the diagonal, whose numbers a factor alone brings into units of the scale, within its
    // levels, and as they are rounded: 0.5 of the time that it takes else.
    template <int width, class Encoder>
    void plain_strip(const Encoder& given, std::int64_t i, std::int64_t j, std::int64_t s, Real zero, Real inverse) {
        constexpr int vectors = width / lanes;
        const Encoder encoder = given;
        const auto begin = s * width, tile = half_.tile;
        // Of the rows of what is worked on, and of its columns.
        const auto down = (swapped_ ? j : i) * tile, across = (swapped_ ? i : j) * tile + begin;
        const auto height = swapped_ ? tile : half_.height(i), pitch = swapped_ ? tile : std::int64_t{width};
        std::byte* const to = swapped_ ? turned_.line() + begin * code_bytes() : half_.strip(i, j, s);
        if (encoding_.bits < 8) std::memset(to, 0, static_cast<std::size_t>(half_.bytes(half_.stored(i) * width)));
        const Real scale = load<Real>(half_.scales + half_.number(i, j) * item);
        Sizes largest{};
        V columns[vectors] = {};
        Wide squares{};
        constexpr int together = std::min(lanes, Quantize::most_squares / vectors);
        alignas(64) Real totals[lanes * lanes] = {}, turned[lanes * lanes];
        const std::byte* rows[lanes];
        for (int k = 0; k < lanes; ++k) rows[k] = reinterpret_cast<const std::byte*>(totals + k * lanes);
        for (std::int64_t first = 0; first < height; first += lanes) {
            const auto count = static_cast<int>(std::min<std::int64_t>(lanes, height - first));
            V square[vectors] = {};
            for (int k = 0; k < count; ++k) {
                const auto* const from = reinterpret_cast<const Real*>(rows_[first + k]) + begin;
                fetch(first + k, begin, width);
                V total{};
                const auto step = [&](V& column, V& squared, int c) VECH_ALWAYS {
                    const V v = load<V>(from + c);
                    V y = v;
                    if constexpr (Encoder::affine) y = y - zero;
                    const auto [codes, levels] = encoder.template code<false>(y * inverse);
                    V value = levels * scale;
                    if constexpr (Encoder::affine) value = value + zero;
                    Encoder::put(to, codes, first + k, c, pitch);
                    const V error = v - value, sized = size_of(error);
                    largest = larger(reinterpret_cast<Sizes>(sized), largest);
                    total += sized;
                    squared = fused<Real>(error, error, squared);
                    column += sized;
                };
                [&]<int... at>(std::integer_sequence<int, at...>) VECH_ALWAYS {
                    (step(columns[at], square[at], at * lanes), ...);
                }(std::make_integer_sequence<int, vectors>{});
                store(totals + k * lanes, total);
                if ((k + 1) % together == 0 || k + 1 == count) {
                    V sum{};
                    for (V& part : square) {
                        sum += part;
                        part = V{};
                    }
                    squares += widely(sum);
                }
            }
            transpose_block<Word>(rows, 0, reinterpret_cast<Word*>(turned), lanes);
            V sum{};
            for (int k = 0; k < lanes; ++k) sum += load<V>(turned + k * lanes);
            store(turned, sum);
            double* const sums = job_.sums + down + first;
            for (int k = 0; k < count; ++k) sums[k] += up * static_cast<double>(turned[k]);
        }
        V found[vectors];  // so that the others stay in registers
        std::copy_n(columns, vectors, found);
        note(half_.number(i, j), across, width, found, squares, reinterpret_cast<V>(largest));
    }

    // Rows of codes become columns.
    void turn_codes(std::int64_t i, std::int64_t j) {
        const auto tile = half_.tile, width = half_.width();
        const auto with = [&]<class W>(W) {
            constexpr std::int64_t high = std::min(VECH_VECTOR / static_cast<int>(sizeof(W)), 32), bytes = sizeof(W);
            const std::byte* from[high];
            for (std::int64_t r = 0; r < tile; r += high) {
                for (std::int64_t k = 0; k < high; ++k) from[k] = turned_.line() + (r + k) * tile * bytes;
                std::byte* const to = half_.strip(i, j, r / width) + r % width * bytes;
                for (std::int64_t c = 0; c < tile; c += turned_columns<W>)
                    vech::VECH_NAMESPACE::turn<W, high * bytes>(from, c * bytes, [&](int k, auto column) VECH_ALWAYS {
                        std::memcpy(to + (c + k) * width * bytes, &column, sizeof column);
                    });
            }
        };
        code_bytes() == 1 ? with(std::uint8_t{}) : with(std::uint16_t{});
    }

    // The errors of a strip beside those of its rows, whose columns begin with the first.
    void note(std::int64_t number, std::int64_t first, std::int64_t width, const V* columns, Wide squares, V largest) {
        double* const sums = job_.sums + first;
        const auto count = std::min(width, half_.n - first);
        std::int64_t c = 0;
        for (; c + lanes <= count; c += lanes) {
            const auto more = [&]<int k>(std::integral_constant<int, k>) VECH_ALWAYS {
                store(sums + c + k * doubles, load<Wide>(sums + c + k * doubles) + up * wide<k>(columns[c / lanes]));
            };
            more(std::integral_constant<int, 0>{});
            if constexpr (lanes > doubles) more(std::integral_constant<int, 1>{});
        }
        for (; c < count; ++c) sums[c] += up * static_cast<double>(columns[c / lanes][c % lanes]);
        job_.tiles[number] += sum_of(squares);
        for (int lane = 0; lane < lanes; ++lane)
            result_.largest = std::max(result_.largest, static_cast<double>(largest[lane]));
    }

    static VECH_INLINE Sizes larger(Sizes a, Sizes b) { return a > b ? a : b; }
    static VECH_INLINE V size_of(V v) {
        typedef Word Words __attribute__((vector_size(VECH_VECTOR)));
        return reinterpret_cast<V>(reinterpret_cast<Words>(v) & (~Word{0} >> 1));
    }

    // Compiled once, and not where each encoding asks for it.
    [[gnu::noinline]] U at_random(U codes, V y, std::int64_t r, std::int64_t c) const {
        for (int lane = 0; lane < lanes; ++lane) {
            const auto [other, chance] = neighbours_.other(codes[lane], static_cast<double>(y[lane]));
            if (random_at(job_.seed, r, c + lane) < chance) codes[lane] = other;
        }
        return codes;
    }

    // Sides of the columns from c on, ones beyond the last.
    V sides(std::int64_t c) const {
        V v = V{} + 1;
        const auto count = std::min<std::int64_t>(lanes, half_.n - c);
        if (count == lanes) return load<V>(half_.sides + c * item);
        if (count > 0) std::memcpy(&v, half_.sides + c * item, static_cast<std::size_t>(count * item));
        return v;
    }

    // Part k of the lanes, in double.
    static constexpr int doubles = Lanes<double, VECH_VECTOR>::count;
    template <int k>
    static VECH_INLINE Wide wide(V v) {
        typedef Real Part __attribute__((vector_size(doubles * sizeof(Real))));
#if VECH_VECTOR == 64  // GCC 12 would go through memory
        if constexpr (sizeof(Real) == 4)
            return reinterpret_cast<Wide>(
                _mm512_maskz_cvtps_pd(0xff, _mm512_maskz_extractf32x8_ps(0xff, __m512(v), k)));
#endif
        return __builtin_convertvector(
            load<Part>(reinterpret_cast<const std::byte*>(&v) + k * static_cast<std::int64_t>(sizeof(Part))), Wide);
    }
    static VECH_INLINE Wide widely(V v) {
        if constexpr (lanes == doubles)
            return wide<0>(v);
        else
            return wide<0>(v) + wide<1>(v);
    }

    const Quantize& job_;
    const Quantized& half_;
    const Encoding& encoding_;
    const Neighbours neighbours_;
    QuantizeResult& result_;
    const bool plain_;                                // numbers become codes by a factor alone
    Memory<Real> numbers_;                            // of a tile
    Memory<std::byte> turned_;                        // codes of its transpose
    const std::byte* run_[Quantized::largest_tile];   // of the source at hand
    const std::byte* rows_[Quantized::largest_tile];  // of the tile
    std::int64_t along_ = 0;                          // bytes of the runs before the tile
    bool swapped_ = false;
    Real inverse_[Quantized::largest_tile] = {};
};

}  // namespace

Fault quantize(const Quantize& job, Watch& watch, QuantizeResult& result) {
    const auto with = [&]<class Real>(Real) { return Quantizer<Real>(job, result).run(watch); };
    return (job.half.real == 4 ? with(float{}) : with(double{})) ? Fault::none : Fault::out_of_memory;
}

VECH_TARGET_END
