// link: hierarchical clustering of a half of distances.
//
// Formula      how far a cluster is from x and y joined, from how far it is from x and from y and x from y, by the
//              recurrence of Lance and Williams, in SciPy's order of operations, so that float64 has SciPy's bits. Of
//              equals the first is taken, by largest leaves, but in a chain the one before, as in SciPy.
// Idea         `single` is Prim's tree, which looks at each pair once, in the half as it lies. Where what is joined is
//              no nearer than its parts were (complete, average, weighted, ward), a chain of neighbours is walked;
//              the others have a heap of lower bounds (Müllner 2011, arXiv:1109.2378).
//              A row is one run and a number of each run beyond, so half of it is a cache line a number. Hence: rows
//              looked at lately are held apart and kept true; runs grow, so that clusters, which keep the place of
//              their largest leaf, have long ones; and runs and numbers of clusters that are no more are squeezed out.
// Accumulator  double; float32 is rounded after each update, so a height has an error of 6e-8 for each link below it at
//              worst. `single` and `complete` only choose numbers.
// Memory       that of the half; `held` rows besides.
// Bytes moved  by `single` the half once, by a chain 3 rows for each link, many of them from those that are held.
//              A number beyond a run costs a cache line: with these in the cache in time, and what is gone left out, it
//              takes 0.2 s for n = 6000 (average, float64), for 1.1 s of SciPy.
#pragma once
#include "core/kernels/change.hpp"
#include "core/kernels/region.hpp"
#include "core/layout.hpp"
#include "core/linkage.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real>
constexpr Real infinite = std::numeric_limits<Real>::infinity();

// The least of some numbers, and where it stands first. NaN is none of them; without any, infinity.
template <class Real>
VECH_INLINE Real least_of(const Real* numbers, std::int64_t count) {
    constexpr int lanes = 32;
    Real least[lanes];
    std::fill_n(least, lanes, infinite<Real>);
    std::int64_t k = 0;
    for (; k + lanes <= count; k += lanes)
        for (int lane = 0; lane < lanes; ++lane)
            least[lane] = numbers[k + lane] < least[lane] ? numbers[k + lane] : least[lane];
    for (; k < count; ++k) least[0] = numbers[k] < least[0] ? numbers[k] : least[0];
    Real found = least[0];
    for (int lane = 1; lane < lanes; ++lane) found = least[lane] < found ? least[lane] : found;
    return found;
}
template <class Real>
VECH_INLINE std::int64_t first_of(const Real* numbers, std::int64_t count, Real wanted) {
    constexpr int lanes = 32;
    std::int64_t k = 0;
    for (; k + lanes <= count; k += lanes) {
        int here = 0;
        for (int lane = 0; lane < lanes; ++lane) here |= numbers[k + lane] == wanted;
        if (here) break;
    }
    while (k < count && numbers[k] != wanted) ++k;
    return k;
}

// The clusters that are left, by their places, ascending.
class Left {
  public:
    bool get(std::int64_t n) {
        if (!places_.get(n)) return false;
        std::iota(places_.at, places_.at + n, 0);
        count_ = n;
        return true;
    }
    std::int64_t count() const { return count_; }
    const std::int32_t* begin() const { return places_.at; }
    const std::int32_t* end() const { return places_.at + count_; }
    const std::int32_t* from(std::int64_t place) const {
        return std::lower_bound(begin(), end(), static_cast<std::int32_t>(place));
    }
    void remove(std::int64_t place) {
        auto* at = const_cast<std::int32_t*>(from(place));
        std::memmove(at, at + 1, static_cast<std::size_t>(end() - at - 1) * sizeof *at);
        --count_;
    }
    void renumber() { std::iota(places_.at, places_.at + count_, 0); }

  private:
    Memory<std::int32_t> places_;
    std::int64_t count_ = 0;
};

// Calls body(place, address(place)) for some of them, with the addresses of later ones on their way into the cache:
// 0.22 s for 0.28 (average, float64, n = 6000), 0.09 for 0.13 (single). Half as far ahead it is 0.24 and 0.10.
template <class Address, class Body>
VECH_INLINE void each(const std::int32_t* first, const std::int32_t* last, Address&& address, Body&& body) {
    constexpr std::ptrdiff_t ahead = 64;
    for (const auto* at = first; at < last; ++at) {
        __builtin_prefetch(address(at[std::min(ahead, last - at - 1)]), 0, 2);
        body(*at, address(*at));
    }
}

