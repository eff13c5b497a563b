// cut: one triangle of a full CSR matrix. asymmetry: the first place where a full CSR matrix is not its own mirror
// image. Included once per target, inside its namespace.
//
// Idea         asymmetry: rows are read in order, and each keeps a cursor in what it holds above the diagonal. Where
//              row r holds column c < r, the cursor of row c must have come to column r; what it passes over on the
//              way has no partner. Whatever is found, the first pair by rows of the lower triangle is told: it is the
//              one found, or one that a cursor has not come to yet.
// Bytes moved  cut: the columns twice, the triangle twice. asymmetry: the matrix twice; n cursors of 8 bytes for each
//              thread.
// Assumes      nothing: both look for what would lead out of bounds. Results are the same for any thread count.

template <class W>
void cut_words(const Cut& job, int threads, Watch& watch, Csr& result) {
    const auto& full = job.full;
    const auto n = full.n;
    result.malformed = full.indptr[0] != 0 || full.indptr[n] != full.nonzeros || !full.has_rows();
    if (result.malformed) return;
    if (!resize(result.indptr, n + 1)) return fail(result);
    const auto shares = std::clamp<std::int64_t>(full.nonzeros * 4 / megabyte, 1, std::max<std::int64_t>(n, 1));
    const auto rows_of = [&](std::int64_t share) {
        return Range{full.begin_of(share, shares), full.begin_of(share + 1, shares)};
    };
    result.indptr[0] = 0;
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        const auto rows = rows_of(share);
        for (auto r = rows.begin; r < rows.end; ++r) {
            auto k = full.indptr[r];
            const auto begin = k, end = full.indptr[r + 1], bound = r + job.grow;
            if (end - k > 64) k = std::lower_bound(full.indices + k, full.indices + end, bound) - full.indices;
            while (k < end && full.indices[k] < bound) ++k;
            result.indptr[r + 1] = job.grow ? k - begin : end - k;
        }
    });
    std::partial_sum(result.indptr, result.indptr + n + 1, result.indptr);
    result.nonzeros = result.indptr[n];
    W* values = nullptr;
    const bool got = resize(values, result.nonzeros) && resize(result.indices, result.nonzeros);
    result.data = reinterpret_cast<std::byte*>(values);
    if (!got) return fail(result);
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        const auto rows = rows_of(share);
        const auto* columns = full.indices;
        const auto* numbers = full.data;
        auto* indices = result.indices;
        for (auto r = rows.begin; r < rows.end; ++r) {
            const auto end = result.indptr[r + 1];
            auto from = job.grow ? full.indptr[r] : full.indptr[r + 1] - (end - result.indptr[r]);
            for (auto at = result.indptr[r]; at < end; ++at, ++from) {
                indices[at] = columns[from];
                values[at] = load<W>(numbers + from * static_cast<std::int64_t>(sizeof(W)));
            }
        }
    });
    if (watch.stop()) release(result);
}

inline void cut(const Cut& job, int threads, Watch& watch, Csr& result) {
    with_word(job.full.item, [&]<class W>(W) { cut_words<W>(job, threads, watch, result); });
}

// ---- equal to the mirror image? ----

template <class Number>
struct Mirrored {
    bool conjugates, negates;
    double tolerance;

    // Whether a agrees with the mirror image of b.
    bool agree(Number a, Number b) const {
        if constexpr (std::is_floating_point_v<Number>) {
            return close(a, negates ? -b : b) <= tolerance;
        } else {
            if constexpr (std::is_signed_v<Number>) {
                if (negates) {
                    constexpr auto smallest = std::numeric_limits<Number>::min();
                    if (a == smallest || b == smallest) return false;  // nothing is their mirror image
                    b = static_cast<Number>(-b);
                }
            }
            if (a == b) return true;
            const auto x = static_cast<std::uint64_t>(std::max(a, b)), y = static_cast<std::uint64_t>(std::min(a, b));
            return tolerance >= 1 && static_cast<double>(x - y) <= tolerance;
        }
    }
    // |x - y|; 0 for equal infinities, and for NaN and NaN.
    static double close(double x, double y) { return x == y || (x != x && y != y) ? 0.0 : std::fabs(x - y); }
};

template <class Real>
struct Pair {
    Real re, im;
};
template <class Real>
struct Mirrored<Pair<Real>> {
    bool conjugates, negates;
    double tolerance;

    bool agree(Pair<Real> a, Pair<Real> b) const {
        const double re = Mirrored<Real>::close(a.re, negates ? -b.re : b.re);
        const double im = Mirrored<Real>::close(a.im, negates != conjugates ? -b.im : b.im);
        if (re == 0 && im == 0) return true;
        return std::hypot(re, im) <= tolerance;
    }
};

template <class Number>
class Judge {
  public:
    Judge(const Symmetry& job, Watch& watch)
        : full_(job.full), mirrored_{job.conjugates, job.negates, job.tolerance}, watch_(watch) {}

