// encode: numbers to bit planes. count: how often the codes of two columns agree, and what is made of that.
//
// Formula      B = sum over t of A_r A_c, Q = sum of A_r A_c (S_r xor S_c), by population counts.
// Accumulator  64 bits for the counts of a few thousand times, float64 for their sum: exact below 2^53 times, so the
// same
//              on every target. Ratios are computed in float64 and rounded once.
// Bytes moved  encode: the numbers once. count: two bits per number once for each 64 columns, the half once.
// Assumes      nothing about alignment; results are the same for any number of threads.
#pragma once
#include "core/codes.hpp"
#include "core/kernels/change.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/strip.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"

VECH_TARGET_BEGIN
namespace {

// One word of each plane, of 8 columns, row by row.
struct Slice {
    std::uint8_t up[Codes::times], down[Codes::times], known[Codes::times];

    template <class Real>
    VECH_INLINE void row(std::int64_t t, const Real* x, const Real* low, const Real* high) {
#if VECH_VECTOR == 64
        if constexpr (sizeof(Real) == 8) {
            const auto number = _mm512_loadu_pd(x), least = _mm512_loadu_pd(low);
            up[t] = _mm512_cmp_pd_mask(number, _mm512_loadu_pd(high), _CMP_GT_OQ);
            down[t] = _mm512_cmp_pd_mask(number, least, _CMP_LT_OQ);
            known[t] = _mm512_cmp_pd_mask(number, least, _CMP_ORD_Q);
        } else {
            const auto number = _mm256_loadu_ps(x), least = _mm256_loadu_ps(low);
            up[t] = _mm256_cmp_ps_mask(number, _mm256_loadu_ps(high), _CMP_GT_OQ);
            down[t] = _mm256_cmp_ps_mask(number, least, _CMP_LT_OQ);
            known[t] = _mm256_cmp_ps_mask(number, least, _CMP_ORD_Q);
        }
#elif VECH_VECTOR == 32
        up[t] = down[t] = known[t] = 0;
        constexpr int lanes = 32 / sizeof(Real);
        for (int c = 0; c < Codes::columns; c += lanes) {
            const auto put = [&](std::uint8_t& byte, int mask) { byte |= static_cast<std::uint8_t>(mask << c); };
            if constexpr (sizeof(Real) == 8) {
                const auto number = _mm256_loadu_pd(x + c), least = _mm256_loadu_pd(low + c);
                put(up[t], _mm256_movemask_pd(_mm256_cmp_pd(number, _mm256_loadu_pd(high + c), _CMP_GT_OQ)));
                put(down[t], _mm256_movemask_pd(_mm256_cmp_pd(number, least, _CMP_LT_OQ)));
                put(known[t], _mm256_movemask_pd(_mm256_cmp_pd(number, least, _CMP_ORD_Q)));
            } else {
                const auto number = _mm256_loadu_ps(x + c), least = _mm256_loadu_ps(low + c);
                put(up[t], _mm256_movemask_ps(_mm256_cmp_ps(number, _mm256_loadu_ps(high + c), _CMP_GT_OQ)));
                put(down[t], _mm256_movemask_ps(_mm256_cmp_ps(number, least, _CMP_LT_OQ)));
                put(known[t], _mm256_movemask_ps(_mm256_cmp_ps(number, least, _CMP_ORD_Q)));
            }
        }
#else
        unsigned above = 0, below = 0, ordered = 0;
        for (int c = 0; c < Codes::columns; ++c) {
            above |= static_cast<unsigned>(x[c] > high[c]) << c;
            below |= static_cast<unsigned>(x[c] < low[c]) << c;
            ordered |= static_cast<unsigned>((x[c] == x[c]) & (low[c] == low[c])) << c;
        }
        up[t] = static_cast<std::uint8_t>(above);
        down[t] = static_cast<std::uint8_t>(below);
        known[t] = static_cast<std::uint8_t>(ordered);
#endif
    }

    // Of the first `rows` rows.
    void finish(std::int64_t rows, const Codes& codes, std::int64_t block, std::int64_t word) {
        for (auto* bytes : {up, down, known})
            std::memset(bytes + rows, 0, static_cast<std::size_t>(Codes::times - rows));
        for (int t = 0; t < Codes::times; ++t) down[t] |= up[t];
        auto* to = codes.at(block, 0) + word * codes.step();
        columns_of(down, to);
        columns_of(up, to + Codes::columns);
        if (codes.planes > Codes::valid) columns_of(known, to + 2 * Codes::columns);
    }

