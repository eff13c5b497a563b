// move: every dense operation is numbers going from one triangle of a source to a target, straight (r, c) -> (r, c),
// transposed (r, c) -> (c, r), or both.
//
// Bytes moved  expand: the half once, the full matrix once, written without reading it first.
// Idea         Tiles are read once and leave twice, transposed 8 x 8 (words of 8 bytes) at a time in registers. Inside
//              the cache they leave from there. Past it they go through a buffer in L1: rows of a target begin anywhere
//              in a cache line, so each row is cut at its own lines, and a whole line is streamed exactly once.
// Assumes      source and target do not overlap, save element by element when they are the same half.
#pragma once
#include "core/kernels/cells.hpp"
#include "core/kernels/change.hpp"
#include "core/kernels/lines.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/transpose.hpp"
#include "core/layout.hpp"
#include "core/move.hpp"
#include "core/parallel.hpp"

VECH_TARGET_BEGIN
namespace {

// ---- writing rows ----

// Whether all rows have their lines at the same columns.
inline bool rows_begin_alike(const Rows& rows) { return rows.bend == 0 && rows.stride % line_bytes == 0; }

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

template <class W, bool compare>
class Mover {
    static constexpr std::int64_t item = sizeof(W);
    static constexpr int line = static_cast<int>(line_bytes / item);
    static constexpr int rows_most = tile_rows<W> + line, columns_most = tile_columns<W> + line;
    static constexpr int side = std::min(tile_rows<W>, tile_columns<W>);

    const Move& move_;
    Outcome& outcome_;
    Rows source_, target_;
    bool streams_, plain_source_, plain_target_, direct_, squares_, cut_ = false, overflow_ = false;
    int further_ = 0;
    alignas(line_bytes) W turned_[tile_columns<W> * rows_most];
    alignas(line_bytes) W changed_[rows_most * columns_most];  // the source rows of a tile
    alignas(line_bytes) W row_[columns_most];                  // a straight row

  public:
    Mover(const Move& move, bool streams, Outcome& outcome)
        : move_(move), outcome_(outcome), source_(move.source), target_(move.target), streams_(streams),
          plain_source_(move.source.step == item), plain_target_(move.target.step == item),
          direct_(!streams && plain_target_),
          squares_(direct_ && !compare && plain_source_ && lanes<W> > 1 && move.straight && move.transposed &&
                   !move.piece && move.diagonal != Move::Diagonal::none && move.on_straight.none() &&
                   move.on_transposed.none() && (move.diagonal == Move::Diagonal::fill || move.on_diagonal.none())) {}
    ~Mover() {
        if (overflow_) outcome_.overflow = true;
        if (streams_ && !compare) finish_streams();
    }
    Mover(const Mover&) = delete;
    Mover& operator=(const Mover&) = delete;

    void aim(std::int64_t source, std::int64_t target) {
        source_ = move_.source.at(source);
        target_ = move_.target.at(target);
        // Rows can be cut at their lines only where lines begin with a number.
        cut_ = !compare && plain_target_ &&
               reinterpret_cast<std::uintptr_t>(target_.base) % static_cast<std::uintptr_t>(item) == 0 &&
               target_.stride % item == 0 && target_.bend % item == 0;
        // Tiles need as many rows more as a cut can move, in whole blocks; none where lines begin at every cut, as they
        // do in `large`.
        further_ = cut_ && !(rows_begin_alike(move_.target) && target % line_bytes == 0) ? line : 0;
    }

    // Whole rows, where they go straight and unchanged, with their diagonal or without.
    void rows() {
        const bool on = move_.diagonal != Move::Diagonal::none;
        for (std::int64_t r = move_.first; r < move_.last; ++r) {
            const std::int64_t c0 = move_.lower ? 0 : r + !on, c1 = move_.lower ? r + on : move_.n;
            if (c0 < c1) write(target_.cell(r, c0), reinterpret_cast<const W*>(source_.cell(r, c0)), c1 - c0);
        }
    }

