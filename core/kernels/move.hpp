// move: every dense operation is numbers going from one triangle of a source to a target, straight (r, c) -> (r, c),
// transposed (r, c) -> (c, r), or both. Included once per target, inside its namespace.
//
// Bytes moved  expand: the half once, the full matrix once, written without reading it first.
// Idea         Tiles are read once and leave twice. Their transposed part goes through a buffer in L1, 8 x 8 (words of
//              8 bytes) at a time in registers. Rows of a target begin anywhere in a cache line, so each row is cut
//              at its own lines: a whole line is streamed past the caches exactly once. What a buffer's row holds
//              beyond its last whole line waits there for the next tile.
// Assumes      source and target do not overlap, save element by element when they are the same half.

// ---- transposing in registers ----

// Bytes of a vector: the widest that interleaves in one instruction. Words of 1 and 2 bytes have that in 16-byte
// vectors alone.
template <class W>
constexpr int lanes = sizeof(W) == 16 ? 1 : (sizeof(W) < 4 ? 16 : VECH_VECTOR) / static_cast<int>(sizeof(W));

template <class W>
struct VectorOf {
    typedef W type __attribute__((vector_size(lanes<W> * sizeof(W)), aligned(1), may_alias));
};

template <int half, class V, int... k>
VECH_INLINE V interleave(V a, V b, std::integer_sequence<int, k...>) {
    constexpr int N = sizeof...(k);
    return __builtin_shufflevector(a, b, (half * N / 2 + k / 2 + (k % 2) * N)...);
}

// to[c * pitch + r] = word c of from[r], for an N x N block: log2(N) rounds of interleaving rows k and k + N/2.
template <class W>
VECH_INLINE void transpose_block(const std::byte* const* from, std::int64_t offset, W* to, std::int64_t pitch) {
    constexpr int N = lanes<W>;
    constexpr auto each = std::make_integer_sequence<int, N>{};
    using V = typename VectorOf<W>::type;
    V x[N];
    V y[N];
#pragma GCC unroll 32
    for (int k = 0; k < N; ++k) x[k] = *reinterpret_cast<const V*>(from[k] + offset);
#pragma GCC unroll 8
    for (int round = 1; round < N; round *= 2) {
#pragma GCC unroll 32
        for (int k = 0; k < N / 2; ++k) {
            y[2 * k] = interleave<0>(x[k], x[k + N / 2], each);
            y[2 * k + 1] = interleave<1>(x[k], x[k + N / 2], each);
        }
#pragma GCC unroll 32
        for (int k = 0; k < N; ++k) x[k] = y[k];
    }
#pragma GCC unroll 32
    for (int k = 0; k < N; ++k) *reinterpret_cast<V*>(to + k * pitch) = x[k];
}

// to[c * pitch + r] = word first + c of from[r] for r < rows, c < columns: at most as many columns as a vector has
// lanes.
template <class W>
VECH_INLINE void transpose(const std::byte* const* from, int rows, int first, int columns, W* to, std::int64_t pitch) {
    constexpr int N = lanes<W>;
    const std::int64_t offset = first * static_cast<std::int64_t>(sizeof(W));
    int r = 0;
    if constexpr (N > 1)
        if (columns == N)
            for (; r + N <= rows; r += N) transpose_block<W>(from + r, offset, to + r, pitch);
    for (; r < rows; ++r)
        for (int c = 0; c < columns; ++c) to[c * pitch + r] = load<W>(from[r] + offset + c * sizeof(W));
}

// ---- writing rows ----

inline __attribute__((always_inline)) void stream_line(std::byte* to, const std::byte* from) {
#if VECH_VECTOR == 64
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
#elif VECH_VECTOR == 32
    for (int k = 0; k < 64; k += 32)
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to + k),
                            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + k)));
#elif defined(__x86_64__)
    for (int k = 0; k < 64; k += 16)
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + k),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + k)));
#else
    std::memcpy(to, from, 64);
#endif
}

inline void finish_streams() {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

constexpr std::int64_t line_bytes = 64;
constexpr std::int64_t unit_bytes = std::int64_t{1} << 20;
// From so many bytes on, a target is streamed past the caches; records, which take less work, from more on.
constexpr std::int64_t streamed_bytes = std::int64_t{3} << 20, streamed_records = std::int64_t{64} << 20;

inline std::int64_t bytes_to_line(const std::byte* address) {
    return static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(address) & (line_bytes - 1));
}

// Whether all rows have their lines at the same columns.
inline bool rows_begin_alike(const Rows& rows) { return rows.bend == 0 && rows.stride % line_bytes == 0; }

enum class Sink { cache, memory, compare };