    // 64 rows of 8 bits, transposed.
    static void columns_of(const std::uint8_t* rows, std::uint64_t* to) {
#if VECH_VECTOR == 64
        const auto bytes = _mm512_loadu_si512(rows);
        for (int c = 0; c < 8; ++c) to[c] = _mm512_test_epi8_mask(bytes, _mm512_set1_epi8(static_cast<char>(1 << c)));
#elif VECH_VECTOR == 32
        const auto first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows));
        const auto second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + 32));
        for (int c = 0; c < 8; ++c) {
            const auto low = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_slli_epi64(first, 7 - c)));
            const auto high = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_slli_epi64(second, 7 - c)));
            to[c] = low | static_cast<std::uint64_t>(high) << 32;
        }
#else
        for (int c = 0; c < 8; ++c) to[c] = 0;
        for (int t = 0; t < Codes::times; t += 8) {
            std::uint64_t eight = 0;
            for (int k = 0; k < 8; ++k) eight |= static_cast<std::uint64_t>(rows[t + k]) << 8 * k;
            for (int c = 0; c < 8; ++c)  // bit c of the eight rows comes together in the top byte
                to[c] |= ((eight >> c & 0x0101010101010101u) * 0x0102040810204080u) >> 56 << t;
        }
#endif
    }
};

template <class Real>
class Encoder {
  public:
    explicit Encoder(const Coding& job) : job_(job) {}

    // A word of a block, each number against the bounds of its column.
    void bounded(std::int64_t block, std::int64_t word) const {
        constexpr auto side = Codes::columns;
        constexpr auto infinity = std::numeric_limits<Real>::infinity();
        const Strip<Real> strip(job_.x, job_.row, job_.column, job_.n, block);
        Real low[side], high[side], buffer[Codes::times * side];
        for (std::int64_t c = 0; c < side; ++c) {
            const auto at = (block * side + c) * static_cast<std::int64_t>(sizeof(Real));
            low[c] = c < strip.width ? load<Real>(job_.low + at) : -infinity;
            high[c] = c < strip.width ? load<Real>(job_.high + at) : infinity;
        }
        const auto start = word * Codes::times, rows = std::min(Codes::times, job_.samples - start);
        const auto [x, step] = strip.rows(start, rows, buffer);
        Slice slice;
        for (std::int64_t t = 0; t < rows; ++t) slice.row(t, reinterpret_cast<const Real*>(x + t * step), low, high);
        slice.finish(rows, job_.codes, block, word);
    }

    // The same, each number against one at another time: pair k is t = k mod T and the time k / T + 1 later, modulo T,
    // which takes each pair of times once.
    void paired(std::int64_t block, std::int64_t first, std::int64_t last) const {
        constexpr auto side = Codes::columns;
        const auto* x = reinterpret_cast<const Real*>(job_.x + block * job_.block);
        const auto samples = job_.samples, start = job_.first + first * Codes::times;
        auto early = start % samples, late = (early + start / samples + 1) % samples;
        Slice slice;
        for (auto word = first; word < last; ++word) {
            const auto rows = std::min(Codes::times, job_.count() - word * Codes::times);
            for (std::int64_t t = 0; t < rows; ++t) {
                slice.row(t, x + late * side, x + early * side, x + early * side);
                if (++late == samples) late = 0;
                if (++early == samples) {
                    early = 0;
                    if (++late == samples) late = 0;
                }
            }
            slice.finish(rows, job_.codes, block, word);
        }
    }

  private:
    const Coding& job_;
};

template <class Real>
void encode_with(const Coding& job, int threads, Watch& watch) {
    const Encoder<Real> encoder(job);
    const auto blocks = (job.n + Codes::columns - 1) / Codes::columns;
    const auto bytes = Codes::times * Codes::columns * static_cast<std::int64_t>(sizeof(Real));
    if (job.pairs) {
        const auto chunk = megabyte / bytes, chunks = (job.codes.words + chunk - 1) / chunk;
        return parallel_for(blocks * chunks, threads, watch, [&](std::int64_t unit) {
            const auto first = unit % chunks * chunk;
            encoder.paired(unit / chunks, first, std::min(first + chunk, job.codes.words));
        });
    }
    // A few rows of all blocks, so that lines and pages of rows are read once.
    const auto group = std::max<std::int64_t>(1, megabyte / bytes);
    const auto groups = (blocks + group - 1) / group;
    const auto chunk = std::max<std::int64_t>(1, group / std::max<std::int64_t>(1, blocks));
    const auto chunks = (job.codes.words + chunk - 1) / chunk;
    parallel_for(chunks * groups, threads, watch, [&](std::int64_t unit) {
        const auto word = unit / groups * chunk, until = std::min(word + chunk, job.codes.words);
        const auto block = unit % groups * group, end = std::min(block + group, blocks);
        for (auto k = word; k < until; ++k)
            for (auto b = block; b < end; ++b) encoder.bounded(b, k);
    });
}

