// gram: a sparse matrix X -> one triangle of X X^H, as CSR or straight into a half.
//
// Formula      g_rc = sum over k of left_rk * right_ck, k ascending, for the c of run r.
// Idea         X once more by columns, and for each number of X its place there: what comes at or after it is the part
//              of its column that lies in the wanted triangle. A run is summed up in a row of n numbers. Is there much
//              in it, the row is compressed as a scan does; is there little, columns met for the first time are listed
//              and put in order by the bits of a tree, so that nothing takes as long as a row is.
// Accumulator  of the type of the numbers; int64 for integers.
// Memory       X again, 16 bytes for each of its numbers, n numbers a thread, and what is found.
// Results      the same for any thread count: a run is computed by one thread.
#pragma once
#include "core/gram.hpp"
#include "core/kernels/change.hpp"
#include "core/kernels/compress.hpp"
#include "core/kernels/found.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real>
struct Complex {
    Real real = 0, imaginary = 0;
    bool operator==(const Complex&) const = default;
};
template <class Real>
Complex<Real> operator*(Complex<Real> a, Complex<Real> b) {
    return {a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real};
}
template <class Real>
Complex<Real>& operator+=(Complex<Real>& a, Complex<Real> b) {
    a.real += b.real;
    a.imaginary += b.imaginary;
    return a;
}

// The word that holds a number, and the bits of which one is set unless it is zero.
template <class V>
struct Pattern {
    using Word = std::uint64_t;
    static constexpr Word keep = ~Word{0};
};
template <>
struct Pattern<float> {
    using Word = std::uint32_t;
    static constexpr Word keep = 0x7fffffff;
};
template <>
struct Pattern<double> {
    using Word = std::uint64_t;
    static constexpr Word keep = 0x7fffffffffffffff;
};
template <>
struct Pattern<Complex<float>> {
    using Word = std::uint64_t;
    static constexpr Word keep = 0x7fffffff7fffffff;
};
template <>
struct Pattern<Complex<double>> {
    using Word = Word16;
    static constexpr Word keep = {0x7fffffffffffffff, 0x7fffffffffffffff};
};

// What becomes of a sum: small ones vanish, NaN stays.
template <class V>
struct Filter {
    V threshold, bound;
    explicit Filter(const Gram& job)
        : threshold(static_cast<V>(job.threshold)), bound(job.unit ? V{1} : std::numeric_limits<V>::infinity()) {}
    V operator()(V sum) const {
        const V size = sum < 0 ? -sum : sum;
        const V held = size > bound ? (sum < 0 ? -bound : bound) : sum;
        return size <= threshold ? V{0} : held;
    }
};
template <>
struct Filter<std::int64_t> {
    std::int64_t threshold;
    explicit Filter(const Gram& job) : threshold(static_cast<std::int64_t>(std::min(job.threshold, 9e18))) {}
    std::int64_t operator()(std::int64_t sum) const { return (sum < 0 ? -sum : sum) <= threshold ? 0 : sum; }
};
template <class Real>
struct Filter<Complex<Real>> {
    double threshold;
    explicit Filter(const Gram& job) : threshold(job.threshold) {}
    Complex<Real> operator()(Complex<Real> sum) const {
        const bool small =
            threshold == 0 ? sum == Complex<Real>{} : std::hypot(double{sum.real}, double{sum.imaginary}) <= threshold;
        return small ? Complex<Real>{} : sum;
    }
};

// A set of integers below n that is emptied in ascending order: bit k of a word says that word k below it has bits.
class Tree {
  public:
    bool get(std::int64_t n) {
        std::int64_t words = 0;
        for (levels_ = 0; levels_ == 0 || n > 1; ++levels_) {
            n = (n + 63) / 64;
            begins_[levels_] = words;
            words += n;
        }
        return words_.get_zeros(words);
    }
    void add(std::int64_t k) {
        for (int level = 0; level < levels_; ++level, k >>= 6) {
            auto& word = words_[begins_[level] + (k >> 6)];
            const bool known = word != 0;
            word |= std::uint64_t{1} << (k & 63);
            if (known) return;
        }
    }
    template <class Body>
    void empty(Body&& body) {
        empty(levels_ - 1, 0, body);
    }

  private:
    template <class Body>
    void empty(int level, std::int64_t k, Body& body) {
        auto word = std::exchange(words_[begins_[level] + k], 0);
        for (; word != 0; word &= word - 1) {
            const auto next = k * 64 + std::countr_zero(word);
            level == 0 ? body(next) : empty(level - 1, next, body);
        }
    }

