// solve_small: Cholesky factors, inverses, eigenvalues and functions of small symmetric matrices, many at a time.
//
// Idea         a lane is a matrix: the numbers of some dozen halves lie side by side, cell by cell, and no step asks
//              what a number is, so that nothing is shuffled or branched between reading and writing.
// Formula      S = L L^T; S = V diag(w) V^T by cyclic Jacobi (Rutishauser, Numer. Math. 9, 1966), w in ascending order;
//              f(S) = V diag(f(w)) V^T. What is not definite is inverted by its eigenvalues.
// Accumulator  double, of numbers in the power of two of the largest of their matrix: none overflows or is lost.
// Error        of w, and of V diag(w) V^T, below 4 eps of the largest |w|, whatever multiple it is (measured); the bits
//              of a matrix do not depend on which others lie beside it.
// Bytes moved  each half once, each answer once.
#pragma once
#include "core/batches.hpp"
#include "core/kernels/change.hpp"
#include "core/kernels/elementary.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/transpose.hpp"
#include "core/layout.hpp"
#include "core/parallel.hpp"

VECH_TARGET_BEGIN
namespace {

constexpr int width = VECH_VECTOR / 8;
// Vectors of matrices beside each other: their rotations, which wait for square roots, overlap.
constexpr int lots = 2;
constexpr int lanes_of_block = lots * width;

VECH_INLINE bool any(Mask mask) {
#if VECH_VECTOR == 64
    return _mm512_movepi64_mask(__m512i(mask)) != 0;
#elif VECH_VECTOR == 32
    return _mm256_movemask_pd(__m256d(mask)) != 0;
#elif defined(__x86_64__)
    return _mm_movemask_pd(__m128d(mask)) != 0;
#else
    for (int k = 0; k < width; ++k)
        if (mask[k]) return true;
    return false;
#endif
}

// 1 / sqrt(x) and 1 / x of normal numbers, to 1 ulp or so.
VECH_INLINE Doubles inverse_root(Doubles x) {
#if VECH_VECTOR == 64  // 14 bits, and three terms more of the series: a quarter of the time of root and quotient
    const auto y = reinterpret_cast<Doubles>(_mm512_maskz_rsqrt14_pd(0xff, __m512d(x)));
    const Doubles e = plus(-(x * y), y, all(1.0));
    return plus(y * e, polynomial(e, 0.3125, 0.375, 0.5), y);
#else
    return 1.0 / root(x);
#endif
}
VECH_INLINE Doubles inverse_of(Doubles x) {
#if VECH_VECTOR == 64
    const auto y = reinterpret_cast<Doubles>(_mm512_maskz_rcp14_pd(0xff, __m512d(x)));
    const Doubles e = plus(-x, y, all(1.0));
    return plus(y * e, polynomial(e, 1.0, 1.0, 1.0), y);
#else
    return 1.0 / x;
#endif
}

// What depends on k < count: written out one by one where the count is known, which GCC does for short loops alone.
template <int known, class Body>
VECH_INLINE void each(int count, const Body& body) {
    if constexpr (known > 0)
        [&]<int... k>(std::integer_sequence<int, k...>)
            VECH_ALWAYS { (body(k), ...); }(std::make_integer_sequence<int, known>{});
    else
        for (int k = 0; k < count; ++k) body(k);
}

VECH_INLINE constexpr int cell(int i, int j) { return i * (i + 1) / 2 + j; }
VECH_INLINE constexpr int either(int i, int j) { return i >= j ? cell(i, j) : cell(j, i); }

// Some matrices of side N, or of one that is told where N is 0.
template <int N>
struct Block {
    static constexpr int room = N ? N : SmallMatrices::largest_side;
    static constexpr int most = cell(room, 0);

    Doubles a[most][lots];          // cells
    Doubles v[room * room][lots];   // eigenvectors, row by row
    Doubles w[room][lots];          // eigenvalues
    Doubles unit[lots], far[lots];  // S = a * unit * far, powers of two
    Mask wrong[4][lots];            // by Trouble
    Doubles minor[lots];
    int side;

    VECH_INLINE int n() const { return N ? N : side; }
    VECH_INLINE int cells() const { return cell(n(), 0); }
    VECH_INLINE Mask& wrong_by(Trouble trouble, int u) { return wrong[static_cast<int>(trouble)][u]; }