// Prim's tree: to the cluster of leaf 0, the nearest other one, again and again.
template <class Real>
void span(Linkage& job, Watch& watch) {
    const auto n = job.half.n;
    const auto* words = reinterpret_cast<const Real*>(job.words);
    Memory<Real> nearest;  // how far from the tree; NaN in it
    Left left;
    if (!nearest.get(n) || !left.get(n)) {
        job.fault = Linkage::Fault::out_of_memory;
        return;
    }
    std::fill_n(nearest.at, n, infinite<Real>);
    for (std::int64_t x = 0; job.found < n - 1; ++job.found) {
        if (watch.stop()) return;
        left.remove(x);
        nearest[x] = std::numeric_limits<Real>::quiet_NaN();
        const auto* row = words + job.half.origin(x);
        const auto [first, last] = job.half.grow ? Range{0, x} : Range{x + 1, n};
        for (auto c = first; c < last; ++c) nearest[c] = row[c] < nearest[c] ? row[c] : nearest[c];
        const auto column = [&](std::int64_t place) { return words + job.half.origin(place) + x; };
        const auto* const here = left.from(x);
        each(job.half.grow ? here : left.begin(), job.half.grow ? left.end() : here, column,
             [&](std::int64_t place, const Real* apart) {
                 nearest[place] = *apart < nearest[place] ? *apart : nearest[place];
             });
        const auto least = least_of(nearest.at, n);
        const auto y = first_of(nearest.at, n, least);
        job.links[job.found] = {static_cast<double>(x), static_cast<double>(y), static_cast<double>(least), 0};
        x = y;
    }
}

struct Couple {
    double apart, size_x, size_y;
};

// How far a cluster of `size` leaves is from x and y joined.
template <Linkage::Method method>
struct Joined : Couple {
    VECH_INLINE double operator()(double x, double y, double size) const {
        using enum Linkage::Method;
        if constexpr (method == complete) return x > y ? x : y;
        if constexpr (method == average) return (size_x * x + size_y * y) / (size_x + size_y);
        if constexpr (method == weighted) return 0.5 * (x + y);
        if constexpr (method == ward) {
            const double t = 1.0 / (size_x + size_y + size);
            return std::sqrt((size + size_x) * t * x * x + (size + size_y) * t * y * y - size * t * apart * apart);
        }
        if constexpr (method == centroid) {
            const double both = size_x + size_y;
            return std::sqrt(((size_x * x * x + size_y * y * y) - (size_x * size_y * apart * apart) / both) / both);
        }
        if constexpr (method == median) return std::sqrt(0.5 * (x * x + y * y) - 0.25 * apart * apart);
        return 0;
    }
};

// The distances of x become those of x and y joined, in the row of y. All that depends on the method is here, so that
// the rest is compiled once for them all.
template <Linkage::Method method, class Real>
void join_rows(const Couple& couple, const Real* of_x, Real* of_y, const double* sizes, std::int64_t count) {
    const Joined<method> joined{couple};
    for (std::int64_t c = 0; c < count; ++c)
        of_y[c] = static_cast<Real>(joined(static_cast<double>(of_x[c]), static_cast<double>(of_y[c]), sizes[c]));
}
template <class Real>
void join_rows(Linkage::Method method, const Couple& couple, const Real* of_x, Real* of_y, const double* sizes,
               std::int64_t count) {
    using enum Linkage::Method;
    switch (method) {
        case single: return;
        case complete: return join_rows<complete>(couple, of_x, of_y, sizes, count);
        case average: return join_rows<average>(couple, of_x, of_y, sizes, count);
        case weighted: return join_rows<weighted>(couple, of_x, of_y, sizes, count);
        case ward: return join_rows<ward>(couple, of_x, of_y, sizes, count);
        case centroid: return join_rows<centroid>(couple, of_x, of_y, sizes, count);
        case median: return join_rows<median>(couple, of_x, of_y, sizes, count);
    }
}

// A chain of nearest neighbours: where two are each other's, they are joined.
template <class Real>
class Chain {
  public:
    Chain(Linkage& job, Watch& watch)
        : job_(job), watch_(watch), words_(reinterpret_cast<Real*>(job.words)), side_(job.half.n) {}