template <Sink sink>
VECH_INLINE void emit(std::byte* to, const std::byte* from, std::int64_t bytes, Outcome& outcome) {
    if constexpr (sink == Sink::compare) {
        if (std::memcmp(to, from, static_cast<std::size_t>(bytes)) != 0) outcome.differs = true;
    } else {
        std::int64_t done = std::min(bytes_to_line(to), bytes);
        if (done > 0) std::memcpy(to, from, static_cast<std::size_t>(done));
        for (; done + line_bytes <= bytes; done += line_bytes) {
            if constexpr (sink == Sink::memory)
                stream_line(to + done, from + done);
            else
                std::memcpy(to + done, from + done, line_bytes);
        }
        if (done < bytes) std::memcpy(to + done, from + done, static_cast<std::size_t>(bytes - done));
    }
}

// ---- tiles ----

// Rows and columns of a tile in words. A tile, with the rows that cutting at lines adds, and its transposed copy stay
// in L1; both sides divide the block, by which the diagonal is cut.
template <class W>
constexpr int tile_rows = sizeof(W) == 4   ? 64
                          : sizeof(W) >= 8 ? 32
                                           : 128;
template <class W>
constexpr int tile_columns = sizeof(W) == 16  ? 32
                             : sizeof(W) == 8 ? 64
                                              : 128;
template <class W>
constexpr int block_side = std::max(tile_rows<W>, tile_columns<W>);

template <class W, Sink sink>
class Mover {
    static constexpr std::int64_t item = sizeof(W);
    static constexpr int line = static_cast<int>(line_bytes / item);
    static constexpr int rows_most = tile_rows<W> + line, columns_most = tile_columns<W> + line;
    static constexpr int side = std::min(tile_rows<W>, tile_columns<W>);

    const Move& move_;
    Outcome& outcome_;
    Rows source_, target_;
    bool plain_source_, plain_target_, cut_ = false, overflow_ = false;
    int further_ = 0;
    alignas(line_bytes) W turned_[tile_columns<W> * rows_most];
    alignas(line_bytes) W changed_[rows_most * columns_most];  // the source rows of a tile
    alignas(line_bytes) W row_[columns_most];                  // a straight row

  public:
    Mover(const Move& move, Outcome& outcome)
        : move_(move), outcome_(outcome), source_(move.source), target_(move.target),
          plain_source_(move.source.step == item), plain_target_(move.target.step == item) {}
    ~Mover() {
        if (overflow_) outcome_.overflow = true;
        if constexpr (sink == Sink::memory) finish_streams();
    }
    Mover(const Mover&) = delete;
    Mover& operator=(const Mover&) = delete;

    void aim(std::int64_t source, std::int64_t target) {
        source_ = move_.source.at(source);
        target_ = move_.target.at(target);
        // Rows can be cut at their lines only where lines begin with a number.
        cut_ = sink != Sink::compare && plain_target_ &&
               reinterpret_cast<std::uintptr_t>(target_.base) % static_cast<std::uintptr_t>(item) == 0 &&
               target_.stride % item == 0 && target_.bend % item == 0;
        // Tiles need as many rows more as a cut can move, in whole blocks; none where lines begin at every cut, as they
        // do in `large`.
        further_ = cut_ && !(rows_begin_alike(move_.target) && target % line_bytes == 0) ? line : 0;
    }

    // All target cells of rows and columns [d0, d1).
    void block(std::int64_t d0, std::int64_t d1) {
        for (std::int64_t a = d0; a < d1; a += side) {
            const std::int64_t b = std::min(a + side, d1);
            triangle(a, b);
            for (std::int64_t c = d0; c < a; c += side) {
                const Range here{a, b}, there{c, c + side};
                if (move_.lower)
                    tile(here, there, here, there, move_.straight, move_.transposed);
                else
                    tile(there, here, there, here, move_.straight, move_.transposed);
            }
        }
    }