    // What is not finite becomes zero; the largest number of each matrix.
    VECH_INLINE void judge(Doubles* largest) {
        for (int u = 0; u < lots; ++u) {
            Doubles most_of = {}, sum = {};
            for (int k = 0; k < cells(); ++k) {
                most_of = larger(most_of, size_of(a[k][u]));
                sum = plus(a[k][u], all(0.0), sum);
            }
            const Mask bad = ~(sum == 0.0);
            wrong_by(Trouble::not_finite, u) = bad;
            if (any(bad)) {
                for (int k = 0; k < cells(); ++k) a[k][u] = only(~bad, a[k][u]);
                most_of = only(~bad, most_of);
            }
            largest[u] = most_of;
        }
    }

    // So that the largest number is from 2^10 to 2^11, or zero.
    VECH_INLINE void scale() {
        Doubles largest[lots];
        judge(largest);
        for (int u = 0; u < lots; ++u) {
            const Mask tiny = largest[u] < 0x1p-400, zero = largest[u] == 0.0;
            const Doubles up = choose(tiny, all(0x1p600), all(1.0));
            const Words exponent = reinterpret_cast<Words>(choose(zero, all(0x1p10), largest[u] * up)) >> 52;
            const auto down = reinterpret_cast<Doubles>((2056 - exponent) << 52);
            unit[u] = reinterpret_cast<Doubles>((exponent - 10) << 52);
            far[u] = choose(tiny, all(0x1p-600), all(1.0));
            for (int k = 0; k < cells(); ++k) a[k][u] = a[k][u] * up * down;
        }
    }

    // S = a * 2^shift
    VECH_INLINE Doubles shift(int u) const {
        const Words exponent = reinterpret_cast<Words>(unit[u]) >> 52;
        return reinterpret_cast<Doubles>(exponent + 0x4330000000000000u) - (0x1p52 + 1023.0) +
               choose(far[u] < 1.0, all(-600.0), Doubles{});
    }

    // What lies off the diagonal is zero once it is below 2^-55 of the largest number: among equal eigenvalues smaller
    // ones are rounding, and to turn them about added up to 100 eps.
    static constexpr double settled = 0x1p-45;

    // Makes (p, q) zero, in the matrices that still change.
    VECH_INLINE void rotate(int p, int q, int u, Mask active, bool vectors) {
        const Doubles x = a[cell(q, p)][u], d = a[cell(q, q)][u] - a[cell(p, p)][u], h = x + x;
        const Mask turns = active & (size_of(x) > settled);
        const Doubles inverse = inverse_root(plus(d, d, h * h));
        const Doubles square =
            choose(turns, plus(all(0.5), size_of(d) * inverse, all(0.5)), all(1.0));  // of the cosine
        const Doubles secant = inverse_root(square);
        const Doubles sine = only(turns, 0.5 * choose(d < 0.0, -h, h) * inverse * secant);
        const Doubles tangent = sine * secant;
        const Doubles half = sine * inverse_of(plus(square, secant, all(1.0)));  // tangent of half the angle
        a[cell(p, p)][u] = plus(-tangent, x, a[cell(p, p)][u]);
        a[cell(q, q)][u] = plus(tangent, x, a[cell(q, q)][u]);
        a[cell(q, p)][u] = only(~turns, x);
        const auto turn = [&](Doubles& left, Doubles& right) VECH_ALWAYS {
            const Doubles l = left, r = right;
            left = plus(-sine, plus(half, l, r), l);
            right = plus(sine, plus(-half, r, l), r);
        };
        each<N>(n(), [&](int k) VECH_ALWAYS {
            if (k != p && k != q) turn(a[either(k, p)][u], a[either(k, q)][u]);
        });
        if (vectors) each<N>(n(), [&](int k) VECH_ALWAYS { turn(v[k * n() + p][u], v[k * n() + q][u]); });
    }

    __attribute__((noinline)) void decompose(bool vectors) {
        constexpr int most_sweeps = 40;
        Mask active[lots];
        for (int u = 0; u < lots; ++u) {
            active[u] = Mask{} == Mask{};
            for (int i = 0; i < n(); ++i)
                for (int j = 0; j < n(); ++j) v[i * n() + j][u] = all(i == j ? 1.0 : 0.0);
        }
        for (int sweep = 0; sweep < most_sweeps; ++sweep) {
            bool some = false;
            for (int u = 0; u < lots; ++u) {
                Doubles largest = {};
                for (int i = 1; i < n(); ++i)
                    for (int j = 0; j < i; ++j) largest = larger(largest, size_of(a[cell(i, j)][u]));
                active[u] &= largest > settled;
                some |= any(active[u]);
            }
            if (!some) break;
            each<N>(n(), [&](int p) VECH_ALWAYS {
                each<N>(n(), [&](int q) VECH_ALWAYS {
                    if (p < q)
                        for (int u = 0; u < lots; ++u) rotate(p, q, u, active[u], vectors);
                });
            });
        }
        for (int u = 0; u < lots; ++u)
            for (int k = 0; k < n(); ++k) w[k][u] = a[cell(k, k)][u];
    }