    void run() {
        const auto n = job_.half.n;
        if (!left_.get(n) || !leaf_.get(n) || !sizes_.get(n) || !gone_.get(n) || !chain_.get(n) || !held_at_.get(n) ||
            !rows_.get(held * n)) {
            job_.fault = Linkage::Fault::out_of_memory;
            return;
        }
        std::iota(leaf_.at, leaf_.at + n, 0);
        std::fill_n(sizes_.at, n, 1.0);
        std::fill_n(gone_.at, n, Real{0});
        forget();
        while (job_.found < n - 1) {
            if (watch_.stop() || !join()) return;
            if (static_cast<double>(left_.count()) < squeezed * static_cast<double>(side_)) squeeze();
        }
    }

  private:
    static constexpr int held = 16;          // rows
    static constexpr double squeezed = 0.7;  // clusters left, of places
    static constexpr std::int32_t nowhere = -1;

    VECH_INLINE std::int64_t origin(std::int64_t place) const { return place * (place - 1) / 2; }
    VECH_INLINE auto column(std::int64_t c) const {
        return [this, c](std::int64_t place) { return words_ + origin(place) + c; };
    }

    // One link: two that are each other's nearest.
    bool join() {
        if (length_ == 0) chain_[length_++] = *left_.begin();
        while (true) {
            const auto x = chain_[length_ - 1];
            const auto* row = row_of(x);
            const auto least = least_of(row, side_);
            if (!(least < infinite<Real>)) {
                job_.fault = Linkage::Fault::lost;
                return false;
            }
            if (length_ > 1 && !(least < row[chain_[length_ - 2]])) break;
            chain_[length_++] = static_cast<std::int32_t>(first_of(row, side_, least));
        }
        length_ -= 2;
        const auto [x, y] = std::minmax({chain_[length_], chain_[length_ + 1]});
        merge(x, y);
        return true;
    }

    void merge(std::int64_t x, std::int64_t y) {
        const auto* from = row_of(x);
        auto* row = row_of(y);
        const auto apart = row[x];
        const double size = sizes_[x] + sizes_[y];
        job_.links[job_.found++] = {static_cast<double>(leaf_[x]), static_cast<double>(leaf_[y]),
                                    static_cast<double>(apart), size};
        join_rows(job_.method, {static_cast<double>(apart), sizes_[x], sizes_[y]}, from, row, sizes_.at, side_);
        row[x] = row[y] = infinite<Real>;
        let_go(x);
        left_.remove(x);
        sizes_[x] = 0;
        gone_[x] = infinite<Real>;
        sizes_[y] = size;
        std::copy_n(row, y, words_ + origin(y));
        each(left_.from(y + 1), left_.end(), column(y), [row](std::int64_t place, Real* to) { *to = row[place]; });
        for (int k = 0; k < held; ++k) {
            const auto place = place_[k];
            if (place == nowhere || place == y) continue;
            auto* other = rows_.at + k * job_.half.n;
            other[x] = infinite<Real>;
            other[y] = row[place];
        }
    }

    // The distances of a cluster, infinite to itself and to what is gone.
    Real* row_of(std::int64_t place) {
        if (held_at_[place] == nowhere) {
            const auto oldest = std::min_element(used_, used_ + held) - used_;
            if (place_[oldest] != nowhere) held_at_[place_[oldest]] = nowhere;
            place_[oldest] = static_cast<std::int32_t>(place);
            held_at_[place] = static_cast<std::int32_t>(oldest);
            read(place, rows_.at + oldest * job_.half.n);
        }
        const auto at = held_at_[place];
        used_[at] = ++clock_;
        return rows_.at + at * job_.half.n;
    }
    void let_go(std::int64_t place) {
        const auto at = std::exchange(held_at_[place], nowhere);
        place_[at] = nowhere;
        used_[at] = 0;
    }

    void read(std::int64_t place, Real* row) const {
        const auto* run = words_ + origin(place);
        const auto* gone = gone_.at;
        for (std::int64_t c = 0; c < place; ++c) row[c] = run[c] + gone[c];
        std::fill(row + place, row + side_, infinite<Real>);
        each(left_.from(place + 1), left_.end(), column(place),
             [row](std::int64_t c, const Real* at) { row[c] = *at; });
    }