// ---------------------------------------------------------------- counts

// The planes of a block that stand for "active" and "sign".
struct Couple {
    const std::uint64_t *active, *sign;
};

// Counts below 2^52 as floating numbers: no target but AVX-512 converts 64-bit integers.
template <class V, class D>
VECH_INLINE D floating(V counts) {
    constexpr std::uint64_t exponent = 0x4330000000000000;
    const V bits = counts | exponent;
    D number;
    std::memcpy(&number, &bits, sizeof number);
    return number - 4503599627370496.0;
}

constexpr std::int64_t tile_side = 64, tile_blocks = tile_side / Codes::columns;
constexpr std::int64_t tile_words = 128;  // of 64 columns and as many others, two planes: 256 KiB
using Counts = double[tile_side * tile_side];

#if defined(VECH_ICL)

// 8 columns against 8 others: both[i][j] += B, discordant[i][j] += Q. 170 pairs of times a cycle at most, by two
// counts, two sums and three bits in six instructions on two ports.
inline void count_square(Couple rows, Couple columns, std::int64_t words, std::int64_t step, double* both,
                         double* discordant) {
    typedef std::uint64_t V __attribute__((vector_size(64)));
    typedef double D __attribute__((vector_size(64)));
    V sums[8] = {}, differing[8] = {};
    for (std::int64_t k = 0; k < words * step; k += step) {
        const auto active = _mm512_loadu_si512(columns.active + k), sign = _mm512_loadu_si512(columns.sign + k);
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
            const auto common = _mm512_and_si512(active, _mm512_set1_epi64(static_cast<long long>(rows.active[k + i])));
            const auto other = _mm512_set1_epi64(static_cast<long long>(rows.sign[k + i]));
            sums[i] += reinterpret_cast<V>(_mm512_popcnt_epi64(common));
            differing[i] += reinterpret_cast<V>(
                _mm512_popcnt_epi64(_mm512_ternarylogic_epi64(common, sign, other, 0x60)));  // common & (sign ^ other)
        }
    }
    for (int i = 0; i < 8; ++i) {
        store(both + i * tile_side, load<D>(both + i * tile_side) + floating<V, D>(sums[i]));
        store(discordant + i * tile_side, load<D>(discordant + i * tile_side) + floating<V, D>(differing[i]));
    }
}

#else

typedef std::uint64_t Bits __attribute__((vector_size(VECH_VECTOR)));

