// scan: half -> CSR in kernel space, of the numbers with (word & keep) != 0, or > bound. scatter: half -> the nonzero
// words of a full matrix that is already zero. density: what part of a half counts, from a sample. Included once per
// target, inside its namespace.
//
// Bytes moved  scan: the half once; (item + 4) per number found. scatter: the half once; two lines per number found.
// Idea         One pass. Every thread compresses whole runs, an equal share of the cells, into blocks that grow; those
//              of the first thread become the result and the others are appended, so one thread copies nothing.
//              Blocks are reserved from a sample of the density: pages never touched cost nothing.
// Assumes      nothing about alignment; reads no byte outside the half. Results are the same for any thread count.

// ---- memory that grows ----

// Huge pages: fresh output is half of the cost of a scan at 20 % nonzero, and 3 times that in pages of 4 KiB.
inline void* reallocate(void* block, std::int64_t bytes) {
    void* grown = std::realloc(block, static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)));
#if defined(__linux__)
    constexpr std::uintptr_t page = 4096;
    if (grown != nullptr && bytes >= std::int64_t{1} << 22) {
        const auto at = reinterpret_cast<std::uintptr_t>(grown);
        const auto first = (at + page - 1) / page * page,
                   last = (at + static_cast<std::uintptr_t>(bytes)) / page * page;
        madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
    }
#endif
    return grown;
}

template <class T>
bool resize(T*& block, std::int64_t count) {
    auto* moved = static_cast<T*>(reallocate(block, count * static_cast<std::int64_t>(sizeof(T))));
    if (moved != nullptr) block = moved;
    return moved != nullptr;
}

inline void release(Csr& csr) {
    std::free(csr.indptr);
    std::free(csr.indices);
    std::free(csr.data);
    csr.indptr = nullptr;
    csr.indices = nullptr;
    csr.data = nullptr;
}

inline void fail(Csr& csr) {
    release(csr);
    csr.out_of_memory = true;
}

// Values and their columns. compress() writes whole vectors, up to 64 numbers beyond the last one found.
template <class W>
struct Found {
    static constexpr std::int64_t slack = 64;
    W* values = nullptr;
    std::int32_t* columns = nullptr;
    std::int64_t size = 0, capacity = 0, base = 0;  // base: numbers in the shares before

    bool reserve(std::int64_t more) {
        if (size + more <= capacity) return true;
        capacity = std::max(size + more, capacity + capacity / 2);
        return resize(values, capacity + slack) && resize(columns, capacity + slack);
    }
    void push(W value, std::int64_t column) {
        values[size] = value;
        columns[size++] = static_cast<std::int32_t>(column);
    }
    ~Found() {
        std::free(values);
        std::free(columns);
    }
};

// ---- compressing ----

inline Word16 operator&(Word16 a, Word16 b) { return {a.low & b.low, a.high & b.high}; }
template <class W>
bool any(W word) {
    return word != W{};
}

// What vectors do to words of at least `least_vector` bytes: `hits` has a bit for each lane where v & keep is not zero;
// `chosen` moves the lanes of a mask to the front, in a register, because compressing into memory is microcoded on some
// processors. In plain reads of the half (n = 8001, fresh output, GCC 12), at 1 % and 20 % nonzero:
//               float64        float32        bytes
//   plain loops 1.6    2.5     2.1    3.4     12     20
//   avx2        1.45   2.1     1.4    2.1
//   avx512-icl  1.15   1.9     1.15   1.9     3      5
#if VECH_VECTOR == 64
#if defined(VECH_ICL)
constexpr int least_vector = 1;
#else
constexpr int least_vector = 4;  // compressing words of 1 and 2 bytes needs VBMI2
#endif
using Vector = __m512i;

inline Vector load_vector(const void* from) { return _mm512_loadu_si512(from); }
inline void store_vector(void* to, Vector v) { _mm512_storeu_si512(to, v); }

template <class W>
std::uint64_t hits(Vector v, Vector keep) {
    if constexpr (sizeof(W) == 1) return _mm512_test_epi8_mask(v, keep);
    if constexpr (sizeof(W) == 2) return _mm512_test_epi16_mask(v, keep);
    if constexpr (sizeof(W) == 4) return _mm512_test_epi32_mask(v, keep);
    const std::uint32_t parts = _mm512_test_epi64_mask(v, keep);
    return sizeof(W) == 8 ? parts : _pext_u32(parts | parts >> 1, 0x55);
}

template <class W>
std::uint64_t hits_above(Vector v, Vector keep, Vector bound) {
    const Vector kept = _mm512_and_si512(v, keep);
    return sizeof(W) == 4 ? _mm512_cmpgt_epi32_mask(kept, bound) : _mm512_cmpgt_epi64_mask(kept, bound);
}