    // Only what is left: in place, since nothing moves up.
    void squeeze() {
        const auto* places = left_.begin();
        const auto count = left_.count();
        for (std::int64_t r = 0; r < count; ++r) {
            auto* to = words_ + origin(r);
            const auto* run = words_ + origin(places[r]);
            for (std::int64_t c = 0; c < r; ++c) to[c] = run[places[c]];
            leaf_[r] = leaf_[places[r]];
            sizes_[r] = sizes_[places[r]];
        }
        for (std::int64_t k = 0; k < length_; ++k)
            chain_[k] = static_cast<std::int32_t>(left_.from(chain_[k]) - left_.begin());
        left_.renumber();
        side_ = count;
        std::fill_n(gone_.at, count, Real{0});
        forget();
    }

    void forget() {
        std::fill_n(held_at_.at, side_, nowhere);
        std::fill_n(place_, held, nowhere);
        std::fill_n(used_, held, 0);
    }

    Linkage& job_;
    Watch& watch_;
    Real* words_;
    std::int64_t side_;  // places
    Left left_;
    Memory<std::int32_t> leaf_, chain_, held_at_;
    Memory<double> sizes_;
    Memory<Real> gone_, rows_;
    std::int64_t length_ = 0, clock_ = 0, used_[held] = {};
    std::int32_t place_[held];
};

// Clusters by how far their nearest one is, the least first.
template <class Real>
class Heap {
  public:
    bool get(const Real* values, std::int64_t count) {
        if (!values_.get(count) || !keys_.get(count) || !places_.get(count)) return false;
        std::copy_n(values, count, values_.at);
        std::iota(keys_.at, keys_.at + count, 0);
        std::iota(places_.at, places_.at + count, 0);
        count_ = count;
        for (auto k = count / 2; k-- > 0;) down(k);
        return true;
    }
    std::int64_t key() const { return keys_[0]; }
    Real value() const { return values_[0]; }
    void pop() {
        swap(0, --count_);
        down(0);
    }
    void change(std::int64_t key, Real value) {
        const std::int64_t at = places_[key];
        const bool rises = value < std::exchange(values_[at], value);
        rises ? up(at) : down(at);
    }

  private:
    void up(std::int64_t at) {
        for (auto above = (at - 1) >> 1; at > 0 && values_[above] > values_[at]; above = (at - 1) >> 1) {
            swap(at, above);
            at = above;
        }
    }
    void down(std::int64_t at) {
        for (auto below = 2 * at + 1; below < count_; below = 2 * at + 1) {
            if (below + 1 < count_ && values_[below + 1] < values_[below]) ++below;
            if (!(values_[at] > values_[below])) return;
            swap(at, below);
            at = below;
        }
    }
    void swap(std::int64_t a, std::int64_t b) {
        std::swap(values_[a], values_[b]);
        std::swap(keys_[a], keys_[b]);
        places_[keys_[a]] = static_cast<std::int32_t>(a);
        places_[keys_[b]] = static_cast<std::int32_t>(b);
    }

    Memory<Real> values_;
    Memory<std::int32_t> keys_, places_;
    std::int64_t count_ = 0;
};

// A lower bound for each cluster of how near the ones after it are; the least is looked at first.
template <class Real>
class Bounds {
  public:
    Bounds(Linkage& job, Watch& watch)
        : job_(job), watch_(watch), words_(reinterpret_cast<Real*>(job.words)), n_(job.half.n) {}

    void run() {
        if (!left_.get(n_) || !node_.get(n_) || !sizes_.get(n_) || !gone_.get(n_) || !nearest_.get(n_) ||
            !bound_.get(n_) || !from_x_.get(n_) || !from_y_.get(n_)) {
            job_.fault = Linkage::Fault::out_of_memory;
            return;
        }
        std::iota(node_.at, node_.at + n_, 0);
        std::fill_n(sizes_.at, n_, 1.0);
        std::fill_n(gone_.at, n_, Real{0});
        for (std::int64_t x = 0; x < n_ - 1; ++x) {
            if (watch_.stop()) return;
            look(x);
        }
        if (!heap_.get(bound_.at, n_ - 1)) {
            job_.fault = Linkage::Fault::out_of_memory;
            return;
        }
        while (job_.found < n_ - 1)
            if (watch_.stop() || !join()) return;
    }