    // Whether all is well with these rows, and each of their numbers has its partner, as is almost always so: half of
    // the time of first(), which must tell why not. Whatever the arrays hold, nothing is read outside of them.
    bool perfect(Range rows, std::int64_t* next) const {
        // Two loops, for what the other one keeps in registers: 4.1 ms for 5.9 (float32, 7-point rows, n = 512 000).
        return jumps(full_) >= 0.5 ? perfect<true>(rows, next) : perfect<false>(rows, next);
    }

    // The first pair (i, j), i in rows, that does not agree; (-1, -1) without. `next`: cursors of all rows before.
    std::pair<std::int64_t, std::int64_t> first(Range rows, std::int64_t* next, const std::atomic<bool>& over) {
        const auto* columns = full_.indices;
        for (std::int64_t c = 0; c < rows.end; ++c) next[c] = begin_in(c, std::max(rows.begin, c + 1));
        std::int64_t since = 0;
        for (auto r = rows.begin; r < rows.end; ++r) {
            const auto begin = full_.indptr[r], end = full_.indptr[r + 1];
            for (auto k = begin; k < end && columns[k] <= r; ++k) meet(r, columns[k], k, next);
            if (found_.first >= 0) return pending(r + 1, next);
            if ((since += end - begin + 1) < 65536) continue;
            if (watch_.stop() || over) return found_;
            since = 0;
        }
        return pending(rows.end, next);
    }

  private:
    template <bool random>
    bool perfect(Range rows, std::int64_t* next) const {
        const auto full = full_;
        const auto mirrored = mirrored_;
        const auto* columns = full.indices;
        const auto number = [&](std::int64_t k) VECH_ALWAYS {
            return load<Number>(full.data + k * static_cast<std::int64_t>(sizeof(Number)));
        };
        const auto last = full.nonzeros - 1;
        constexpr std::int64_t ahead = 128;
        std::int64_t since = 0;
        for (std::int64_t c = 0; c < rows.begin; ++c) next[c] = begin_in(c, rows.begin);
        for (auto r = rows.begin; r < rows.end; ++r) {
            const auto begin = full.indptr[r], end = full.indptr[r + 1];
            auto k = begin;
            std::int64_t before = -1;
            for (; k < end; ++k) {
                const std::int64_t c = columns[k];
                if (c >= r) break;
                if (c <= before) return false;
                before = c;
                if constexpr (random) {  // 34 ms for 40 (float64, n = 200 000, 4.2 M numbers)
                    const auto far = static_cast<std::uint32_t>(columns[std::min(k + 32, last)]);
                    if (far < static_cast<std::uint64_t>(r)) __builtin_prefetch(next + far, 1);
                    const auto soon = static_cast<std::uint32_t>(columns[std::min(k + 16, last)]);
                    if (soon < static_cast<std::uint64_t>(r)) {
                        __builtin_prefetch(columns + next[soon]);
                        __builtin_prefetch(full.data + next[soon] * static_cast<std::int64_t>(sizeof(Number)));
                    }
                }
                const auto at = next[c];
                if constexpr (!random) {
                    __builtin_prefetch(columns + at + ahead);
                    __builtin_prefetch(full.data + (at + ahead) * static_cast<std::int64_t>(sizeof(Number)));
                }
                if (at > last || columns[at] != r || !mirrored.agree(number(k), number(at))) return false;
                next[c] = at + 1;
            }
            if (k < end && columns[k] == r) {
                const auto own = number(k++);
                if (!mirrored.agree(own, own)) return false;
            }
            next[r] = k;
            if ((since += end - begin + 1) < 65536) continue;
            if (watch_.stop()) return true;
            since = 0;
        }
        // No cursor went too far, into another row, or not far enough.
        for (std::int64_t c = 0; c < rows.end; ++c) {
            const auto at = next[c], end = full.indptr[c + 1];
            if (at > end || (at < end && (rows.end == full.n || columns[at] < rows.end))) return false;
        }
        return true;
    }

    // Where the columns from `bound` on begin in a row.
    std::int64_t begin_in(std::int64_t row, std::int64_t bound) const {
        auto k = full_.indptr[row];
        const auto end = full_.indptr[row + 1];
        if (end - k > 64) k = std::lower_bound(full_.indices + k, full_.indices + end, bound) - full_.indices;
        while (k < end && full_.indices[k] < bound) ++k;
        return k;
    }
    const std::byte* number(std::int64_t k) const { return full_.data + k * static_cast<std::int64_t>(sizeof(Number)); }