    Memory<std::uint64_t> words_;
    std::int64_t begins_[6] = {};
    int levels_ = 0;
};

// X by columns, and for each number of X by rows the part of its column that lies in its run.
template <class V, bool ones>
class Columns {
  public:
    explicit Columns(const Gram& job) : job_(job) {}

    // Also how much work is in the runs before each. The arrays are the user's: what could lead out of bounds is looked
    // for, in the second look at the columns again; where rows begin is looked at once.
    Fault make(std::int64_t* work, Watch& watch) {
        const auto count = job_.count;
        if (!indptr_.get(job_.n + 1)) return Fault::out_of_memory;
        std::copy_n(job_.indptr, job_.n + 1, indptr_.at);
        if (indptr_[0] != 0 || indptr_[job_.n] != count || !std::is_sorted(indptr_.at, indptr_.at + job_.n + 1))
            return Fault::malformed;
        Memory<Range> columns;
        if (!columns.get_zeros(job_.columns) || !rows_.get(count) || !parts_.get(count) ||
            !numbers_.get(ones ? 0 : count))
            return Fault::out_of_memory;
        for (std::int64_t p = 0; p < count; ++p) {
            const std::int64_t k = once(job_.indices[p]);
            if (!has_column(k)) return Fault::malformed;
            ++columns[k].end;
        }
        std::int64_t begin = 0;
        for (std::int64_t k = 0; k < job_.columns; ++k) {
            const auto end = begin + columns[k].end;
            columns[k] = {begin, job_.grow ? begin : end};
            begin = end;
        }
        work[0] = 0;
        for (std::int64_t r = 0; r < job_.n; ++r) {
            work[r + 1] = work[r] + 1;
            if (r % 65536 == 0 && watch.stop()) return Fault::none;
            for (auto p = indptr_[r]; p < indptr_[r + 1]; ++p) {
                const std::int64_t k = once(job_.indices[p]);
                if (!has_column(k) || columns[k].begin == count) return Fault::changed;
                auto& [place, other] = columns[k];
                rows_[place] = static_cast<std::int32_t>(r);
                if constexpr (!ones) numbers_[place] = load<V>(job_.right + p * sizeof(V));
                parts_[p] = job_.grow ? Range{other, place + 1} : Range{place, other};
                work[r + 1] += parts_[p].size();
                ++place;
            }
        }
        // Each column has had all of its numbers: what was counted is what came.
        for (std::int64_t k = 0; k < job_.columns; ++k) {
            const auto end = !job_.grow ? columns[k].end : k + 1 < job_.columns ? columns[k + 1].end : count;
            if (columns[k].begin != end) return Fault::changed;
        }
        return Fault::none;
    }

    bool is_empty(std::int64_t r) const { return indptr_[r] == indptr_[r + 1]; }

    // Calls body(c, product) for each product of run r.
    template <class Body>
    VECH_INLINE void each(std::int64_t r, Body&& body) const {
        for (auto p = indptr_[r], end = indptr_[r + 1]; p < end; ++p) {
            // Short columns are anywhere: 71 ms for 78 (8000 rows, 20 numbers a column).
            const auto soon = parts_[std::min(p + ahead, job_.count - 1)].begin;
            __builtin_prefetch(rows_.at + soon);
            if constexpr (!ones) __builtin_prefetch(numbers_.at + soon);
            const auto [first, last] = parts_[p];
            if constexpr (ones) {
                for (auto at = first; at < last; ++at) body(rows_[at], V{1});
            } else {
                const auto factor = load<V>(job_.left + p * sizeof(V));
                for (auto at = first; at < last; ++at) body(rows_[at], factor * numbers_[at]);
            }
        }
    }

  private:
    static constexpr std::int64_t ahead = 4;

    bool has_column(std::int64_t k) const {
        return static_cast<std::uint64_t>(k) < static_cast<std::uint64_t>(job_.columns);
    }

    const Gram& job_;
    Memory<std::int64_t> indptr_;
    Memory<Range> parts_;
    Memory<std::int32_t> rows_;
    Memory<V> numbers_;
};

// Computes runs, one after the other.
template <class V, bool ones>
class Summation {
  public:
    using Word = typename Pattern<V>::Word;

    Summation(const Gram& job, const Columns<V, ones>& columns) : job_(job), columns_(columns), filter_(job) {}

    bool get() { return sums_.get_zeros(job_.n) && list_.get(job_.n / sparse_from) && tree_.get(job_.n); }