  private:
    static constexpr std::int32_t nowhere = -1;

    VECH_INLINE std::int64_t origin(std::int64_t place) const { return job_.half.origin(place); }
    VECH_INLINE auto column(std::int64_t c) const {
        return [this, c](std::int64_t place) { return words_ + origin(place) + c; };
    }

    // The nearest of those after x, and how near it is.
    void look(std::int64_t x) {
        const auto* run = words_ + origin(x);
        const auto* gone = gone_.at;
        auto* row = from_x_.at;
        for (auto c = x + 1; c < n_; ++c) row[c] = run[c] + gone[c];
        const auto count = n_ - x - 1;
        bound_[x] = least_of(row + x + 1, count);
        const bool any = bound_[x] < infinite<Real>;
        nearest_[x] = any ? static_cast<std::int32_t>(x + 1 + first_of(row + x + 1, count, bound_[x])) : nowhere;
    }

    bool join() {
        std::int64_t x = 0, y = 0;
        Real apart = 0;
        for (auto tries = n_ - job_.found; tries > 0; --tries) {
            x = heap_.key();
            apart = heap_.value();
            y = nearest_[x];
            if (y != nowhere && apart == words_[origin(x) + y]) break;
            look(x);
            apart = bound_[x];
            y = nearest_[x];
            heap_.change(x, apart);
        }
        if (y == nowhere) {
            job_.fault = Linkage::Fault::lost;
            return false;
        }
        heap_.pop();
        merge(x, y, apart);
        return true;
    }

    void merge(std::int64_t x, std::int64_t y, Real apart) {
        const double size = sizes_[x] + sizes_[y];
        const auto [a, b] = std::minmax({node_[x], node_[y]});
        const Couple couple{static_cast<double>(apart), sizes_[x], sizes_[y]};
        job_.links[job_.found] = {static_cast<double>(a), static_cast<double>(b), static_cast<double>(apart), size};
        node_[y] = static_cast<std::int32_t>(n_ + job_.found++);
        left_.remove(x);
        sizes_[x] = 0;
        sizes_[y] = size;
        gone_[x] = infinite<Real>;

        auto* from = from_x_.at;
        auto* row = from_y_.at;
        read(x, from);
        read(y, row);
        join_rows(job_.method, couple, from, row, sizes_.at, n_);
        const auto* const after = left_.from(y);
        each(left_.begin(), after, column(y), [row](std::int64_t place, Real* to) { *to = row[place]; });
        std::copy(row + y + 1, row + n_, words_ + origin(y) + y + 1);

        for (std::int64_t c = 0; c < x; ++c)
            if (nearest_[c] == x) nearest_[c] = static_cast<std::int32_t>(y);
        for (const auto* at = left_.begin(); at < after; ++at)
            if (row[*at] < bound_[*at]) {
                nearest_[*at] = static_cast<std::int32_t>(y);
                bound_[*at] = row[*at];
                heap_.change(*at, row[*at]);
            }
        if (y < n_ - 1) {
            look(y);
            if (nearest_[y] != nowhere) heap_.change(y, bound_[y]);
        }
    }

    void read(std::int64_t place, Real* row) const {
        each(left_.begin(), left_.from(place), column(place), [row](std::int64_t c, const Real* at) { row[c] = *at; });
        std::copy(words_ + origin(place) + place + 1, words_ + origin(place) + n_, row + place + 1);
    }

    Linkage& job_;
    Watch& watch_;
    Real* words_;
    std::int64_t n_;
    Left left_;
    Memory<std::int32_t> node_, nearest_;
    Memory<double> sizes_;
    Memory<Real> gone_, bound_, from_x_, from_y_;
    Heap<Real> heap_;
};

template <class Real>
void link_of(Linkage& job, Watch& watch) {
    using enum Linkage::Method;
    switch (job.method) {
        case single: return span<Real>(job, watch);
        case complete:
        case average:
        case weighted:
        case ward: return Chain<Real>(job, watch).run();
        case centroid:
        case median: return Bounds<Real>(job, watch).run();
    }
}

}  // namespace

void link(Linkage& job, Watch& watch) { job.real == 4 ? link_of<float>(job, watch) : link_of<double>(job, watch); }

VECH_TARGET_END