    // A rectangle of the source on one side of its diagonal. Where it cuts rows of the target, inside the ranges
    // `across` (of rows, transposed) and `along` (of columns, straight), they are cut at the next line instead, the
    // neighbour doing the same.
    void tile(Range rows, Range columns, Range across, Range along, bool straight, bool transposed) {
        const auto go_straight = [&](std::int64_t begin, std::int64_t end) {
            if (!straight) return;
            for (std::int64_t r = begin; r < end; ++r) {
                const std::byte* row = target_.row(r);
                straight_row(r, cut(row, columns.begin, along), cut(row, columns.end, along));
                if (!transposed) fetch(source_.cell(r, columns.end) + line_bytes, columns.size() * item);
            }
        };
        if (rows.begin >= rows.end || columns.begin >= columns.end) return;
        if (!transposed) return go_straight(rows.begin, rows.end);
        const auto high = static_cast<int>(std::min(rows.end + further_, across.end) - rows.begin);
        const auto wide = static_cast<int>(columns.end - columns.begin);
        const std::byte* from[rows_most];
        for (int k = 0; k < high; ++k) {
            from[k] = source_.cell(rows.begin + k, columns.begin);
            if (plain_source_ && move_.on_transposed.none()) continue;
            W* const row = changed_ + k * columns_most;
            change(move_.on_transposed, from[k], row, wide);
            from[k] = reinterpret_cast<const std::byte*>(row);
        }
        // A few columns at a time, straight rows and the fetching of the next tile between them: reading, computing
        // and writing overlap. Without the fetching 1.2 instead of 1.0 of a full copy at n = 8192. A line further than
        // the next tile: its last line, and what cuts move, would be waited for otherwise (0.05 of a copy).
        constexpr int group = std::max(lanes<W>, 4);
        const std::int64_t rows_a_group = (rows.end - rows.begin) * group / wide + 1;
        std::int64_t next = rows.begin;
        for (int c = 0; c < wide; c += group) {
            const int count = std::min(group, wide - c);
            go_straight(next, std::min(next + rows_a_group, rows.end));
            next = std::min(next + rows_a_group, rows.end);
            for (int k = c * high / wide; k < (c + count) * high / wide; ++k)
                fetch(source_.cell(rows.begin + k, columns.end) + line_bytes, wide * item);
            if (sink == Sink::compare)
                for (int k = 0; k < count; ++k) fetch(target_.cell(columns.end + c + k, rows.begin), high * item);
            transpose<W>(from, high, c, count, turned_, rows_most);
            for (int k = 0; k < count; ++k) {
                std::byte* const row = target_.row(columns.begin + c + k);
                const std::int64_t a = cut(row, rows.begin, across), b = cut(row, rows.end, across);
                write(row + a * target_.step, turned_ + k * rows_most + (a - rows.begin), b - a);
            }
        }
        go_straight(next, rows.end);
    }

    // Target row r, columns [c0, c1) of a tile, straight from the source.
    VECH_INLINE void straight_row(std::int64_t r, std::int64_t c0, std::int64_t c1) {
        const auto* from = source_.cell(r, c0);
        auto* to = target_.cell(r, c0);
        if (plain_source_ && move_.on_straight.none()) {
            write(to, reinterpret_cast<const W*>(from), c1 - c0);
            return;
        }
        change(move_.on_straight, from, row_, c1 - c0);
        write(to, row_, c1 - c0);
    }

  private:
    // Target cells of the triangle of [d0, d1), and of its diagonal.
    void triangle(std::int64_t d0, std::int64_t d1) {
        const auto size = static_cast<int>(d1 - d0);
        const bool both = move_.straight && move_.transposed;
        const auto first = [&](int k) { return move_.lower ? 0 : k + 1; };
        const auto last = [&](int k) { return move_.lower ? k : size; };
        if (move_.transposed) {
            const std::byte* from[side];
            for (int k = 0; k < size; ++k) {
                W* const row = changed_ + k * columns_most;
                change(move_.on_transposed, source_.cell(d0 + k, d0 + first(k)), row + first(k), last(k) - first(k));
                from[k] = reinterpret_cast<const std::byte*>(row);
            }
            for (int c = 0; c < size; c += lanes<W>)
                transpose<W>(from, size, c, std::min(lanes<W>, size - c), turned_ + c * rows_most, rows_most);
        }
        const bool left = both || move_.straight == move_.lower, right = both || move_.straight != move_.lower;
        const bool on = move_.diagonal != Move::Diagonal::none;
        for (int k = 0; k < size; ++k) {
            W* const row = turned_ + k * rows_most;
            if (move_.straight)
                change(move_.on_straight, source_.cell(d0 + k, d0 + first(k)), row + first(k), last(k) - first(k));
            if (move_.diagonal == Move::Diagonal::copy)
                change(move_.on_diagonal, source_.cell(d0 + k, d0 + k), row + k, 1);
            else if (move_.diagonal == Move::Diagonal::fill)
                row[k] = load<W>(move_.fill);
            const int c0 = left ? 0 : k + !on, c1 = right ? size : k + on;
            if (c0 < c1) write(target_.cell(d0 + k, d0 + c0), row + c0, c1 - c0);
        }
    }

    VECH_INLINE static void fetch(const std::byte* from, std::int64_t bytes) {
        for (std::int64_t k = 0; k < bytes; k += line_bytes) __builtin_prefetch(from + k, 0, 2);
    }

    VECH_INLINE std::int64_t cut(const std::byte* row, std::int64_t at, Range range) const {
        if (!cut_ || at == range.begin || at == range.end) return at;
        return std::min(at + bytes_to_line(row + at * item) / item, range.end);
    }

    void change(const Change& change, const std::byte* from, W* to, std::int64_t count) {
        if (count <= 0) return;
        if (plain_source_ && change.none())
            std::memcpy(to, from, static_cast<std::size_t>(count * item));
        else
            overflow_ |= apply<W>(change, from, source_.step, to, count);
    }