    VECH_INLINE void sort() {
        const auto swap = [](Mask where, Doubles& one, Doubles& other) {
            const Doubles former = one;
            one = choose(where, other, one);
            other = choose(where, former, other);
        };
        for (int p = 0; p < n() - 1; ++p)
            for (int q = p + 1; q < n(); ++q)
                for (int u = 0; u < lots; ++u) {
                    const Mask where = w[p][u] > w[q][u];
                    swap(where, w[p][u], w[q][u]);
                    for (int i = 0; i < n(); ++i) swap(where, v[i * n() + p][u], v[i * n() + q][u]);
                }
    }

    // V diag(f) V^T of the values f in w.
    VECH_INLINE void compose() {
        for (int u = 0; u < lots; ++u) {
            for (int i = 0; i < n(); ++i) {
                Doubles row[room];
                for (int k = 0; k < n(); ++k) row[k] = v[i * n() + k][u] * w[k][u];
                for (int j = 0; j <= i; ++j) {
                    Doubles sum = {};
                    for (int k = 0; k < n(); ++k) sum = plus(row[k], v[j * n() + k][u], sum);
                    a[cell(i, j)][u] = sum;
                }
            }
        }
    }

    // Numbers near the least ones times 2^600, so that no product of theirs is lost: S = a * far.
    VECH_INLINE void lift() {
        Doubles largest[lots];
        judge(largest);
        for (int u = 0; u < lots; ++u) {
            const Mask tiny = largest[u] < 0x1p-700;
            far[u] = choose(tiny, all(0x1p-600), all(1.0));
            if (any(tiny))
                for (int k = 0; k < cells(); ++k) a[k][u] = a[k][u] * choose(tiny, all(0x1p600), all(1.0));
        }
    }

    // L in the place of S, and one over its diagonal; what is not definite gets rows of ones.
    VECH_INLINE void factor(Doubles (*inverse)[lots]) {
        for (int u = 0; u < lots; ++u) {
            Mask failed = {};
            minor[u] = Doubles{};
            for (int j = 0; j < n(); ++j) {
                Doubles pivot = a[cell(j, j)][u];
                for (int k = 0; k < j; ++k) pivot = plus(-a[cell(j, k)][u], a[cell(j, k)][u], pivot);
                const Mask good = pivot > 0.0;
                minor[u] = choose(~(good | failed), all(j + 1.0), minor[u]);
                failed |= ~good;
                pivot = choose(good, pivot, all(1.0));
                const Doubles over = inverse_root(pivot), about = pivot * over;
                a[cell(j, j)][u] = plus(plus(-about, about, pivot), 0.5 * over, about);
                inverse[j][u] = over;
                for (int i = j + 1; i < n(); ++i) {
                    Doubles sum = a[cell(i, j)][u];
                    for (int k = 0; k < j; ++k) sum = plus(-a[cell(i, k)][u], a[cell(j, k)][u], sum);
                    a[cell(i, j)][u] = sum * over;
                }
            }
            wrong_by(Trouble::not_definite, u) = failed & ~wrong_by(Trouble::not_finite, u);
        }
    }