    // All target cells of rows and columns [d0, d1).
    void block(std::int64_t d0, std::int64_t d1) {
        const std::int64_t step = direct_ && lanes<W> > 1 ? lanes<W> : side;
        // Rows of a half end, or begin, where its neighbours do; those of a strict one lack a number at either end.
        const std::int64_t strict = move_.diagonal == Move::Diagonal::fill;
        for (std::int64_t a = d0; a < d1; a += step) {
            const std::int64_t b = std::min(a + step, d1);
            if (squares_ && b - a == lanes<W> && a >= strict && b + strict <= move_.n)
                square(a);
            else
                triangle(a, b);
            const Range beside = move_.lower ? Range{d0, a} : Range{b, d1};
            for (std::int64_t c = beside.begin; c < beside.end; c += side) {
                const Range here{a, b}, there{c, std::min(c + side, beside.end)};
                tile(here, there, here, there, move_.straight, move_.transposed);
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
        if (direct_) {
            go_straight(rows.begin, rows.end);
            return direct(rows, columns);
        }
        const auto high = static_cast<int>(std::min(rows.end + further_, across.end) - rows.begin);
        const auto wide = static_cast<int>(columns.end - columns.begin);
        const std::byte* from[rows_most];
        point(from, rows.begin, high, columns);
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
            if (compare)
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
    // The rows of a tile as they are to be transposed.
    VECH_INLINE void point(const std::byte** from, std::int64_t begin, int high, Range columns) {
        const auto wide = columns.size();
        Down down(source_, begin, columns.begin);
        for (int k = 0; k < high; ++k) {
            from[k] = down.next();
            if (plain_source_ && move_.on_transposed.none()) continue;
            W* const row = changed_ + k * columns_most;
            change(move_.on_transposed, from[k], row, wide);
            from[k] = reinterpret_cast<const std::byte*>(row);
        }
    }

    // In the cache, vectors go from registers to where they belong; the last of a row or column covers some of the one
    // before. float64, n = 100 / 200 / 300: 2.3 / 1.7 / 1.7 copies, through a buffer and by lines 3.5 / 2.5 / 2.2.
    void direct(Range rows, Range columns) {
        constexpr int N = lanes<W>;
        const auto high = static_cast<int>(rows.size()), wide = static_cast<int>(columns.size());
        const std::byte* from[rows_most];
        point(from, rows.begin, high, columns);
        bool differs = false;
        Down down(target_, columns.begin, rows.begin);
        if constexpr (N > 1)
            if (high >= N && wide >= N) {
                using V = typename VectorOf<W>::type;
                std::byte* to[N];
                V different{};
                for (int c = 0; c < wide; c += N) {
                    if (c > wide - N) down = Down(target_, columns.begin + (c = wide - N), rows.begin);
                    for (int k = 0; k < N; ++k) to[k] = down.next();
                    for (int r = 0; r < high; r += N) {
                        r = std::min(r, high - N);
                        turn_block<W>(from + r, c * item, [&](int k, V words) VECH_ALWAYS {
                            V& there = *reinterpret_cast<V*>(to[k] + r * item);
                            if constexpr (compare)
                                different |= words ^ there;
                            else
                                there = words;
                        });
                    }
                }
                for (int k = 0; compare && k < N; ++k) differs |= different[k] != 0;
                if (differs) outcome_.differs = true;
                return;
            }
        for (int c = 0; c < wide; ++c) {
            std::byte* const to = down.next();
            for (int r = 0; r < high; ++r) {
                const auto word = load<W>(from[r] + c * item);
                if constexpr (compare)
                    differs |= load<W>(to + r * item) != word;
                else
                    store<W>(to + r * item, word);
            }
        }
        if (differs) outcome_.differs = true;
    }

    // A square on the diagonal of a full matrix, out of rows of a triangle that are read whole: what there is another
    // row's comes from across.
    void square(std::int64_t d0) {
        if constexpr (lanes<W> > 1) {
            constexpr int N = lanes<W>;
            using V = typename VectorOf<W>::type;
            static constexpr auto masks = [] {  // of row k: columns up to it, and columns from it on
                std::array<std::array<W, N>, 2 * N> masks{};
                for (int k = 0; k < N; ++k)
                    for (int c = 0; c < N; ++c) {
                        masks[k][c] = static_cast<W>(c <= k ? ~W{0} : W{0});
                        masks[N + k][c] = static_cast<W>(c >= k ? ~W{0} : W{0});
                    }
                return masks;
            }();
            const std::byte* from[N];
            Down down(source_, d0, d0), to(target_, d0, d0);
            for (int k = 0; k < N; ++k) from[k] = down.next();
            const auto* own = masks.data() + (move_.lower ? 0 : N);
            turn_block<W>(from, 0, [&](int k, V across) VECH_ALWAYS {
                const V mask = *reinterpret_cast<const V*>(own[k].data()), row = *reinterpret_cast<const V*>(from[k]);
                std::byte* const at = to.next();
                *reinterpret_cast<V*>(at) = (row & mask) | (across & ~mask);
                if (move_.diagonal == Move::Diagonal::fill) store<W>(at + k * item, load<W>(move_.fill));
            });
        }
    }

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
        const auto* words = reinterpret_cast<const std::byte*>(from);
        if (plain_target_) {
            if constexpr (compare) {  // other threads may have found a difference
                if (std::memcmp(to, words, static_cast<std::size_t>(count * item)) != 0) outcome_.differs = true;
            } else if (streams_) {
                stream_lines(to, words, count * item);
            } else {
                copy_vectors(to, words, count * item);
            }
            return;
        }
        for (std::int64_t k = 0; k < count; ++k) {
            if constexpr (compare) {
                if (load<W>(to + k * target_.step) != load<W>(from + k)) outcome_.differs = true;
            } else {
                store<W>(to + k * target_.step, load<W>(from + k));
            }
        }
    }
};

// ---- small matrices ----

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
    // Float32 at n = 8192, across, rows 32 kB apart: 1.1 of a copy with 32 rows, 1.5 with 64.
    const auto near_multiple_of = [&](std::int64_t bytes) {
        const std::int64_t off = std::abs(move.source.stride) % bytes;
        return move.source.bend == 0 && std::min(off, bytes - off) < 512;
    };
    constexpr std::int64_t fewest = line_bytes / sizeof(W);  // whole lines of the target
    if (near_multiple_of(65536)) return std::max<std::int64_t>(16, fewest);
    if (near_multiple_of(32768)) return std::max<std::int64_t>(32, fewest);
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
template <class W, bool compare>
void large(const Move& move, bool streams, int threads, Watch& watch, Outcome& outcome) {
    constexpr std::int64_t item = sizeof(W), D = block_side<W>, TC = tile_columns<W>;
    const bool as_it_is = !move.transposed && !move.piece && move.source.step == item && move.on_straight.none() &&
                          move.on_diagonal.none() && move.diagonal != Move::Diagonal::fill;
    if (as_it_is && !streams)
        return parallel_for(move.batch.count, threads, watch, [&](std::int64_t unit) {
            Mover<W, compare> mover(move, streams, outcome);
            const Walk walk(move.batch, unit);
            mover.aim(walk.source, walk.target);
            mover.rows();
        });
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
        if (compare && outcome.differs) return watch.end();
        Mover<W, compare> mover(move, streams, outcome);
        const Walk walk(move.batch, unit / each);
        mover.aim(walk.source, walk.target);
        unit %= each;
        int k = 0;
        while (unit >= units[k + 1]) ++k;
        unit -= units[k];
        const Piece& piece = pieces[k];
        const Range rows = piece.rows;
        // Units one below the other: the rows that both read are still in L2 (0.99 instead of 1.14 at n = 12001).
        const std::int64_t r = row[k] + unit % steps[k] * high[k], c = column[k] + unit / steps[k] * stretch[k];
        const Range here{std::max(r, rows.begin), std::min(r + high[k], rows.end)};
        const auto tiles = [&](std::int64_t begin, Range within, auto&& across) {
            const std::int64_t end = std::min(c + stretch[k], within.end);
            for (std::int64_t t = std::max(begin, c); t < end; t += TC)
                mover.tile(here, {std::max(t, within.begin), std::min(t + TC, end)}, across(t), within, piece.straight,
                           piece.transposed);
        };
        if (!piece.on_diagonal) return tiles(c, piece.columns, [&](std::int64_t) { return rows; });
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
    const bool streams = bytes >= streamed_bytes();
    move.compare ? large<W, true>(move, streams, threads, watch, outcome)
                 : large<W, false>(move, streams, threads, watch, outcome);
}

}  // namespace

void move(const Move& move, int threads, Watch& watch, Outcome& outcome) {
    with_word(move.item, [&]<class W>(W) { move_words<W>(move, threads, watch, outcome); });
}

VECH_TARGET_END