    VECH_INLINE void write(std::byte* to, const W* from, std::int64_t count) {
        if (plain_target_) {
            emit<sink>(to, reinterpret_cast<const std::byte*>(from), count * item, outcome_);
            return;
        }
        for (std::int64_t k = 0; k < count; ++k) {
            if constexpr (sink == Sink::compare) {
                if (load<W>(to + k * target_.step) != load<W>(from + k)) outcome_.differs = true;
            } else {
                store<W>(to + k * target_.step, load<W>(from + k));
            }
        }
    }
};

// ---- small matrices ----

// Up to this side, a list of cells made once per call beats tiles: a batch of 3 x 3 is 9 loads and stores each.
constexpr std::int64_t small_side = 16;

#if VECH_VECTOR == 64
// How the numbers of one vector are scaled, as `Scaling` does it: x * before / divisor * after.
template <class W>
struct VectorScaling {
    static constexpr int lanes = VECH_VECTOR / sizeof(W);
    alignas(line_bytes) double before[lanes], divisor[lanes], after[lanes];
    unsigned numbers = 0;  // a bit for each that is scaled; the others keep their bits

    bool divides = false;

    void set(int lane, const Change& change) {
        int exponent;
        const bool halves = change.multiplier == 1.0 && std::frexp(change.divisor, &exponent) == 0.5 &&
                            std::isnormal(change.divisor) && std::isnormal(1.0 / change.divisor);  // then exactly
        const bool first = !halves && change.divisor < 1.0;                                        // see `visit`
        before[lane] = first ? change.multiplier : 1.0;
        divisor[lane] = halves ? 1.0 : change.divisor;
        after[lane] = halves ? 1.0 / change.divisor : first ? 1.0 : change.multiplier;
        divides |= divisor[lane] != 1.0;
        numbers |= static_cast<unsigned>(change.scale != Change::Scale::none) << lane;
    }
    template <bool general>
    VECH_INLINE __m512d scaled(__m512d x, int lane) const {
        if constexpr (general)
            x = _mm512_div_pd(_mm512_mul_pd(x, _mm512_load_pd(before + lane)), _mm512_load_pd(divisor + lane));
        return _mm512_mul_pd(x, _mm512_load_pd(after + lane));
    }
    template <bool general>
    VECH_INLINE __m512i operator()(__m512i word, unsigned& overflow) const {
        const auto mask = static_cast<std::conditional_t<lanes == 8, __mmask8, __mmask16>>(numbers);
        if constexpr (sizeof(W) == 8) {
            const __m512d most = _mm512_set1_pd(std::numeric_limits<double>::max()), x = _mm512_castsi512_pd(word);
            const __m512d y = scaled<general>(x, 0);
            overflow |= _mm512_mask_cmp_pd_mask(mask, _mm512_abs_pd(x), most, _CMP_LE_OQ) &
                        _mm512_cmp_pd_mask(_mm512_abs_pd(y), most, _CMP_GT_OQ);
            return _mm512_castpd_si512(_mm512_mask_mov_pd(x, mask, y));
        } else {
            const __m512 most = _mm512_set1_ps(std::numeric_limits<float>::max()), x = _mm512_castsi512_ps(word);
            const auto half = [&](__m256 part, int lane) {  // the plain intrinsics make GCC 12 warn of its own headers
                return _mm512_maskz_cvtpd_ps(0xff, scaled<general>(_mm512_maskz_cvtps_pd(0xff, part), lane));
            };
            const __m256 low = half(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7), 0),
                         high = half(_mm512_maskz_extractf32x8_ps(0xff, x, 1), 8);
            const __m512 y = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            overflow |= _mm512_mask_cmp_ps_mask(mask, _mm512_abs_ps(x), most, _CMP_LE_OQ) &
                        _mm512_cmp_ps_mask(_mm512_abs_ps(y), most, _CMP_GT_OQ);
            return _mm512_castps_si512(_mm512_mask_mov_ps(x, mask, y));
        }
    }
};

// Words of 128 bytes by their number, of which higher bits are left out of account.
template <class W>
VECH_INLINE __m512i pick(const std::byte* from, __m512i where) {
    const __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + line_bytes);
    return sizeof(W) == 4 ? _mm512_permutex2var_epi32(a, where, b) : _mm512_permutex2var_epi64(a, where, b);
}

template <class W>
constexpr bool scales_vectors = sizeof(W) == 4 || sizeof(W) == 8;

// Whether the change is nothing but a scale of real numbers of this size.
template <class W>
bool is_scale(const Change& change) {
    Change rest = change;
    rest.scale = Change::Scale::none;
    return rest.none() && change.scale == (sizeof(W) == 8 ? Change::Scale::f8 : Change::Scale::f4);
}