    // (L L^T)^-1 in the place of L.
    VECH_INLINE void invert(Doubles (*inverse)[lots]) {
        for (int u = 0; u < lots; ++u) {
            for (int j = 0; j < n(); ++j) {
                a[cell(j, j)][u] = inverse[j][u];
                for (int i = j + 1; i < n(); ++i) {
                    Doubles sum = {};
                    for (int k = j; k < i; ++k) sum = plus(a[cell(i, k)][u], a[cell(k, j)][u], sum);
                    a[cell(i, j)][u] = -inverse[i][u] * sum;
                }
            }
            for (int i = 0; i < n(); ++i)
                for (int j = 0; j <= i; ++j) {
                    Doubles sum = {};
                    for (int k = i; k < n(); ++k) sum = plus(a[cell(k, i)][u], a[cell(k, j)][u], sum);
                    a[cell(i, j)][u] = sum / far[u];
                }
        }
    }
};

// ---- records of doubles, and rows of lanes

// Words k and k + 1 of a vector of records at a time: 16 bytes of each, the last two once more where words are odd.
// Records are of two words at least.
template <class Body>
VECH_INLINE void pairs(int words, const Body& body) {
    for (int k = 0; k + 1 < words; k += 2) body(k);
    if (words % 2 != 0) body(words - 2);
}

// Word k of record r becomes lane r of row k.
VECH_INLINE void records_to_rows(const std::byte* const* from, int words, double (*rows)[lanes_of_block]) {
    for (int group = 0; group < lots; ++group)
        pairs(words, [&](int first) VECH_ALWAYS {
            turn<std::uint64_t, VECH_VECTOR>(from + group * width, first * 8, [&](int k, auto row) VECH_ALWAYS {
                std::memcpy(rows[first + k] + group * width, &row, sizeof row);
            });
        });
}

// The inverse, of whole vectors of records that lie one after the other, word k of them being row(k); how many that
// were.
template <class Row>
VECH_INLINE int rows_to_records(const Row& row, int words, std::byte* to, int count) {
    int done = 0;
    for (; done + width <= count; done += width, to += width * words * 8)
        pairs(words, [&](int first) VECH_ALWAYS {
            Words one, other;
            std::memcpy(&one, row(first) + done, sizeof one);
            std::memcpy(&other, row(first + 1) + done, sizeof other);
            constexpr auto each = std::make_integer_sequence<int, width>{};
            const Words even = interleave<std::uint64_t, 0>(one, other, each),
                        odd = interleave<std::uint64_t, 1>(one, other, each);
            for (int r = 0; r < width; r += 2) {
                std::memcpy(to + (r * words + first) * 8, reinterpret_cast<const std::byte*>(&even) + r * 8, 16);
                std::memcpy(to + ((r + 1) * words + first) * 8, reinterpret_cast<const std::byte*>(&odd) + r * 8, 16);
            }
        });
    return done;
}

// Functions of eigenvalues. x^p with x = 2^k f: 2^(p k) f^p, whose error does not grow with k.
struct Power {
    double p, high, low;  // p = high + low, and high times an exponent is exact
    bool whole, odd;

    explicit Power(double exponent) : p(exponent), whole(exponent == std::floor(exponent)) {
        const auto bits = std::bit_cast<std::uint64_t>(p) & ~((std::uint64_t{1} << 14) - 1);
        high = std::bit_cast<double>(bits);
        low = p - high;
        odd = whole && std::fabs(std::fmod(p, 2.0)) == 1.0;
    }

    // Of x > 0, normal, times 2^(p shift).
    VECH_INLINE Doubles of(Doubles x, Doubles shift) const {
        constexpr std::uint64_t half_root = 0x3fe6a09e667f3bcd, bias = 1023;
        const auto bits = reinterpret_cast<Words>(x);
        const Words exponent = (bits - half_root + (bias << 52)) >> 52;
        const Doubles k = reinterpret_cast<Doubles>(exponent + 0x4330000000000000u) - (0x1p52 + 1023.0) + shift;
        const Doubles f = reinterpret_cast<Doubles>(bits - ((exponent - bias) << 52));
        const Doubles times = k * high, nearest = (times + shifter) - shifter;
        const Doubles part = plus(k, all(low), times - nearest);
        const Doubles power = exp(plus(log(f), all(p), part * 0x1.62e42fefa39efp-1));
        return times_two_to(power, nearest);
    }

    // In two steps, so that what is beyond the range becomes infinite or zero.
    VECH_INLINE static Doubles times_two_to(Doubles x, Doubles k) {
        k = choose(k > 2000.0, all(2000.0), choose(k < -2000.0, all(-2000.0), k));
        const Doubles first = ((k * 0.5) + shifter) - shifter;
        return x * two_to(first) * two_to(k - first);
    }
    VECH_INLINE static Doubles two_to(Doubles k) {
        return reinterpret_cast<Doubles>((reinterpret_cast<Words>(k + (shifter + 1023.0))) << 52);
    }
};

// exp of any number: by its square root where that alone is within the range.
VECH_INLINE Doubles exponential(Doubles x) {
    const Mask far = size_of(x) > 708.0;
    if (!any(far)) return exp(x);
    const Doubles bounded = choose(x > 1416.0, all(1416.0), choose(x < -1416.0, all(-1416.0), x));
    const Doubles y = exp(choose(far, 0.5 * bounded, x));
    return choose(far, y * y, y);
}

// A batch, and where its answers go.
template <int N>
struct Solver {
    const SmallMatrices& job;
    std::atomic<std::int64_t>& first_trouble;
    using B = Block<N>;