template <class W>
Vector chosen(std::uint64_t mask, Vector v) {
#if defined(VECH_ICL)
    if constexpr (sizeof(W) == 1) return _mm512_maskz_compress_epi8(mask, v);
    if constexpr (sizeof(W) == 2) return _mm512_maskz_compress_epi16(static_cast<__mmask32>(mask), v);
#endif
    if constexpr (sizeof(W) == 4) return _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), v);
    if constexpr (sizeof(W) == 16) mask = _pdep_u32(static_cast<std::uint32_t>(mask), 0x55) * 3;
    return _mm512_maskz_compress_epi64(static_cast<__mmask8>(mask), v);
}

inline Vector columns_from(std::int64_t first) {
    const Vector steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)), steps);
}
#elif VECH_VECTOR == 32
constexpr int least_vector = 4;
using Vector = __m256i;

inline Vector load_vector(const void* from) { return _mm256_loadu_si256(static_cast<const Vector*>(from)); }
inline void store_vector(void* to, Vector v) { _mm256_storeu_si256(static_cast<Vector*>(to), v); }

template <class W>
std::uint64_t hits(Vector v, Vector keep) {
    const Vector kept = _mm256_and_si256(v, keep), zero = _mm256_setzero_si256();
    if constexpr (sizeof(W) == 4) return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(kept, zero))) ^ 0xff;
    const std::uint32_t parts = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(kept, zero))) ^ 0xf;
    return sizeof(W) == 8 ? parts : _pext_u32(parts | parts >> 1, 0x5);
}

template <class W>
std::uint64_t hits_above(Vector v, Vector keep, Vector bound) {
    const Vector kept = _mm256_and_si256(v, keep);
    if constexpr (sizeof(W) == 4) return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(kept, bound)));
    return _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(kept, bound)));
}

// For each mask of 8 lanes, the lanes that are in it.
constexpr auto lanes_of = [] {
    std::array<std::array<std::uint8_t, 8>, 256> table{};
    for (std::size_t mask = 0; mask < 256; ++mask)
        for (std::uint8_t lane = 0, at = 0; lane < 8; ++lane)
            if (mask >> lane & 1) table[mask][at++] = lane;
    return table;
}();

template <class W>
Vector chosen(std::uint64_t mask, Vector v) {
    auto lanes = static_cast<std::uint32_t>(mask);
    if constexpr (sizeof(W) == 8) lanes = _pdep_u32(lanes, 0x55) * 3;
    if constexpr (sizeof(W) == 16) lanes = _pdep_u32(lanes, 0x11) * 15;
    const auto order = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(lanes_of[lanes].data()));
    return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(order));
}

inline Vector columns_from(std::int64_t first) {
    const Vector steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(first)), steps);
}
#else
constexpr int least_vector = 32;
#endif

// The numbers among `count` with (word & keep) != 0, and their columns, in order. Returns how many. Bounded: those with
// (word & keep) > bound, which are floats of 4 or 8 bytes: without their signs these compare as integers do, NaN last.
template <class W, bool bounded = false>
std::int64_t compress(const std::byte* words, std::int64_t count, W keep, std::int64_t first, W* values,
                      std::int32_t* columns, W bound = {}) noexcept {
    constexpr int item = sizeof(W);
    std::int64_t found = 0, k = 0;
    const auto one = [&](std::int64_t at) {
        const W word = load<W>(words + at * item);
        values[found] = word;
        columns[found] = static_cast<std::int32_t>(first + at);
        if constexpr (bounded)
            found += (word & keep) > bound;
        else
            found += any(word & keep);
    };
    std::array<W, 64 / item> wanted;
    wanted.fill(keep);
    if constexpr (item >= least_vector) {
#if VECH_VECTOR > 16
        constexpr int lanes = VECH_VECTOR / item, line = 64 / item, group = std::min(lanes, VECH_VECTOR / 4);
        const Vector mask_of_keep = load_vector(wanted.data());
        [[maybe_unused]] Vector bounds;
        if constexpr (bounded) {
            wanted.fill(bound);
            bounds = load_vector(wanted.data());
        }
        const auto wanted_of = [&](Vector v) {
            if constexpr (bounded)
                return hits_above<W>(v, mask_of_keep, bounds);
            else
                return hits<W>(v, mask_of_keep);
        };
        for (; k + line <= count; k += line) {
            // Processors stop reading ahead where a page ends and where a guess failed: at 20 % nonzero this is 1.9
            // reads for 2.2.
            constexpr std::uintptr_t ahead = 4096;
            const auto at = reinterpret_cast<std::uintptr_t>(words + k * item);
            _mm_prefetch(reinterpret_cast<const char*>(at + ahead), _MM_HINT_T0);
            std::uint64_t mask = 0;
            for (int lane = 0; lane < line; lane += lanes)
                mask |= wanted_of(load_vector(words + (k + lane) * item)) << lane;
            if (mask == 0) continue;
            for (int lane = 0; lane < line; lane += lanes) {
                const Vector v = load_vector(words + (k + lane) * item);
                auto rest = lanes == 64 ? mask : mask >> lane & ((std::uint64_t{1} << lanes % 64) - 1);
                store_vector(values + found, chosen<W>(rest, v));
                for (int from = lane; from < lane + lanes; from += group, rest >>= group) {
                    const auto part = rest & ((std::uint64_t{1} << group) - 1);
                    store_vector(columns + found, chosen<std::int32_t>(part, columns_from(first + k + from)));
                    found += std::popcount(part);
                }
            }
        }
#endif
    } else {
        constexpr int block = 128 / item;
        for (; k + block <= count; k += block) {
            Word16 seen{};
            for (int at = 0; at < 128; at += 16) {
                const auto part = load<Word16>(words + k * item + at);
                seen.low |= part.low;
                seen.high |= part.high;
            }
            if (!any(seen & load<Word16>(wanted.data()))) continue;
            for (int at = 0; at < block; ++at) one(k + at);
        }
    }
    for (; k < count; ++k) one(k);
    return found;
}