template <class W>
bool scale_row(const Change& change, const std::byte* from, std::byte* to, std::int64_t count) {
    constexpr std::int64_t lanes = VECH_VECTOR / sizeof(W);
    VectorScaling<W> scaling;
    for (int lane = 0; lane < lanes; ++lane) scaling.set(lane, change);
    unsigned overflow = 0;
    std::int64_t k = 0;
    const auto vectors = [&](auto&& scaled) __attribute__((always_inline)) {
        for (; k + lanes <= count; k += lanes)
            _mm512_storeu_si512(to + k * sizeof(W), scaled(_mm512_loadu_si512(from + k * sizeof(W))));
    };
    if (scaling.divides)
        vectors([&](__m512i words) { return scaling.template operator()<true>(words, overflow); });
    else
        vectors([&](__m512i words) { return scaling.template operator()<false>(words, overflow); });
    return visit<W>(change,
                    [&](auto& op) {
                        for (; k < count; ++k) store<W>(to + k * sizeof(W), op(load<W>(from + k * sizeof(W))));
                    }) ||
           overflow != 0;
}

// A batch of records, all of whose numbers go unchanged or scaled from one record to the next of the other side: a line
// of the target at a time out of two of the source, or four where two do not hold all its numbers. Returns the matrices
// [begin, end) that it did: not those whose lines are shared with others' memory, or where four lines would reach
// beyond the source. A million float32 3 x 3: 1.3 copies, cell by cell 3.4; scaled 1.9, cell by cell 6.
template <class W>
Range shuffle(const Cells& job, int threads, Watch& watch, Outcome& outcome) {
    constexpr std::int64_t item = sizeof(W), lanes = VECH_VECTOR / item, most = 32;
    const Range none{0, 0};
    const Batch& batch = job.batch;
    if (batch.axes != 1 || batch.count < 64 || batch.source[0] <= 0 || batch.source[0] % item != 0) return none;
    if (job.source == job.target) return none;  // in place, what is done twice is scaled twice
    const std::int64_t from_length = batch.source[0] / item, to_length = batch.target[0] / item;
    std::int64_t place[small_side * small_side], count = 0;
    const Change* change[small_side * small_side] = {};
    for (int which = 0; which < job.list_count; ++which) {
        const Cells::List& list = job.lists[which];
        for (std::int64_t k = 0; k < list.count; ++k, ++count) {
            const bool inside = list.to[k] >= 0 && list.to[k] < batch.target[0] && list.to[k] % item == 0 &&
                                list.from[k] >= 0 && list.from[k] < batch.source[0] && list.from[k] % item == 0;
            if (!inside || !(list.change->none() || is_scale<W>(*list.change))) return none;
            place[list.to[k] / item] = list.from[k] / item;
            change[list.to[k] / item] = list.change;
        }
    }
    const std::int64_t period = to_length / std::gcd(to_length, lanes);  // lines after which records begin anew
    const std::int64_t head = bytes_to_line(job.target);                 // before the first whole line
    if (count == 0 || count * item != batch.target[0] || period > most || head % item != 0) return none;

    std::int64_t origin[most], reach = 0;
    alignas(line_bytes) W index[most][lanes];
    unsigned far[most] = {};  // a bit for each number in the second two lines
    VectorScaling<W> scaling[most];
    bool scales = false, divides = false;
    for (std::int64_t v = 0; v < period; ++v) {
        std::int64_t at[lanes];
        for (std::int64_t k = 0; k < lanes; ++k) {
            const std::int64_t number = head / item + v * lanes + k;
            at[k] = number / to_length * from_length + place[number % to_length];
            scaling[v].set(static_cast<int>(k), *change[number % to_length]);
        }
        scales |= scaling[v].numbers != 0;
        divides |= scaling[v].divides;
        const auto [first, last] = std::minmax_element(at, at + lanes);
        if (*last - *first >= 4 * lanes) return none;
        origin[v] = *first;
        for (std::int64_t k = 0; k < lanes; ++k) {
            index[v][k] = static_cast<W>(at[k] - *first);
            far[v] |= static_cast<unsigned>(at[k] - *first >= 2 * lanes) << k;
        }
        reach = std::max(reach, *first + (far[v] == 0 ? 2 : 4) * lanes);
    }
    const std::int64_t records = period * lanes / to_length;  // of a period
    const std::int64_t beyond = std::max<std::int64_t>(reach - records * from_length, 0);
    const std::int64_t safe = batch.count - 1 - head / batch.target[0] - (beyond + from_length - 1) / from_length;
    const std::int64_t periods = std::max<std::int64_t>(safe / records, 0);
    const std::int64_t at_once = std::max<std::int64_t>(unit_bytes / (period * line_bytes), 1);
    // Streaming waits for divisions in double of twice as many vectors: 2.4 copies instead of 1.3.
    const bool streams = batch.count * batch.target[0] >= streamed_records && !(divides && item == 4);
    parallel_for((periods + at_once - 1) / at_once, threads, watch, [&](std::int64_t unit) {
        unsigned overflow = 0;
        const auto all = [&](auto&& finish) __attribute__((always_inline)) {
            for (std::int64_t p = unit * at_once; p < std::min((unit + 1) * at_once, periods); ++p) {
                const auto* from = job.source + p * records * batch.source[0];
                auto* to = job.target + head + p * period * line_bytes;
                for (std::int64_t v = 0; v < period; ++v) {
                    const auto* window = from + origin[v] * item;
                    const __m512i where = _mm512_load_si512(index[v]);
                    __m512i words = pick<W>(window, where);
                    if (far[v] != 0) {
                        const __m512i others = pick<W>(window + 2 * line_bytes, where);
                        words = item == 4 ? _mm512_mask_mov_epi32(words, static_cast<__mmask16>(far[v]), others)
                                          : _mm512_mask_mov_epi64(words, static_cast<__mmask8>(far[v]), others);
                    }
                    words = finish(words, v);
                    auto* line = reinterpret_cast<__m512i*>(to + v * line_bytes);
                    if (streams)
                        _mm512_stream_si512(line, words);
                    else
                        _mm512_store_si512(line, words);
                }
            }
        };
        if (!scales)
            all([](__m512i words, std::int64_t) { return words; });
        else if (divides)
            all([&](__m512i words, std::int64_t v) { return scaling[v].template operator()<true>(words, overflow); });
        else
            all([&](__m512i words, std::int64_t v) { return scaling[v].template operator()<false>(words, overflow); });
        if (streams) finish_streams();
        if (overflow != 0) outcome.overflow = true;
    });
    const std::int64_t begin = (head + batch.target[0] - 1) / batch.target[0];
    return {begin, std::max(begin, (head + periods * period * line_bytes) / batch.target[0])};
}
#endif