// Counts of set bits, byte by byte; and sums of bytes, 64 bits by 64.
VECH_INLINE Bits population(Bits x) {
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    return (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
}
VECH_INLINE Bits sum_of_bytes(Bits x) {
    x = (x & 0x00ff00ff00ff00ffu) + (x >> 8 & 0x00ff00ff00ff00ffu);
    x += x >> 16;
    return (x + (x >> 32)) & 0xffff;
}

// The bits of a + b + c: `sum` and, twice as heavy, what is returned.
VECH_INLINE Bits carry(Bits& sum, Bits a, Bits b) {
#if VECH_VECTOR == 64
    const auto x = reinterpret_cast<__m512i>(sum), y = reinterpret_cast<__m512i>(a), z = reinterpret_cast<__m512i>(b);
    sum = reinterpret_cast<Bits>(_mm512_ternarylogic_epi64(x, y, z, 0x96));
    return reinterpret_cast<Bits>(_mm512_ternarylogic_epi64(x, y, z, 0xe8));
#else
    const Bits either = sum ^ a, carried = (sum & a) | (either & b);
    sum = either ^ b;
    return carried;
#endif
}

// Set bits of many words, lane by lane: eight words are added as bits before anything is counted (Harley and Seal).
struct Tally {
    Bits ones = {}, twos = {}, fours = {}, eights = {};  // the last in bytes
    static_assert(tile_words <= 255);

    VECH_INLINE Bits sum() const {
        const Bits rest = (population(fours) << 2) + (population(twos) << 1) + population(ones);
        return (sum_of_bytes(eights) << 3) + sum_of_bytes(rest);
    }
};

inline void count_square(Couple rows, Couple columns, std::int64_t words, std::int64_t step, double* both,
                         double* discordant) {
    typedef double D __attribute__((vector_size(VECH_VECTOR)));
    constexpr int lanes = VECH_VECTOR / 8;
    for (int i = 0; i < 8; ++i)
        for (int j = 0; j < 8; j += lanes) {
            Tally common, differing;
            // Each word is added as it is read: sixteen registers do not hold eight words of both.
            const auto two = [&](std::int64_t k, Bits& carried, Bits& carried_differing) {
                Bits word[2] = {}, differs[2] = {};
                for (int l = 0; l < 2 && k + l < words; ++l) {
                    const auto at = (k + l) * step;
                    word[l] = load<Bits>(columns.active + at + j) & rows.active[at + i];
                    differs[l] = word[l] & (load<Bits>(columns.sign + at + j) ^ rows.sign[at + i]);
                }
                carried = carry(common.ones, word[0], word[1]);
                carried_differing = carry(differing.ones, differs[0], differs[1]);
            };
            const auto four = [&](std::int64_t k, Bits& carried, Bits& carried_differing) {
                Bits a, b, c, d;
                two(k, a, b);
                two(k + 2, c, d);
                carried = carry(common.twos, a, c);
                carried_differing = carry(differing.twos, b, d);
            };
            for (std::int64_t k = 0; k < words; k += 8) {
                Bits a, b, c, d;
                four(k, a, b);
                four(k + 4, c, d);
                common.eights += population(carry(common.fours, a, c));
                differing.eights += population(carry(differing.fours, b, d));
            }
            const auto at = i * tile_side + j;
            store(both + at, load<D>(both + at) + floating<Bits, D>(common.sum()));
            store(discordant + at, load<D>(discordant + at) + floating<Bits, D>(differing.sum()));
        }
}

#endif

class Counter {
  public:
    explicit Counter(const Agreement& job)
        : job_(job), start_(job.half.origin(job.rows.begin) + job.half.first(job.rows.begin)) {}

    void tile(Range rows, Range columns, Watch& watch) const {
        Counts counts[Agreement::all + 1];  // and one for what nobody asks for
        const auto& codes = job_.codes;
        for (std::int64_t kind = 0; kind < job_.kinds(); ++kind) std::memset(counts[kind], 0, sizeof(Counts));
        if (codes.bits != nullptr) {
            using Plane = Codes::Plane;
            constexpr Planes ternary{Plane::active, Plane::sign}, known{Plane::valid, Plane::active};
            if (!add(rows, columns, ternary, ternary, counts[A::both], counts[A::discordant], watch)) return;
            if (job_.pairwise) {
                constexpr Planes active{Plane::active, Plane::active}, valid{Plane::valid, Plane::valid};
                std::memset(counts[A::all], 0, sizeof(Counts));
                if (!add(rows, columns, known, known, counts[A::joint], counts[A::differing], watch)) return;
                if (!add(rows, columns, active, valid, counts[A::one_sided], counts[A::all], watch)) return;
            }
        }
        if (job_.stored != nullptr)
            for (std::int64_t kind = 0; kind < job_.kinds(); ++kind)
                keep(rows, columns, job_.stored + kind * job_.pitch, counts[kind]);
        if (job_.values == nullptr) return;
        const auto with = [&]<class Real>(Real) {
            if (job_.pairwise)
                job_.root ? finish<Real, true, true>(rows, columns, counts)
                          : finish<Real, true, false>(rows, columns, counts);
            else
                job_.root ? finish<Real, false, true>(rows, columns, counts)
                          : finish<Real, false, false>(rows, columns, counts);
        };
        job_.real == 4 ? with(float{}) : with(double{});
    }

  private:
    using A = Agreement;
    struct Planes {
        std::int64_t active, sign;
    };

    // What of these columns is stored of run r.
    VECH_INLINE Range stored(std::int64_t r, Range columns) const {
        const auto first = std::max(columns.begin, job_.half.first(r));
        return {first, std::max(first, std::min(columns.end, job_.half.last(r)))};
    }

    // Counts of the codes in those squares of a tile that reach into the half; false once the work should end.
    bool add(Range rows, Range columns, Planes of_rows, Planes of_columns, Counts& common, Counts& differing,
             Watch& watch) const {
        constexpr auto side = Codes::columns;
        const auto& codes = job_.codes;
        for (std::int64_t word = 0; word < codes.words; word += tile_words) {
            if (word > 0 && watch.stop()) return false;
            const auto words = std::min(tile_words, codes.words - word), skipped = word * codes.step();
            const auto planes = [&](std::int64_t column, Planes which) -> Couple {
                return {codes.at(column / side, which.active) + skipped, codes.at(column / side, which.sign) + skipped};
            };
            for (auto r = rows.begin; r < rows.end; r += side)
                for (auto c = columns.begin; c < columns.end; c += side) {
                    if (job_.half.grow ? c > r : c < r) continue;
                    const auto at = (r - rows.begin) * tile_side + c - columns.begin;
                    count_square(planes(r, of_rows), planes(c, of_columns), words, codes.step(), common + at,
                                 differing + at);
                }
        }
        return true;
    }

    // stored += sign * counts, and the counts become those.
    void keep(Range rows, Range columns, std::int64_t* kept, Counts& counts) const {
        for (auto r = rows.begin; r < rows.end; ++r) {
            const auto [begin, end] = stored(r, columns);
            auto* from = counts + (r - rows.begin) * tile_side - columns.begin;
            auto* to = kept + job_.half.origin(r) - start_;
            for (auto c = begin; c < end; ++c) {
                to[c] += job_.sign * static_cast<std::int64_t>(from[c]);
                from[c] = static_cast<double>(to[c]);
            }
        }
    }

    template <class Real, bool pairwise, bool root>
    void finish(Range rows, Range columns, const Counts* counts) const {
        const auto up = job_.up, down = job_.down;
        const double *active = job_.active, *scale = job_.scale;
        double line[tile_side];
        for (auto r = rows.begin; r < rows.end; ++r) {
            const auto [begin, end] = stored(r, columns);
            const auto ratio = [&](std::int64_t c, bool diagonal) {
                const auto at = (r - rows.begin) * tile_side + c - columns.begin;
                const auto b = counts[A::both][at], q = counts[A::discordant][at];
                auto of_row = active[r], of_column = active[c], t = job_.times;
                if constexpr (pairwise) {
                    of_row = counts[A::one_sided][at];
                    of_column = counts[A::differing][at] + 2 * b - of_row;
                    t = counts[A::joint][at];
                }
                const auto m = of_row + of_column;
                const auto over = up[0] * b + up[1] * q + up[2] * m + up[3] * t;
                auto under = down[0] * b + down[1] * q + down[2] * m + down[3] * t;
                if constexpr (root) under = std::sqrt(of_row * of_column);
                return diagonal && under == 0 ? job_.empty : over / (under == 0 ? 1 : under);
            };
            for (auto c = begin; c < end; ++c) line[c - columns.begin] = ratio(c, false) * (scale[r] * scale[c]);
            if (begin <= r && r < end) line[r - columns.begin] = ratio(r, true) * (scale[r] * scale[r]);
            auto* to = job_.values + (job_.half.origin(r) + begin) * static_cast<std::int64_t>(sizeof(Real));
            for (auto c = begin; c < end; ++c, to += sizeof(Real))
                store(to, static_cast<Real>(line[c - columns.begin]));
        }
    }

    const Agreement& job_;
    std::int64_t start_;
};

}  // namespace

void encode(const Coding& job, int threads, Watch& watch) {
    job.real == 4 ? encode_with<float>(job, threads, watch) : encode_with<double>(job, threads, watch);
}

void count(const Agreement& job, int threads, Watch& watch) {
    const Counter counter(job);
    const auto across = (job.half.n + tile_side - 1) / tile_side;
    const auto down = (job.rows.size() + tile_side - 1) / tile_side;
    parallel_for(across * down, threads, watch, [&](std::int64_t unit) {
        const auto r = job.rows.begin + unit / across * tile_side, c = unit % across * tile_side;
        const Range rows{r, std::min(r + tile_side, job.rows.end)}, columns{c, std::min(c + tile_side, job.half.n)};
        const bool inside = job.half.grow ? columns.begin < rows.end : columns.end > rows.begin;
        if (inside) counter.tile(rows, columns, watch);
    });
}

VECH_TARGET_END