    static void run(const SmallMatrices& job, std::int64_t first, std::int64_t last, std::atomic<std::int64_t>& found) {
        const Solver solver{job, found};
        for (auto m = first; m < last; m += lanes_of_block)
            solver.block(m, static_cast<int>(std::min<std::int64_t>(lanes_of_block, last - m)));
    }

    VECH_INLINE int n() const { return N ? N : job.n; }
    VECH_INLINE int cells() const { return cell(n(), 0); }

    // Numbers of a record, one row each; the last matrix again and again in the lanes beyond `count`.
    template <class Real>
    VECH_INLINE void load_reals(B& block, std::int64_t first, int count) const {
        alignas(64) double raw[B::most][lanes_of_block];
        const std::byte* from[lanes_of_block];
        for (int lane = 0; lane < lanes_of_block; ++lane)
            from[lane] = job.halves + (first + std::min(lane, count - 1)) * job.stride;
        const int stored = N && job.stored == cells() ? cells() : job.stored;
        bool done = false;
        if constexpr (std::is_same_v<Real, double>)
            if (job.step == sizeof(double) && stored > 1) {
                records_to_rows(from, stored, raw);
                done = true;
            }
        if (!done)
            for (int lane = 0; lane < lanes_of_block; ++lane)
                for (int k = 0; k < stored; ++k)
                    raw[k][lane] = static_cast<double>(load<Real>(from[lane] + k * job.step));
        each<N ? N * (N + 1) / 2 : 0>(cells(), [&](int k) VECH_ALWAYS {
            if (job.places[k] >= 0)
                std::memcpy(block.a[k], raw[job.places[k]], sizeof raw[0]);
            else
                for (int u = 0; u < lots; ++u) block.a[k][u] = all(job.implied);
        });
    }
    VECH_INLINE void take(B& block, std::int64_t first, int count) const {
        block.side = job.n;
        if (job.real == 8)
            load_reals<double>(block, first, count);
        else
            load_reals<float>(block, first, count);
        if (job.off == 1.0 && (job.on == 1.0 || job.stored < cells())) return;
        for (int i = 0; i < n(); ++i)
            for (int j = 0; j <= i; ++j)
                for (int u = 0; u < lots; ++u)
                    block.a[cell(i, j)][u] =
                        block.a[cell(i, j)][u] / (i == j ? (job.stored < cells() ? 1.0 : job.on) : job.off);
    }

    template <class Real, class Row>
    VECH_INLINE void store_reals(const Row& row, int numbers, std::byte* to, int count) const {
        int lane = 0;
        if constexpr (std::is_same_v<Real, double>)
            if (numbers > 1) lane = rows_to_records(row, numbers, to, count);
        to += lane * numbers * static_cast<int>(sizeof(Real));
        for (; lane < count; ++lane)
            for (int k = 0; k < numbers; ++k, to += sizeof(Real)) store(to, static_cast<Real>(row(k)[lane]));
    }
    template <class Row>
    VECH_INLINE void put(const Row& row, int numbers, std::byte* to, std::int64_t first, int count) const {
        to += first * numbers * job.real;
        if (job.real == 8)
            store_reals<double>(row, numbers, to, count);
        else
            store_reals<float>(row, numbers, to, count);
    }
    // Whether a number leaves the range of its type.
    VECH_INLINE Mask beyond(Doubles x) const {
        return ~(size_of(x) <= (job.real == 8 ? std::numeric_limits<double>::max() : 0x1.fffffefffffffp127));
    }

    VECH_INLINE void give_half(B& block, std::int64_t first, int count) const {
        alignas(64) double raw[B::most][lanes_of_block];
        // Where the diagonal was implied, answers are in the plain layout.
        const bool scaled = job.stored == cells() && (job.on != 1.0 || job.off != 1.0);
        for (int u = 0; u < lots; ++u) {
            Mask over = {};
            for (int i = 0; i < n(); ++i)
                for (int j = 0; j <= i; ++j) {
                    if (scaled) block.a[cell(i, j)][u] = block.a[cell(i, j)][u] * (i == j ? job.on : job.off);
                    over |= beyond(block.a[cell(i, j)][u]);
                }
            block.wrong_by(Trouble::beyond, u) = over;
        }
        each<N ? N * (N + 1) / 2 : 0>(cells(),
                                      [&](int k) VECH_ALWAYS { std::memcpy(raw[k], block.a[k], sizeof raw[0]); });
        put([&](int k) VECH_ALWAYS { return &raw[job.order[k]][0]; }, cells(), job.results, first, count);
    }