// Matrices [range.begin, range.end) of the batch, cell by cell.
template <class W, bool compare>
void cell_by_cell(const Cells& job, Range range, int threads, Watch& watch, Outcome& outcome) {
    constexpr std::int64_t item = sizeof(W);
    const Batch& batch = job.batch;
    const int axis = batch.axes - 1;
    const std::int64_t inner = axis < 0 ? 1 : batch.shape[axis];
    const std::int64_t from_step = axis < 0 ? 0 : batch.source[axis], to_step = axis < 0 ? 0 : batch.target[axis];
    // Matrix after matrix for one cell, so that nothing is looked up between two numbers: 36 loads and stores for 6
    // x 6. 4 kB of them at a time, and the next 4 kB fetched: 1.9 copies of a million 6 x 6, with 16 kB 2.3,
    // unfetched 3.4. Where matrices follow each other number by number, a row of 4 kB for each cell.
    constexpr std::int64_t most_fetched = 16384;
    const bool adjoin = from_step == item && to_step == item;
    const std::int64_t at_once = std::max<std::int64_t>(1, 4096 / (adjoin ? item : job.numbers * item));
    const std::int64_t per_unit = 16 * std::max<std::int64_t>(1, 4096 / (job.numbers * item));
    parallel_for((range.size() + per_unit - 1) / per_unit, threads, watch, [&](std::int64_t unit) {
        bool overflow = false, differs = false;
        const std::int64_t end = std::min(range.end, range.begin + (unit + 1) * per_unit);
        std::int64_t count = 0;
        for (std::int64_t b = range.begin + unit * per_unit; b < end; b += count) {
            const Walk walk(batch, b);
            count = std::min({end - b, inner - b % inner, at_once});
            // Cells are met in no order that the processor would foresee.
            for (std::int64_t k = 0; k < std::min(count * from_step, most_fetched); k += line_bytes)
                __builtin_prefetch(job.source + walk.source + count * from_step + k, 0, 3);
            for (std::int64_t k = 0; k < std::min(count * to_step, most_fetched); k += line_bytes)
                __builtin_prefetch(job.target + walk.target + count * to_step + k, 1, 3);
            for (int which = 0; which < job.list_count; ++which) {
                const Cells::List& list = job.lists[which];
#if VECH_VECTOR == 64
                if constexpr (scales_vectors<W> && !compare)
                    if (adjoin && is_scale<W>(*list.change)) {
                        for (std::int64_t k = 0; k < list.count; ++k)
                            overflow |= scale_row<W>(*list.change, job.source + list.from[k] + walk.source,
                                                     job.target + list.to[k] + walk.target, count);
                        continue;
                    }
#endif
                overflow |= visit<W>(*list.change, [&](auto& op) {
                    auto local = op;
                    const auto all = [&](std::int64_t step_from, std::int64_t step_to) __attribute__((always_inline)) {
                        for (std::int64_t k = 0; k < list.count; ++k) {
                            const auto* from = job.source + list.from[k] + walk.source;
                            auto* to = job.target + list.to[k] + walk.target;
                            for (std::int64_t q = 0; q < count; ++q) {
                                W word;
                                if constexpr (std::is_same_v<decltype(local), Constant<W>>)
                                    word = local.word;  // from nowhere
                                else
                                    word = local(load<W>(from + q * step_from));
                                if constexpr (compare)
                                    differs |= load<W>(to + q * step_to) != word;
                                else
                                    store<W>(to + q * step_to, word);
                            }
                        }
                    };
                    if (adjoin)
                        all(item, item);
                    else
                        all(from_step, to_step);
                    op = local;
                });
            }
        }
        if (overflow) outcome.overflow = true;
        if (differs) outcome.differs = true;
        if (compare && differs) watch.end();
    });
}

