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

inline std::int64_t bytes_to_line(const std::byte* address) {
    return static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(address) & (line_bytes - 1));
}

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

struct Range {
    std::int64_t begin, end;
};

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
               (target_.half.n || target_.stride % item == 0);
        // Tiles need as many rows more as a cut can move, in whole blocks; none where lines begin at every cut.
        const bool aligned = !target_.half.n && target_.stride % line_bytes == 0 && bytes_to_line(target_.base) == 0 &&
                             move_.first % line == 0 && (move_.last % line == 0 || move_.last == move_.n);
        further_ = cut_ && !aligned ? line : 0;
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
                if (!transposed) fetch(source_.cell(r, columns.end), (columns.end - columns.begin) * item);
            }
        };
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
        // and writing overlap. Without the fetching 1.2 instead of 1.0 of a full copy at n = 8192.
        constexpr int group = std::max(lanes<W>, 4);
        const std::int64_t rows_a_group = (rows.end - rows.begin) * group / wide + 1;
        std::int64_t next = rows.begin;
        for (int c = 0; c < wide; c += group) {
            const int count = std::min(group, wide - c);
            go_straight(next, std::min(next + rows_a_group, rows.end));
            next = std::min(next + rows_a_group, rows.end);
            for (int k = c * high / wide; k < (c + count) * high / wide; ++k)
                fetch(source_.cell(rows.begin + k, columns.end), wide * item);
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

struct Paths {
    int count = 0;
    std::int64_t from[small_side * small_side], to[small_side * small_side];

    void add(const std::byte* source, const std::byte* target) {
        from[count] = reinterpret_cast<std::intptr_t>(source);
        to[count++] = reinterpret_cast<std::intptr_t>(target);
    }
};

template <class W, bool compare>
void small(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    Paths straight, transposed, diagonal;
    const auto wanted = [&](std::int64_t row) { return row >= move.first && row < move.last; };
    for (std::int64_t r = 0; r < move.n; ++r)
        for (std::int64_t c = 0; c < move.n; ++c) {
            if (r == c && move.diagonal != Move::Diagonal::none && wanted(r))
                diagonal.add(move.diagonal == Move::Diagonal::copy ? move.source.cell(r, r) : nullptr,
                             move.target.cell(r, r));
            // Ascending in the target, so that what is written is written in order.
            if (move.straight && wanted(r) && (move.lower ? c < r : c > r))
                straight.add(move.source.cell(r, c), move.target.cell(r, c));
            if (move.transposed && wanted(r) && (move.lower ? r < c : r > c))
                transposed.add(move.source.cell(c, r), move.target.cell(r, c));
        }
    const W fill = load<W>(move.fill);

    // Matrix after matrix for one cell, so that nothing is looked up between two numbers: 36 loads and stores for 6
    // x 6. 4 kB of them at a time, and the next 4 kB fetched: 1.9 copies of a million 6 x 6, with 16 kB 2.3,
    // unfetched 3.4.
    constexpr std::int64_t most_fetched = 16384;
    const std::int64_t at_once =
        std::max<std::int64_t>(1, 4096 / (move.n * move.n * static_cast<std::int64_t>(sizeof(W))));
    const std::int64_t per_unit = 16 * at_once;
    const Batch& batch = move.batch;
    const int axis = batch.axes - 1;
    const std::int64_t inner = axis < 0 ? 1 : batch.shape[axis];
    const std::int64_t from_step = axis < 0 ? 0 : batch.source[axis], to_step = axis < 0 ? 0 : batch.target[axis];
    parallel_for((batch.count + per_unit - 1) / per_unit, threads, watch, [&](std::int64_t unit) {
        bool overflow = false, differs = false;
        const std::int64_t end = std::min(batch.count, (unit + 1) * per_unit);
        std::int64_t count = 0;
        for (std::int64_t b = unit * per_unit; b < end; b += count) {
            const Walk walk(batch, b);
            count = std::min({end - b, inner - b % inner, at_once});
            // Cells are met in no order that the processor would foresee.
            for (std::int64_t k = 0; k < std::min(count * from_step, most_fetched); k += line_bytes)
                __builtin_prefetch(move.source.base + walk.source + count * from_step + k, 0, 3);
            for (std::int64_t k = 0; k < std::min(count * to_step, most_fetched); k += line_bytes)
                __builtin_prefetch(move.target.base + walk.target + count * to_step + k, 1, 3);
            const auto go = [&](const Paths& list, const Change& change) {
                overflow |= visit<W>(change, [&](auto& op) {
                    auto local = op;
                    for (int k = 0; k < list.count; ++k) {
                        const auto* from = reinterpret_cast<const std::byte*>(list.from[k] + walk.source);
                        auto* to = reinterpret_cast<std::byte*>(list.to[k] + walk.target);
                        for (std::int64_t q = 0; q < count; ++q, from += from_step, to += to_step) {
                            const W word = local(load<W>(from));
                            if constexpr (compare)
                                differs |= load<W>(to) != word;
                            else
                                store<W>(to, word);
                        }
                    }
                    op = local;
                });
            };
            go(straight, move.on_straight);
            go(transposed, move.on_transposed);
            if (move.diagonal == Move::Diagonal::copy) go(diagonal, move.on_diagonal);
            if (move.diagonal == Move::Diagonal::fill)
                for (int k = 0; k < diagonal.count; ++k)
                    for (std::int64_t q = 0; q < count; ++q)
                        store<W>(reinterpret_cast<std::byte*>(diagonal.to[k] + walk.target + q * to_step), fill);
        }
        if (overflow) outcome.overflow = true;
        if (differs) outcome.differs = true;
        if (compare && differs) watch.end();
    });
}

// ---- the whole move ----

// From this many bytes on, a target is streamed past the caches.
constexpr std::int64_t streamed_bytes = std::int64_t{3} << 20;
constexpr std::int64_t unit_bytes = std::int64_t{1} << 20;

// Rows that only go straight are best read a few at a time: 1.3 times as fast as one by one, or as a tile's.
constexpr std::int64_t straight_rows = 8;

template <class W>
std::int64_t rows_at_once(const Move& move) {
    if (!move.transposed) return straight_rows;
    // Rows of a matrix that lie nearly a power of two apart evict each other from L2, unless they are few.
    const std::int64_t off = std::abs(move.source.stride) % 65536;
    const bool evicting = move.source.half.n == 0 && std::min(off, 65536 - off) < 512;
    return evicting ? std::min(tile_rows<W>, 16) : tile_rows<W>;
}

// One matrix in units of about a megabyte: rows of tiles, in pieces, along which source and straight target are read
// and written in order (tiles one below the other instead cost 1.7 times as much at n = 8192). Beside the square
// of wanted rows lies what only goes straight (left of it, or right) and what only goes transposed (below, or above).
template <class W, Sink sink>
void large(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    constexpr std::int64_t item = sizeof(W), D = block_side<W>, TC = tile_columns<W>;
    const bool lower = move.lower;
    const std::int64_t high = rows_at_once<W>(move);
    const std::int64_t piece = std::max<std::int64_t>(unit_bytes / (high * item) / D, 1) * D;
    const auto ceil = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
    const std::int64_t p0 = move.first, p1 = move.last, pieces = ceil(p1 - p0, piece);
    const Range below = lower ? Range{p1, move.n} : Range{0, p0}, beside = lower ? Range{0, p0} : Range{p1, move.n};
    const std::int64_t in_square = ceil(p1 - p0, high) * pieces,
                       in_below = ceil(below.end - below.begin, high) * pieces;
    const std::int64_t each = in_square + in_below + (beside.begin < beside.end ? ceil(p1 - p0, straight_rows) : 0);

    parallel_for(move.batch.count * each, threads, watch, [&](std::int64_t unit) {
        if (sink == Sink::compare && outcome.differs) return watch.end();
        Mover<W, sink> mover(move, outcome);
        const Walk walk(move.batch, unit / each);
        mover.aim(walk.source, walk.target);
        unit %= each;
        if (unit < in_square) {
            const std::int64_t r0 = p0 + unit / pieces * high, r1 = std::min(r0 + high, p1);
            const std::int64_t d0 = p0 + (r0 - p0) / D * D, d1 = std::min(d0 + D, p1);
            std::int64_t c0 = p0 + unit % pieces * piece, c1 = std::min(c0 + piece, p1);
            if (r0 == d0 && c0 <= d0 && d0 < c1) mover.block(d0, d1);
            const Range along = lower ? Range{p0, d0} : Range{d1, p1};
            c0 = std::max(c0, along.begin);
            c1 = std::min(c1, along.end);
            for (; c0 < c1; c0 += TC) {
                const std::int64_t e0 = p0 + (c0 - p0) / D * D, e1 = std::min(e0 + D, p1);
                mover.tile({r0, r1}, {c0, std::min(c0 + TC, c1)}, lower ? Range{e1, p1} : Range{p0, e0}, along,
                           move.straight, move.transposed);
            }
        } else if (unit < in_square + in_below) {
            unit -= in_square;
            const std::int64_t r0 = below.begin + unit / pieces * high, r1 = std::min(r0 + high, below.end);
            const std::int64_t c0 = p0 + unit % pieces * piece, c1 = std::min(c0 + piece, p1);
            for (std::int64_t c = c0; c < c1; c += TC)
                mover.tile({r0, r1}, {c, std::min(c + TC, c1)}, below, {}, false, move.transposed);
        } else {
            const std::int64_t r0 = p0 + (unit - in_square - in_below) * straight_rows;
            const std::int64_t r1 = std::min(r0 + straight_rows, p1);
            for (std::int64_t c = beside.begin; c < beside.end; c += TC)
                mover.tile({r0, r1}, {c, std::min(c + TC, beside.end)}, {}, beside, move.straight, false);
        }
    });
}

template <class W>
void move_words(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    if (move.batch.count == 0 || move.first >= move.last) return;
    if (move.n <= small_side)
        return move.compare ? small<W, true>(move, threads, watch, outcome)
                            : small<W, false>(move, threads, watch, outcome);
    const std::int64_t bytes = (move.last - move.first) * move.n * move.batch.count * move.item;
    if (move.compare)
        large<W, Sink::compare>(move, threads, watch, outcome);
    else if (bytes >= streamed_bytes)
        large<W, Sink::memory>(move, threads, watch, outcome);
    else
        large<W, Sink::cache>(move, threads, watch, outcome);
}

inline void move(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    switch (move.item) {
        case 1: return move_words<std::uint8_t>(move, threads, watch, outcome);
        case 2: return move_words<std::uint16_t>(move, threads, watch, outcome);
        case 4: return move_words<std::uint32_t>(move, threads, watch, outcome);
        case 8: return move_words<std::uint64_t>(move, threads, watch, outcome);
        default: return move_words<Word16>(move, threads, watch, outcome);
    }
}