    void meet(std::int64_t r, std::int64_t c, std::int64_t k, std::int64_t* next) {
        const auto own = load<Number>(number(k));
        if (c == r) {
            if (!mirrored_.agree(own, own)) keep(r, c);
            return;
        }
        auto at = next[c];
        const auto end = full_.indptr[c + 1];
        for (; at < end && full_.indices[at] < r; ++at) alone(at, c);
        const bool met = at < end && full_.indices[at] == r;
        if (!mirrored_.agree(own, met ? load<Number>(number(at)) : Number{})) keep(r, c);
        next[c] = at + met;
    }
    void alone(std::int64_t at, std::int64_t c) {
        if (!mirrored_.agree(Number{}, load<Number>(number(at)))) keep(full_.indices[at], c);
    }
    // Numbers before column `bound` that no row asked for.
    std::pair<std::int64_t, std::int64_t> pending(std::int64_t bound, const std::int64_t* next) {
        for (std::int64_t c = 0; c + 1 < bound; ++c)
            for (auto at = next[c]; at < full_.indptr[c + 1] && full_.indices[at] < bound; ++at) alone(at, c);
        return found_;
    }
    void keep(std::int64_t i, std::int64_t j) {
        if (found_.first < 0 || std::pair(i, j) < found_) found_ = {i, j};
    }

    const Rowwise& full_;
    Mirrored<Number> mirrored_;
    Watch& watch_;
    std::pair<std::int64_t, std::int64_t> found_{-1, -1};
};

template <class Number>
void asymmetry_of(const Symmetry& job, int threads, Watch& watch, Asymmetry& result) {
    const auto& full = job.full;
    result.malformed = full.indptr[0] != 0 || full.indptr[full.n] != full.nonzeros || !full.has_rows();
    if (result.malformed) return;
    const auto most = full.nonzeros / std::max<std::int64_t>(2 * full.n, 65536);  // cursors: no more than half of it
    const auto shares = std::clamp<std::int64_t>(most, 1, threads);
    const auto rows_of = [&](std::int64_t share) {
        return Range{full.begin_of(share, shares), full.begin_of(share + 1, shares)};
    };
    std::int64_t* cursors = nullptr;
    result.out_of_memory = !resize(cursors, shares * full.n);
    if (result.out_of_memory) return;
    const auto cursors_of = [&](std::int64_t share) { return cursors + share * full.n; };
    std::atomic<bool> good{true};
    const auto check = [&](std::int64_t share) {
        if (!canonical(full, rows_of(share), Part::full)) good = false;
    };
    const auto look = [&](std::int64_t share) {
        if (good && !Judge<Number>(job, watch).perfect(rows_of(share), cursors_of(share))) good = false;
    };
    if (shares > 1) parallel_for(shares, threads, watch, check);  // they begin and end where columns ascend
    if (good) parallel_for(shares, threads, watch, look);
    if (good || watch.stop()) return std::free(cursors);

    good = true;
    parallel_for(shares, threads, watch, check);
    result.malformed = !good;
    const auto pairs = static_cast<std::size_t>(shares);
    const std::unique_ptr<std::pair<std::int64_t, std::int64_t>[]> found(
        new (std::nothrow) std::pair<std::int64_t, std::int64_t>[pairs]);
    const std::unique_ptr<std::atomic<bool>[]> over(new (std::nothrow) std::atomic<bool>[pairs] {});
    result.out_of_memory = !found || !over;
    if (good && !result.out_of_memory) {
        parallel_for(shares, threads, watch, [&](std::int64_t share) {
            auto& mine = found[static_cast<std::size_t>(share)] = {-1, -1};
            if (over[static_cast<std::size_t>(share)]) return;
            mine = Judge<Number>(job, watch)
                       .first(rows_of(share), cursors_of(share), over[static_cast<std::size_t>(share)]);
            if (mine.first >= 0)  // whatever later rows hold, this pair comes first
                for (auto later = share + 1; later < shares; ++later) over[static_cast<std::size_t>(later)] = true;
        });
        for (std::int64_t share = 0; share < shares && result.row < 0 && !watch.stop(); ++share)
            std::tie(result.row, result.column) = found[static_cast<std::size_t>(share)];
    }
    std::free(cursors);
}

inline void asymmetry(const Symmetry& job, int threads, Watch& watch, Asymmetry& result) {
    const auto judge = [&]<class Number>(Number) { asymmetry_of<Number>(job, threads, watch, result); };
    using enum Symmetry::Number;
    const int item = job.full.item;
    if (job.number == real) return item == 4 ? judge(float{}) : judge(double{});
    if (job.number == complex) return item == 8 ? judge(Pair<float>{}) : judge(Pair<double>{});
    const bool sign = job.number == integer;
    switch (item) {
        case 1: return sign ? judge(std::int8_t{}) : judge(std::uint8_t{});
        case 2: return sign ? judge(std::int16_t{}) : judge(std::uint16_t{});
        case 4: return sign ? judge(std::int32_t{}) : judge(std::uint32_t{});
        default: return sign ? judge(std::int64_t{}) : judge(std::uint64_t{});
    }
}