template <class W, bool compare>
void go_cells(const Cells& job, int threads, Watch& watch, Outcome& outcome) {
    Range done{0, 0};
#if VECH_VECTOR == 64
    if constexpr (scales_vectors<W> && !compare) done = shuffle<W>(job, threads, watch, outcome);
#endif
    cell_by_cell<W, compare>(job, {0, done.begin}, threads, watch, outcome);
    cell_by_cell<W, compare>(job, {done.end, job.batch.count}, threads, watch, outcome);
}

struct Paths {
    std::int64_t count = 0;
    std::int64_t from[small_side * small_side], to[small_side * small_side];

    void add(std::int64_t source, std::int64_t target) {
        from[count] = source;
        to[count++] = target;
    }
};

template <class W, bool compare>
void small(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    Paths straight, transposed, diagonal;
    const auto from = [&](std::int64_t r, std::int64_t c) { return move.source.cell(r, c) - move.source.base; };
    const auto to = [&](std::int64_t r, std::int64_t c) { return move.target.cell(r, c) - move.target.base; };
    for (std::int64_t r = move.first; r < move.last; ++r)
        for (std::int64_t c = 0; c < move.n; ++c) {
            if (r == c && move.diagonal != Move::Diagonal::none) diagonal.add(from(r, r), to(r, r));
            // Ascending in the target, so that what is written is written in order.
            if (move.straight && (move.lower ? c < r : c > r)) straight.add(from(r, c), to(r, c));
            if (move.transposed && (move.lower ? r < c : r > c)) transposed.add(from(c, r), to(r, c));
        }
    Change fill{.constant = true};
    std::copy(std::begin(move.fill), std::end(move.fill), fill.flip);
    const bool fills = move.diagonal == Move::Diagonal::fill;
    const Cells::List lists[] = {{straight.from, straight.to, straight.count, &move.on_straight},
                                 {transposed.from, transposed.to, transposed.count, &move.on_transposed},
                                 {diagonal.from, diagonal.to, diagonal.count, fills ? &fill : &move.on_diagonal}};
    go_cells<W, compare>({move.item, move.source.base, move.target.base, lists, 3, move.n * move.n, move.batch},
                         threads, watch, outcome);
}

// ---- the whole move ----

// Rows that only go straight are best read a few at a time: 1.3 times as fast as one by one, or as a tile's.
constexpr std::int64_t straight_rows = 8;

template <class W>
std::int64_t rows_at_once(const Move& move) {
    if (!move.transposed) return straight_rows;
    // Rows of a matrix that lie nearly a power of two apart evict each other from L2, unless they are few.
    const std::int64_t off = std::abs(move.source.stride) % 65536;
    const bool evicting = move.source.bend == 0 && std::min(off, 65536 - off) < 512;
    if (evicting) return std::max<std::int64_t>(16, line_bytes / sizeof(W));  // whole lines of the target
    // Fewer rows are read ahead better (0.93 instead of 0.97 of a copy), but each cut costs as much as before.
    return sizeof(W) == 4 && rows_begin_alike(move.target) ? 32 : tile_rows<W>;
}

// Source cells that move together: a square on the diagonal, or a rectangle on one side of it.
struct Piece {
    Range rows, columns;
    bool straight, transposed, on_diagonal;
};

inline int pieces_of(const Move& move, Piece (&pieces)[3]) {
    const Range wanted{move.first, move.last};
    if (move.piece) {
        pieces[0] = {move.rows, move.columns, move.straight, move.transposed, move.rows.begin == move.columns.begin};
        return 1;
    }
    // Beside the square of wanted rows lies what only goes straight (left of it, or right) and what only goes
    // transposed (below, or above).
    const Range below = move.lower ? Range{move.last, move.n} : Range{0, move.first};
    const Range beside = move.lower ? Range{0, move.first} : Range{move.last, move.n};
    pieces[0] = {wanted, wanted, move.straight, move.transposed, true};
    int count = 1;
    if (move.transposed && below.size() > 0) pieces[count++] = {below, wanted, false, true, false};
    if (move.straight && beside.size() > 0) pieces[count++] = {wanted, beside, true, false, false};
    return count;
}