    // ---- what a function of the eigenvalues is, in place of them

    VECH_INLINE void logarithms(B& block) const {
        for (int u = 0; u < lots; ++u) {
            Mask failed = {};
            const Doubles more = choose(block.far[u] < 1.0, all(-600 * 0x1.62e42fefa39efp-1), Doubles{});
            for (int k = 0; k < n(); ++k) {
                const Mask good = block.w[k][u] > 0.0;
                failed |= ~good;
                const Doubles w = choose(good, block.w[k][u], 1.0 / block.unit[u]);
                const Mask low = w * block.unit[u] < 0x1p-1000;  // digits of numbers below are lost
                block.w[k][u] = log(choose(low, w * 0x1p200, w) * block.unit[u]) +
                                choose(low, more - 200 * 0x1.62e42fefa39efp-1, more);
            }
            block.wrong_by(Trouble::not_definite, u) = failed & ~block.wrong_by(Trouble::not_finite, u);
        }
    }
    VECH_INLINE void exponentials(B& block) const {
        for (int u = 0; u < lots; ++u)
            for (int k = 0; k < n(); ++k) block.w[k][u] = exponential(block.w[k][u] * block.unit[u] * block.far[u]);
    }
    VECH_INLINE void powers(B& block) const {
        const Power power(job.exponent);
        for (int u = 0; u < lots; ++u) {
            Mask negative = {}, none = {};
            const Doubles shift = block.shift(u);
            Doubles largest = {};
            for (int k = 0; k < n(); ++k) largest = larger(largest, size_of(block.w[k][u]));
            for (int k = 0; k < n(); ++k) {
                Doubles x = block.w[k][u];
                if (!power.whole && job.exponent > 0) x = only((x > 0.0) | (-x > job.tolerance * largest), x);
                const Mask below = x < 0.0, zero = x == 0.0;
                negative |= power.whole ? Mask{} : below;
                none |= zero;
                Doubles y = power.of(choose(zero, all(1.0), size_of(x)), shift);
                if (power.odd) y = choose(below, -y, y);
                block.w[k][u] = choose(zero, all(job.exponent == 0 ? 1.0 : 0.0), y);
            }
            const Mask finite = ~block.wrong_by(Trouble::not_finite, u);
            if (!power.whole)
                block.wrong_by(Trouble::not_definite, u) = finite & (job.exponent < 0 ? negative | none : negative);
            if (power.whole && job.exponent < 0) block.wrong_by(Trouble::singular, u) = none & finite;
        }
    }

    // ---- tasks

    void block(std::int64_t first, int count) const {
        B b;
        for (auto& masks : b.wrong)
            for (auto& mask : masks) mask = Mask{};
        for (auto& minor : b.minor) minor = Doubles{};
        take(b, first, count);
        using Task = SmallMatrices::Task;
        switch (job.task) {
            case Task::cholesky: cholesky(b); break;
            case Task::inverse:
            case Task::slogdet:
            case Task::solve: divide(b, first, count); break;
            default: spectral(b, first, count);
        }
        if (job.task <= SmallMatrices::last_of_halves) give_half(b, first, count);
        report(b, first, count);
    }

    VECH_INLINE void cholesky(B& b) const {
        Doubles inverse[B::room][lots];
        b.lift();
        b.factor(inverse);
        for (int u = 0; u < lots; ++u)
            if (any(b.far[u] < 1.0))
                for (int k = 0; k < cells(); ++k)
                    b.a[k][u] = b.a[k][u] * choose(b.far[u] < 1.0, all(0x1p-300), all(1.0));
    }

    VECH_INLINE void spectral(B& b, std::int64_t first, int count) const {
        using Task = SmallMatrices::Task;
        b.scale();
        b.decompose(job.task != Task::eigh || job.vectors != nullptr);
        if (job.task == Task::eigh) return eigenpairs(b, first, count);
        if (job.task == Task::log) logarithms(b);
        if (job.task == Task::exp) exponentials(b);
        if (job.task == Task::power) powers(b);
        b.compose();
    }