// ---- walking the half ----

// The first run that begins at cell `cell` or later.
inline std::int64_t run_at(const Half& half, std::int64_t cell) {
    std::int64_t low = 0, high = half.n;
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        if (half.origin(middle) + half.first(middle) < cell)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Runs [first, last) of one of `shares` parts of about equal length.
inline std::pair<std::int64_t, std::int64_t> share_of(const Half& half, std::int64_t share, std::int64_t shares) {
    const auto bound = [&](std::int64_t k) { return k == shares ? half.n : run_at(half, half.length() / shares * k); };
    return {share == 0 ? 0 : bound(share), bound(share + 1)};
}

constexpr std::int64_t megabyte = 1 << 20;

// ---- the kernels ----

inline double density(const std::byte* words, std::int64_t count, int item, const std::uint8_t* keep) {
    constexpr std::int64_t places = 1024, at_each = 4;
    std::int64_t seen = 0, hit = 0;
    with_word(item, [&]<class W>(W) {
        const W wanted = load<W>(keep);
        std::uint64_t chance = 0;
        for (std::int64_t place = 0; place < places; ++place) {
            const auto first = count * place / places, last = count * (place + 1) / places;
            if (first == last) continue;
            chance = chance * 6364136223846793005u + 1442695040888963407u;  // a stride could follow the matrix's own
            auto k = first + static_cast<std::int64_t>((chance >> 33) % static_cast<std::uint64_t>(last - first));
            for (const auto end = std::min(k + at_each, last); k < end; ++k, ++seen)
                hit += any(load<W>(words + k * item) & wanted);
        }
    });
    return seen == 0 ? 0.0 : static_cast<double>(hit) / static_cast<double>(seen);
}

// Runs [first, last) into found; indptr[r + 1] becomes where run r ends there. False: no memory.
template <class W, bool bounded>
bool scan_runs(const Scan& job, std::int64_t first, std::int64_t last, Found<W>& found, std::int64_t* indptr,
               Watch& watch) {
    constexpr std::int64_t item = sizeof(W), most = megabyte / item;
    const W keep = load<W>(job.keep), fill = load<W>(job.fill), bound = load<W>(job.bound);
    std::int64_t since = 0;
    for (auto r = first; r < last; ++r) {
        const auto end = job.half.last(r);
        const auto* row = job.words + job.half.origin(r) * item;
        if (!found.reserve(1)) return false;
        if (job.implied && !job.half.grow) found.push(fill, r);
        for (auto c = job.half.first(r); c < end; c += most) {
            const auto count = std::min(most, end - c);
            if (!found.reserve(count + 1)) return false;
            found.size += compress<W, bounded>(row + c * item, count, keep, c, found.values + found.size,
                                               found.columns + found.size, bound);
            since += count;
            if (since < most) continue;
            if (watch.stop()) return true;
            since = 0;
        }
        if (job.implied && job.half.grow) found.push(fill, r);
        indptr[r + 1] = found.size;
    }
    return true;
}

// What shares found becomes one CSR, whose indptr[r + 1] already says where run r ends in its share.
template <class W, class RunsOf>
void join(Found<W>* found, std::int64_t shares, RunsOf&& runs_of, int threads, Watch& watch, Csr& result) {
    auto& all = found[0];
    for (std::int64_t share = 0; share < shares; ++share) {
        found[share].base = result.nonzeros;
        result.nonzeros += found[share].size;
    }
    if (!all.reserve(result.nonzeros - all.size)) return fail(result);
    result.indptr[0] = 0;
    parallel_for(2 * (shares - 1), threads, watch, [&](std::int64_t unit) {
        const auto share = unit / 2 + 1;
        const auto& part = found[share];
        const auto count = static_cast<std::size_t>(part.size);
        if (unit % 2 == 0) {
            const auto [first, last] = runs_of(share);
            for (auto r = first; r < last; ++r) result.indptr[r + 1] += part.base;
            if (count > 0) std::memcpy(all.columns + part.base, part.columns, count * sizeof(std::int32_t));
        } else if (count > 0) {
            std::memcpy(all.values + part.base, part.values, count * sizeof(W));
        }
    });
    if (watch.stop()) return release(result);
    resize(all.values, result.nonzeros);
    resize(all.columns, result.nonzeros);
    result.data = reinterpret_cast<std::byte*>(std::exchange(all.values, nullptr));
    result.indices = std::exchange(all.columns, nullptr);
}

template <class W, bool bounded = false>
void scan_words(const Scan& job, int threads, Watch& watch, Csr& result) {
    constexpr std::int64_t item = sizeof(W);
    const auto length = job.half.length();
    const auto shares = std::clamp<std::int64_t>(length * item / megabyte, 1, threads);
    const std::unique_ptr<Found<W>[]> found(new (std::nothrow) Found<W>[static_cast<std::size_t>(shares)]);
    std::atomic<bool> failed{!found || !resize(result.indptr, job.half.n + 1)};
    if (failed) return fail(result);
    const auto likely = std::min(1.0, 1.5 * density(job.words, length, job.item, job.keep));
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        // The first share also takes what the others find.
        const auto cells = length / (share == 0 ? 1 : shares) + job.half.n;
        const auto expected = static_cast<std::int64_t>(likely * static_cast<double>(cells));
        auto& mine = found[static_cast<std::size_t>(share)];
        const auto [first, last] = share_of(job.half, share, shares);
        if (mine.reserve(std::min(cells, expected + 131072)) &&
            scan_runs<W, bounded>(job, first, last, mine, result.indptr, watch))
            return;
        failed = true;
        watch.end();
    });
    if (failed) return fail(result);
    if (watch.stop()) return release(result);

    join(
        found.get(), shares, [&](std::int64_t share) { return share_of(job.half, share, shares); }, threads, watch,
        result);
}