// One matrix in units of about a megabyte: rows of tiles, in stretches, along which source and straight target are read
// and written in order (tiles one below the other instead cost 1.7 times as much at n = 8192).
template <class W, Sink sink>
void large(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    constexpr std::int64_t item = sizeof(W), D = block_side<W>, TC = tile_columns<W>;
    const auto ceil = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
    Piece pieces[3];
    // Tiles begin where lines of the target do, if all rows have them there: 0.84 instead of 1.0 of a copy.
    const auto origin = [&](std::int64_t at) {
        if (!rows_begin_alike(move.target)) return at;
        return at - (line_bytes - bytes_to_line(move.target.cell(0, at))) % line_bytes / item;
    };
    std::int64_t row[3], column[3], high[3], stretch[3], steps[3];
    std::int64_t units[4] = {};  // units[k] to units[k + 1] are those of piece k
    const int count = pieces_of(move, pieces);
    for (int k = 0; k < count; ++k) {
        row[k] = origin(pieces[k].rows.begin);
        column[k] = origin(pieces[k].columns.begin);
        high[k] = pieces[k].transposed ? rows_at_once<W>(move) : straight_rows;
        stretch[k] = std::max<std::int64_t>(unit_bytes / (high[k] * item) / D, 1) * D;
        steps[k] = ceil(pieces[k].rows.end - row[k], high[k]);
        units[k + 1] = units[k] + steps[k] * ceil(pieces[k].columns.end - column[k], stretch[k]);
    }
    const std::int64_t each = units[count];

    parallel_for(move.batch.count * each, threads, watch, [&](std::int64_t unit) {
        if (sink == Sink::compare && outcome.differs) return watch.end();
        Mover<W, sink> mover(move, outcome);
        const Walk walk(move.batch, unit / each);
        mover.aim(walk.source, walk.target);
        unit %= each;
        int k = 0;
        while (unit >= units[k + 1]) ++k;
        unit -= units[k];
        const auto& [rows, columns, straight, transposed, on_diagonal] = pieces[k];
        // Units one below the other: the rows that both read are still in L2 (0.99 instead of 1.14 at n = 12001).
        const std::int64_t r = row[k] + unit % steps[k] * high[k], c = column[k] + unit / steps[k] * stretch[k];
        const Range here{std::max(r, rows.begin), std::min(r + high[k], rows.end)};
        const auto tiles = [&](std::int64_t begin, Range within, auto&& across) {
            const std::int64_t end = std::min(c + stretch[k], within.end);
            for (std::int64_t t = std::max(begin, c); t < end; t += TC)
                mover.tile(here, {std::max(t, within.begin), std::min(t + TC, end)}, across(t), within, straight,
                           transposed);
        };
        if (!on_diagonal) return tiles(c, columns, [&](std::int64_t) { return rows; });
        // The blocks on the diagonal are whole; tiles have theirs on one side.
        const auto block = [&](std::int64_t at) {
            const std::int64_t d = row[k] + (at - row[k]) / D * D;
            return Range{std::max(d, rows.begin), std::min(d + D, rows.end)};
        };
        const auto [d0, d1] = block(r);
        if ((r - row[k]) % D == 0 && c <= r && r < c + stretch[k]) mover.block(d0, d1);
        if (move.lower)
            tiles(c, {rows.begin, d0}, [&](std::int64_t t) { return Range{block(t).end, rows.end}; });
        else
            tiles(d1, {d1, rows.end}, [&](std::int64_t t) { return Range{rows.begin, block(t).begin}; });
    });
}

template <class W>
void move_words(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    if (move.batch.count == 0 || (move.piece ? move.rows.size() * move.columns.size() : move.last - move.first) <= 0)
        return;
    if (move.n <= small_side && !move.piece)
        return move.compare ? small<W, true>(move, threads, watch, outcome)
                            : small<W, false>(move, threads, watch, outcome);
    const std::int64_t numbers =
        move.piece ? move.rows.size() * move.columns.size() : (move.last - move.first) * move.n;
    const std::int64_t bytes = numbers * move.batch.count * move.item;
    if (move.compare)
        large<W, Sink::compare>(move, threads, watch, outcome);
    else if (bytes >= streamed_bytes)
        large<W, Sink::memory>(move, threads, watch, outcome);
    else
        large<W, Sink::cache>(move, threads, watch, outcome);
}

// Calls visitor(W{}) with the word of so many bytes.
template <class Visitor>
void with_words(int item, Visitor&& visitor) {
    switch (item) {
        case 1: return visitor(std::uint8_t{});
        case 2: return visitor(std::uint16_t{});
        case 4: return visitor(std::uint32_t{});
        case 8: return visitor(std::uint64_t{});
        default: return visitor(Word16{});
    }
}

inline void move(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    with_words(move.item, [&]<class W>(W) { move_words<W>(move, threads, watch, outcome); });
}

inline void cells(const Cells& job, int threads, Watch& watch, Outcome& outcome) {
    with_words(job.item, [&]<class W>(W) { go_cells<W, false>(job, threads, watch, outcome); });
}