    // By L where there is one, else by eigenvalues: which one it is hangs on the matrix alone.
    void divide(B& b, std::int64_t first, int count) const {
        Doubles inverse[B::room][lots];
        b.lift();
        b.factor(inverse);
        Mask others[lots];
        bool some = false;
        for (int u = 0; u < lots; ++u) {
            others[u] = std::exchange(b.wrong_by(Trouble::not_definite, u), Mask{});
            some |= any(others[u]);
        }
        B e;
        // Beside others an eigenvalue below their error is zero; of a diagonal matrix all are exact.
        Doubles least[lots] = {};
        if (some) {
            for (auto& masks : e.wrong)
                for (auto& mask : masks) mask = Mask{};
            take(e, first, count);
            e.scale();
            Mask diagonal[lots];
            for (int u = 0; u < lots; ++u) {
                Doubles off = {};
                for (int i = 1; i < n(); ++i)
                    for (int j = 0; j < i; ++j) off = larger(off, size_of(e.a[cell(i, j)][u]));
                diagonal[u] = off == 0.0;
            }
            e.decompose(true);
            for (int u = 0; u < lots; ++u) {
                for (int k = 0; k < n(); ++k) least[u] = larger(least[u], size_of(e.w[k][u]));
                least[u] = choose(diagonal[u], Doubles{}, least[u] * 0x1p-50);
            }
        }
        using Task = SmallMatrices::Task;
        if (job.task == Task::slogdet) return determinants(b, e, others, some, first, count);
        for (int u = 0; u < lots; ++u)
            for (int k = 0; some && k < n(); ++k) {
                const Mask zero = size_of(e.w[k][u]) <= least[u];
                b.wrong_by(Trouble::singular, u) |= others[u] & zero;
                e.w[k][u] = 1.0 / choose(zero, all(1.0), e.w[k][u]);
            }
        if (job.task == Task::solve) return solutions(b, e, inverse, others, some, first, count);
        b.invert(inverse);
        if (!some) return;
        e.compose();
        for (int u = 0; u < lots; ++u)
            for (int k = 0; k < cells(); ++k)
                b.a[k][u] = choose(others[u], e.a[k][u] / e.unit[u] / e.far[u], b.a[k][u]);
    }

    void determinants(B& b, const B& e, const Mask* others, bool some, std::int64_t first, int count) const {
        constexpr double log2 = 0x1.62e42fefa39efp-1;
        alignas(64) double signs[lanes_of_block], logarithms[lanes_of_block];
        for (int u = 0; u < lots; ++u) {
            Doubles sign = all(1.0), sum = choose(b.far[u] < 1.0, all(-300.0 * n()), Doubles{}) * log2;
            for (int k = 0; k < n(); ++k) sum = sum + log(b.a[cell(k, k)][u]);
            sum = sum + sum;
            if (some) {
                Doubles product = all(1.0), more = e.shift(u) * (n() * log2);
                for (int k = 0; k < n(); ++k) {
                    const Doubles w = e.w[k][u];
                    product = choose(w < 0.0, -product, choose(w > 0.0, product, Doubles{}));
                    more = more + log(choose(w == 0.0, all(1.0), size_of(w)));
                }
                more = choose(product == 0.0, all(-std::numeric_limits<double>::infinity()), more);
                sign = choose(others[u], product, sign);
                sum = choose(others[u], more, sum);
            }
            std::memcpy(signs + u * width, &sign, sizeof sign);
            std::memcpy(logarithms + u * width, &sum, sizeof sum);
        }
        put([&](int) VECH_ALWAYS { return &signs[0]; }, 1, job.results, first, count);
        put([&](int) VECH_ALWAYS { return &logarithms[0]; }, 1, job.vectors, first, count);
    }

    template <class Real>
    VECH_INLINE void column(double (*raw)[lanes_of_block], std::int64_t c, std::int64_t first, int count) const {
        for (int lane = 0; lane < lanes_of_block; ++lane)
            for (int i = 0; i < n(); ++i) {
                const auto row = (first + std::min(lane, count - 1)) * n() + i;
                raw[i][lane] = static_cast<double>(load<Real>(job.right + (row * job.columns + c) * job.real));
            }
    }