    // Run r, of so many products, without what is zero, to the end of what was found. False: no memory.
    bool append(std::int64_t r, std::int64_t products, Found<Word>& found) {
        const auto [first, last] = job_.grow ? Range{0, r + 1} : Range{r, job_.n};
        if (products * sparse_from <= last - first) return found.reserve(products) && (list(r, found), true);
        if (!found.reserve(last - first)) return false;
        fill(r, sums_.at);
        filter(sums_.at + first, last - first);
        found.size += compress<Word>(reinterpret_cast<const std::byte*>(sums_.at + first), last - first,
                                     Pattern<V>::keep, first, found.values + found.size, found.columns + found.size);
        std::memset(static_cast<void*>(sums_.at + first), 0, static_cast<std::size_t>(last - first) * sizeof(V));
        return true;
    }

    // Run r into zeros; returns how many numbers are none.
    std::int64_t put(std::int64_t r, V* sums) {
        const auto [first, last] = job_.grow ? Range{0, r + 1} : Range{r, job_.n};
        fill(r, sums);
        return filter(sums + first, last - first);
    }

  private:
    static constexpr std::int64_t sparse_from = 16;  // columns in a run for each product
    static constexpr std::int64_t few = 24;          // are sorted

    void fill(std::int64_t r, V* sums) const {
        columns_.each(r, [sums](std::int32_t c, V product) { sums[c] += product; });
        settle(r, sums);
    }

    // The diagonal, which is real: GCC 12 fuses the parts of complex products, and so they do not cancel.
    void settle(std::int64_t r, V* sums) const {
        if constexpr (requires { sums->imaginary; }) sums[r].imaginary = 0;
        if (job_.unit && !columns_.is_empty(r)) sums[r] = V{1};
    }

    std::int64_t filter(V* sums, std::int64_t count) const {
        std::int64_t kept = 0;
        const auto keep = filter_;
        for (std::int64_t c = 0; c < count; ++c) {
            sums[c] = keep(sums[c]);
            kept += !(sums[c] == V{});
        }
        return kept;
    }

    void list(std::int64_t r, Found<Word>& found) {
        std::int64_t listed = 0;
        auto* const sums = sums_.at;
        auto* const columns = list_.at;
        columns_.each(r, [&](std::int32_t c, V product) {
            columns[listed] = c;
            listed += sums[c] == V{};  // a sum that was zero again on its way is listed twice
            sums[c] += product;
        });
        settle(r, sums);
        const auto push = [&](std::int64_t c) {
            const V sum = filter_(std::exchange(sums[c], V{}));
            if (!(sum == V{})) found.push(load<Word>(&sum), c);
        };
        if (listed > few) {
            for (std::int64_t k = 0; k < listed; ++k) tree_.add(columns[k]);
            return tree_.empty(push);
        }
        for (std::int64_t k = 1; k < listed; ++k) {
            const auto c = columns[k];
            auto at = k;
            for (; at > 0 && columns[at - 1] > c; --at) columns[at] = columns[at - 1];
            columns[at] = c;
        }
        for (std::int64_t k = 0; k < listed; ++k) push(columns[k]);
    }

    const Gram& job_;
    const Columns<V, ones>& columns_;
    Filter<V> filter_;
    Memory<V> sums_;
    Memory<std::int32_t> list_;
    Tree tree_;
};

template <class V, bool ones>
class Grammian {
  public:
    using Word = typename Pattern<V>::Word;

    Grammian(const Gram& job, int threads, Watch& watch, GramResult& result)
        : job_(job), threads_(threads), watch_(watch), result_(result), columns_(job) {}

    void run() {
        const auto fault = work_.get(job_.n + 1) ? columns_.make(work_.at, watch_) : Fault::out_of_memory;
        result_.fault = fault;
        if (fault != Fault::none || watch_.stop()) return;
        if (job_.half != nullptr) return into_half();
        const auto likely = expected();
        result_.too_many = job_.samples && likely > static_cast<double>(job_.most);
        if (!result_.too_many && result_.fault == Fault::none)
            into_csr(static_cast<std::int64_t>(1.1 * likely) + 131072);
    }

  private:
    // Runs [first, last) of one of `shares` parts of about equal work.
    std::pair<std::int64_t, std::int64_t> runs_of(std::int64_t share, std::int64_t shares) const {
        const auto bound = [&](std::int64_t k) {
            const auto part = static_cast<double>(k) / static_cast<double>(shares);
            const auto wanted = static_cast<std::int64_t>(static_cast<double>(work_[job_.n]) * part);
            return k == shares ? job_.n : std::lower_bound(work_.at, work_.at + job_.n, wanted) - work_.at;
        };
        return {bound(share), bound(share + 1)};
    }