inline void scan(const Scan& job, int threads, Watch& watch, Csr& result) {
    if (job.bounded && job.item == 4) return scan_words<std::uint32_t, true>(job, threads, watch, result);
    if (job.bounded && job.item == 8) return scan_words<std::uint64_t, true>(job, threads, watch, result);
    with_word(job.item, [&]<class W>(W) { scan_words<W>(job, threads, watch, result); });
}

template <class W>
void scatter_words(const Scatter& job, int threads, Watch& watch) {
    constexpr std::int64_t item = sizeof(W), most = 1024;
    W every, fill = load<W>(job.fill);
    std::memset(&every, 0xff, sizeof every);
    const auto shares =
        std::clamp<std::int64_t>(job.half.length() * item / megabyte, 1, std::max<std::int64_t>(1, job.half.n));
    parallel_for(shares, threads, watch, [&](std::int64_t share) {
        W values[most + Found<W>::slack];
        std::int32_t columns[most + Found<W>::slack];
        const auto [first, last] = share_of(job.half, share, shares);
        for (auto r = first; r < last; ++r) {
            const auto* row = job.words + job.half.origin(r) * item;
            if (job.implied) store(job.target.cell(r, r), fill);
            const auto end = job.half.last(r);
            for (auto c = job.half.first(r); c < end; c += most) {
                const auto found = compress<W>(row + c * item, std::min(most, end - c), every, c, values, columns);
                for (std::int64_t k = 0; k < found; ++k) store(job.target.cell(r, columns[k]), values[k]);
                if (job.transposed)
                    for (std::int64_t k = 0; k < found; ++k) store(job.target.cell(columns[k], r), values[k]);
            }
        }
    });
}

inline void scatter(const Scatter& job, int threads, Watch& watch) {
    with_word(job.item, [&]<class W>(W) { scatter_words<W>(job, threads, watch); });
}