    void solutions(B& b, const B& e, const Doubles (*inverse)[lots], const Mask* others, bool some, std::int64_t first,
                   int count) const {
        alignas(64) double raw[B::room][lanes_of_block];
        for (std::int64_t c = 0; c < job.columns; ++c) {
            if (job.real == 8)
                column<double>(raw, c, first, count);
            else
                column<float>(raw, c, first, count);
            Doubles x[B::room][lots], y[B::room][lots];
            for (int k = 0; k < n(); ++k) std::memcpy(y[k], raw[k], sizeof raw[k]);
            for (int u = 0; u < lots; ++u) {
                for (int i = 0; i < n(); ++i) {
                    Doubles sum = y[i][u] / b.far[u];
                    for (int k = 0; k < i; ++k) sum = plus(-b.a[cell(i, k)][u], x[k][u], sum);
                    x[i][u] = sum * inverse[i][u];
                }
                for (int i = n() - 1; i >= 0; --i) {
                    Doubles sum = x[i][u];
                    for (int k = i + 1; k < n(); ++k) sum = plus(-b.a[cell(k, i)][u], x[k][u], sum);
                    x[i][u] = sum * inverse[i][u];
                }
                if (some) {
                    Doubles turned[B::room];
                    for (int k = 0; k < n(); ++k) {
                        Doubles sum = {};
                        for (int i = 0; i < n(); ++i) sum = plus(e.v[i * n() + k][u], y[i][u], sum);
                        turned[k] = sum * e.w[k][u] / e.unit[u] / e.far[u];
                    }
                    for (int i = 0; i < n(); ++i) {
                        Doubles sum = {};
                        for (int k = 0; k < n(); ++k) sum = plus(e.v[i * n() + k][u], turned[k], sum);
                        x[i][u] = choose(others[u], sum, x[i][u]);
                    }
                }
                for (int i = 0; i < n(); ++i) b.wrong_by(Trouble::beyond, u) |= beyond(x[i][u]);
            }
            for (int k = 0; k < n(); ++k) std::memcpy(raw[k], x[k], sizeof raw[k]);
            for (int lane = 0; lane < count; ++lane)
                for (int i = 0; i < n(); ++i) {
                    auto* const to = job.results + (((first + lane) * n() + i) * job.columns + c) * job.real;
                    if (job.real == 8)
                        store(to, raw[i][lane]);
                    else
                        store(to, static_cast<float>(raw[i][lane]));
                }
        }
    }

    VECH_INLINE void eigenpairs(B& block, std::int64_t first, int count) const {
        block.sort();
        alignas(64) double raw[B::room * B::room][lanes_of_block];
        for (int u = 0; u < lots; ++u) {
            Mask over = {};
            for (int k = 0; k < n(); ++k) {
                block.w[k][u] = block.w[k][u] * block.unit[u] * block.far[u];
                over |= beyond(block.w[k][u]);
            }
            block.wrong_by(Trouble::beyond, u) = over;
        }
        for (int k = 0; k < n(); ++k) std::memcpy(raw[k], block.w[k], sizeof raw[k]);
        const auto row = [&](int k) VECH_ALWAYS { return &raw[k][0]; };
        put(row, n(), job.results, first, count);
        if (job.vectors == nullptr) return;
        for (int k = 0; k < n() * n(); ++k) std::memcpy(raw[k], block.v[k], sizeof raw[k]);
        put(row, n() * n(), job.vectors, first, count);
    }

    VECH_INLINE void report(B& block, std::int64_t first, int count) const {
        Mask some = {};
        for (const auto& masks : block.wrong)
            for (const auto& mask : masks) some |= mask;
        if (!any(some)) return;
        for (int lane = 0; lane < count; ++lane)
            for (int trouble = 0; trouble < 4; ++trouble) {
                if (!block.wrong[trouble][lane / width][lane % width]) continue;
                const auto minor = static_cast<std::int64_t>(block.minor[lane / width][lane % width]);
                const std::int64_t found = (first + lane) << 8 | trouble << 5 | minor;
                auto least = first_trouble.load();
                while (found < least && !first_trouble.compare_exchange_weak(least, found)) continue;
                return;
            }
    }
};

}  // namespace

FirstTrouble solve_small(const SmallMatrices& job, int threads, Watch& watch) {
    constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max(), unit_bytes = 1 << 19;
    const std::int64_t bytes = (job.stored + job.n * (job.n + 1)) * 8;
    const auto each = std::max<std::int64_t>(unit_bytes / bytes / lanes_of_block, 1) * lanes_of_block;
    std::atomic<std::int64_t> found{none};
    parallel_for((job.count + each - 1) / each, threads, watch, [&](std::int64_t unit) {
        const auto first = unit * each, last = std::min(first + each, job.count);
        switch (job.n) {
            case 2: return Solver<2>::run(job, first, last, found);
            case 3: return Solver<3>::run(job, first, last, found);
            case 6: return Solver<6>::run(job, first, last, found);
            default: return Solver<0>::run(job, first, last, found);
        }
    });
    const auto first = found.load();
    if (first == none) return {};
    return {first >> 8, static_cast<Trouble>(first >> 5 & 7), static_cast<int>(first & 31)};
}

VECH_TARGET_END