    // What some runs say of how much will be found: one of each stretch.
    double expected() {
        const auto stretches = std::min<std::int64_t>(job_.n / 16, 128);
        Summation<V, ones> summation(job_, columns_);
        Found<Word> found;
        if (!summation.get()) return result_.fail(Fault::out_of_memory), 0.0;
        std::uint64_t chance = 0;
        double sum = 0;
        for (std::int64_t k = 0; k < stretches && !watch_.stop(); ++k) {
            const auto first = job_.n * k / stretches, count = job_.n * (k + 1) / stretches - first;
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            found.size = 0;
            const auto r = first + static_cast<std::int64_t>((chance >> 33) % static_cast<std::uint64_t>(count));
            if (!summation.append(r, work_[r + 1] - work_[r], found)) return result_.fail(Fault::out_of_memory), 0.0;
            sum += static_cast<double>(found.size * count);
        }
        return sum;
    }

    void into_half() {
        const Half half{job_.n, job_.grow, true};
        const auto shares =
            std::clamp<std::int64_t>((work_[job_.n] + half.length()) >> 20, 1, std::max<std::int64_t>(job_.n, 1));
        std::atomic<std::int64_t> kept{0};
        parallel_for(shares, threads_, watch_, [&](std::int64_t share) {
            Summation<V, ones> summation(job_, columns_);
            const auto [first, last] = runs_of(share, shares);
            std::int64_t mine = 0;
            for (auto r = first; r < last; ++r)
                mine += summation.put(r, reinterpret_cast<V*>(job_.half) + half.origin(r));
            kept += mine;
        });
        result_.nonzeros = kept;
    }

    void into_csr(std::int64_t likely) {
        const auto shares = std::clamp<std::int64_t>(work_[job_.n] >> 16, 1, threads_);
        const std::unique_ptr<Found<Word>[]> found(new (std::nothrow) Found<Word>[static_cast<std::size_t>(shares)]);
        std::atomic<bool> failed{!found || !resize(result_.indptr, job_.n + 1)}, too_many{false};
        std::atomic<std::int64_t> kept{0};
        if (failed) return result_.fail(Fault::out_of_memory);
        parallel_for(shares, threads_, watch_, [&](std::int64_t share) {
            Summation<V, ones> summation(job_, columns_);
            auto& mine = found[static_cast<std::size_t>(share)];
            const auto [first, last] = runs_of(share, shares);
            // The first share also takes what the others find.
            if (!summation.get() || !mine.reserve(share == 0 ? likely : likely / shares)) failed = true;
            std::int64_t since = 0;
            for (auto r = first; r < last && !failed && !too_many; ++r) {
                const auto before = mine.size;
                if (!summation.append(r, work_[r + 1] - work_[r], mine)) failed = true;
                result_.indptr[r + 1] = mine.size;
                if ((kept += mine.size - before) > job_.most) too_many = true;
                if ((since += work_[r + 1] - work_[r]) < megabyte) continue;
                if (watch_.stop()) return;
                since = 0;
            }
        });
        if (failed) return result_.fail(Fault::out_of_memory);
        result_.too_many = too_many;
        if (too_many || watch_.stop()) return result_.release();
        join(
            found.get(), shares, [&](std::int64_t share) { return runs_of(share, shares); }, threads_, watch_, result_);
    }

    const Gram& job_;
    int threads_;
    Watch& watch_;
    GramResult& result_;
    Columns<V, ones> columns_;
    Memory<std::int64_t> work_;
};

}  // namespace

void gram(const Gram& job, int threads, Watch& watch, GramResult& result) {
    const auto with = [&]<class V, bool ones>(V, std::bool_constant<ones>) {
        Grammian<V, ones>(job, threads, watch, result).run();
    };
    switch (job.number) {
        case Gram::Number::f4: return with(float{}, std::false_type{});
        case Gram::Number::f8: return with(double{}, std::false_type{});
        case Gram::Number::c4: return with(Complex<float>{}, std::false_type{});
        case Gram::Number::c8: return with(Complex<double>{}, std::false_type{});
        case Gram::Number::i8: return with(std::int64_t{}, std::false_type{});
        default: return with(std::int64_t{}, std::true_type{});
    }
}

VECH_TARGET_END
