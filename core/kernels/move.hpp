// move: every dense operation is numbers going from one triangle of a source to a target, straight (r, c) -> (r, c),
// transposed (r, c) -> (c, r), or both.
//
// Bytes moved  expand: the half once, the full matrix once, written without reading it first.
// Idea         Bands of rows, in panels of columns, are read once and leave twice, turned in registers. Inside the
// cache
//              vectors go from there to where they belong. Past it whole lines are streamed, each once: rows of a
//              target begin anywhere in a line, so a line is joined, in registers too, out of a strip - as many rows as
//              a line has words - and the strip before. Meanwhile the panel after the next one is fetched. expand, n =
//              8191, float64 / float32, of a full copy: Zen 5 0.83 / 0.80, through a buffer in L1 and with the next
//              tile fetched 1.5 / 1.4, where half a read and the writes alone take 0.62; on a Xeon that way 0.92
//              / 1.13. Fetching in bursts, row by row, instead of between columns: 0.9.
// Assumes      source and target do not overlap, save element by element when they are the same half.
#pragma once
#include "core/kernels/cells.hpp"
#include "core/kernels/change.hpp"
#include "core/kernels/lines.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/scale.hpp"
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

// Rows of a band, which are the side of the squares on the diagonal as well, and columns of a panel past the cache.
// Rows of a matrix that lie a power of two apart evict each other from L2, and yet fewer rows are worse (Zen 5,
// float64, n = 8192, across: 0.61 with 128, 0.69 with 32, 0.92 with 16).
template <class W>
constexpr int band_rows = sizeof(W) == 16  ? 64
                          : sizeof(W) >= 4 ? 128
                                           : 256;
template <class W>
constexpr int panel_columns = sizeof(W) == 16  ? 32
                              : sizeof(W) >= 4 ? 64
                                               : 256;

// Inside the cache, rows of a band. Fewer are up to 5 times as slow where rows lie a power of two apart (Zen 5,
// float32, n = 1024: 1.4 copies with 128, 2.6 with 64, 5.4 with 16), and no faster elsewhere.
template <class W>
constexpr int near_rows = sizeof(W) >= 8 ? 64 : 128;

// Columns of a panel that only goes straight.
constexpr std::int64_t straight_bytes = 2048;

template <class W, bool compare>
class Mover {
    static constexpr std::int64_t item = sizeof(W);
    static constexpr int line = static_cast<int>(line_bytes / item), few = turned_columns<W>;
    static constexpr int side = lanes<W> > 1 ? lanes<W> : 8;                                  // of the smallest squares
    static constexpr int widest = std::max(side, VECH_VECTOR / static_cast<int>(sizeof(W)));  // of those in registers
    // Two strips at once make two lines side by side, without which memory is slow: half a read and such writes alone
    // take 0.66 of a copy, line by line 0.94 (Zen 5, float32, n = 8192; 0.95 and 1.6 at 2048; four lines 0.64 and 0.86,
    // but four strips are no faster in float32, and 1.08 to 1.15 times as slow else).
    static constexpr int strips_at_once = 2;
    // Words of 4 and 1 bytes take one strip where they only go across, which was not measured well enough to change it
    // (pack, float32, n = 4096: 0.7 to 0.96 of a copy, by where the arrays lie), and with vectors of 16 bytes.
    static constexpr bool single = item == 4 || item == 1;
    static constexpr int changed_rows = std::max(32, strips_at_once* line);
    static constexpr int changed_columns = std::max(panel_columns<W>, band_rows<W> / 2) + line;
    static constexpr int slots = panel_columns<W> + few;  // the last columns of a panel overlap those before
    static_assert(band_rows<W> % (strips_at_once * line) == 0 && panel_columns<W> <= band_rows<W> &&
                  band_rows<W> % panel_columns<W> == 0);
    enum class Writes { none, some, all };  // of the lines that a strip ends

    const Move& move_;
    Outcome& outcome_;
    Rows source_, target_;
    bool streams_, far_, plain_source_, plain_target_, squares_, cut_ = false, overflow_ = false;
    // Of each column of a panel: the strip before, where the line goes that the first strip ends, how many of its words
    // are that line's, and the words of the band that are written.
    alignas(line_bytes) Line before_[slots];
    std::byte* to_[slots];
    int skip_[slots], begin_[slots], end_[slots];
    alignas(line_bytes) W block_[band_rows<W> * band_rows<W>];
    alignas(line_bytes) W turned_[side * side];
    alignas(line_bytes) W changed_[changed_rows * changed_columns];
    alignas(line_bytes) W row_[band_rows<W> + line];

  public:
    Mover(const Move& move, bool streams, Outcome& outcome)
        : move_(move), outcome_(outcome), source_(move.source), target_(move.target), streams_(streams && !compare),
          far_(streams), plain_source_(move.source.step == item), plain_target_(move.target.step == item),
          squares_(plain_target_ && !compare && plain_source_ && lanes<W> > 1 && move.straight && move.transposed &&
                   !move.piece && move.diagonal != Move::Diagonal::none && move.on_straight.none() &&
                   move.on_transposed.none() && (move.diagonal == Move::Diagonal::fill || move.on_diagonal.none())) {}
    ~Mover() {
        if (overflow_) outcome_.overflow = true;
        if (streams_) finish_streams();
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
    }

    // Whole rows, where they go straight and unchanged, with their diagonal or without.
    void rows(std::int64_t first, std::int64_t last) {
        const bool on = move_.diagonal != Move::Diagonal::none;
        const auto own = [&](std::int64_t r) { return move_.lower ? Range{0, r + on} : Range{r + !on, move_.n}; };
        Joiner joiner;
        for (std::int64_t r = first; r < last; ++r) {
            const auto [begin, end] = own(r);
            const std::byte* const from = source_.cell(r, begin);
            if (streams_ && plain_target_)
                joiner.add(target_.cell(r, begin), from, (end - begin) * item, source_.cell(r + 1, own(r + 1).begin));
            else if (begin < end)
                write(target_.cell(r, begin), reinterpret_cast<const W*>(from), end - begin, false);
        }
    }

    // All target cells of rows and columns [d0, d1): streamed, they are put together in the cache first.
    void block(std::int64_t d0, std::int64_t d1) {
        if (!streams_ || !plain_target_) return square(d0, d1);
        const Rows target =
            std::exchange(target_, Rows::full(reinterpret_cast<std::byte*>(block_) - d0 * (band_rows<W> + 1) * item,
                                              band_rows<W> * item, item));
        square(d0, d1);
        for (std::int64_t r = d0; r < d1; ++r) {
            const auto [c0, c1] = written(r, d0, d1);
            const std::byte* const from = target_.cell(r, c0);
            if (c0 < c1) stream_lines(target.cell(r, c0), from, (c1 - c0) * item);
        }
        target_ = target;
    }

    // A rectangle of the source on one side of its diagonal. Where it cuts rows of the target, inside the ranges
    // `across` (of rows, transposed) and `along` (of columns, straight), they are cut at the next line instead, the
    // neighbour doing the same.
    void tile(Range rows, Range columns, Range across, Range along, bool straight, bool transposed) {
        if (rows.begin >= rows.end || columns.begin >= columns.end) return;
        if constexpr (!compare)
            if (transposed && streams_ && cut_ && columns.size() >= few)
                return strips(rows, columns, across, along, straight);
        if (straight && !streams_) straight_rows(rows, columns);
        for (std::int64_t r = rows.begin; straight && streams_ && r < rows.end; ++r) {
            const std::byte* row = target_.row(r);
            const std::int64_t c0 = cut(row, columns.begin, along), c1 = cut(row, columns.end, along);
            straight_row(source_.cell(r, c0), target_.cell(r, c0), c1 - c0, plain_straight(), true);
            fetch(source_.cell(r, columns.end) + line_bytes, columns.size() * item);
        }
        if (transposed) direct(rows, columns);
    }

  private:
    void square(std::int64_t d0, std::int64_t d1) {
        for (std::int64_t begin = d0; move_.straight && begin < d1; begin += widest) {  // beside the widest squares
            const std::int64_t end = std::min(begin + widest, d1);
            straight_rows({begin, end}, move_.lower ? Range{d0, begin} : Range{end, d1});
        }
        halve(d0, d1);
    }

    // Two squares and the rectangle between them, down to squares that registers hold: for short words as wide as a
    // vector, 5.4 for 7.3 us (Zen 5, 1 byte, n = 500, where a copy takes 1.9).
    void halve(std::int64_t d0, std::int64_t d1) {
        const auto size = static_cast<std::uint64_t>(d1 - d0);
        // Rows of a half end, or begin, where its neighbours do; those of a strict one lack a number at either end.
        const std::int64_t strict = move_.diagonal == Move::Diagonal::fill;
        if constexpr (lanes<W> > 1)
            if (squares_ && d0 >= strict && d1 + strict <= move_.n && whole<widest * item>(d0, d1)) return;
        if (size <= side) return triangle(d0, d1);
        const std::int64_t middle = d0 + static_cast<std::int64_t>(std::bit_ceil(size) / 2);
        halve(d0, middle);
        halve(middle, d1);
        const Range first{d0, middle}, second{middle, d1}, &rows = move_.lower ? second : first,
                                                           &columns = move_.lower ? first : second;
        if (move_.straight && size <= widest) straight_rows(rows, columns);
        if (move_.transposed) direct(rows, columns);
    }

    // Whether [d0, d1) is the side of a square that registers hold, and so done.
    template <int bytes>
    bool whole(std::int64_t d0, std::int64_t d1) {
        if (d1 - d0 == bytes / item) return smallest<bytes>(d0), true;
        if constexpr (bytes / item > side) return whole<bytes / 2>(d0, d1);
        return false;
    }

    bool plain_straight() const { return plain_source_ && move_.on_straight.none(); }

    VECH_INLINE void straight_row(const std::byte* from, std::byte* to, std::int64_t count, bool plain, bool streams) {
        if (!plain) change(move_.on_straight, from, row_, count);
        write(to, plain ? reinterpret_cast<const W*>(from) : row_, count, streams);
    }

    // A rectangle in the cache, straight.
    void straight_rows(Range rows, Range columns) {
        if (columns.size() <= 0) return;
        const bool plain = plain_straight();
        Down from(source_, rows.begin, columns.begin), to(target_, rows.begin, columns.begin);
        for (auto r = rows.begin; r < rows.end; ++r) straight_row(from.next(), to.next(), columns.size(), plain, false);
    }

    // A tile that is streamed.
    void strips(Range rows, Range columns, Range across, Range along, bool straight) {
        const auto size = static_cast<int>(rows.size()), wide = static_cast<int>(columns.size());
        const auto high = static_cast<int>(std::min(rows.end + line, across.end) - rows.begin);
        // Where all lines begin with a strip, they are that strip's, of which nothing is skipped: all comes after.
        const bool alike = rows_begin_alike(target_) && bytes_to_line(target_.cell(columns.begin, rows.begin)) == 0;
        // Inside, all columns write as many lines: the tile before ended the first, the next one will end the last.
        const bool inside = rows.begin != across.begin && rows.end + line <= across.end && size % line == 0;
        int whole = inside ? size / line - alike : size, last = inside ? whole : 0;
        for (int at = 0; at < wide; at += few) {
            Down down(target_, columns.begin + std::min(at, wide - few), rows.begin);
            for (int k = at; k < at + few; ++k) {
                std::byte* const to = down.next();
                const int begin = words_to_line(to);
                skip_[k] = alike ? line : begin;
                to_[k] = to + (skip_[k] - line) * item;
                if (inside) continue;
                begin_[k] = rows.begin == across.begin ? 0 : begin;
                end_[k] = rows.end == across.end ? size : std::min(size + words_to_line(to + size * item), high);
                whole = std::min(whole, (end_[k] - skip_[k]) / line);
                last = std::max(last, (end_[k] - skip_[k] + line - 1) / line);
            }
        }

        const bool plain = plain_straight();
        const std::int64_t bytes = wide * item, most = (along.end - columns.begin) * item;
        Down from(source_, rows.begin, columns.begin), to(target_, rows.begin, columns.begin);
        const auto go_straight = [&](int begin, int end) VECH_ALWAYS {
            for (int r = begin; straight && r < std::min(end, size); ++r) {
                const std::byte* const here = from.next();
                std::byte* const there = to.next();
                const std::int64_t first = columns.begin == along.begin ? 0 : std::min(bytes_to_line(there), most);
                const std::int64_t past =
                    columns.end == along.end ? bytes : std::min(bytes + bytes_to_line(there + bytes), most);
                if (plain)
                    stream_lines(there + first, here + first, past - first);
                else
                    straight_row(here + first / item * source_.step, there + first, (past - first) / item, false, true);
            }
        };
        const auto go = [&]<int count, Writes writes>(int s) VECH_ALWAYS {
            step<count, writes>(s, rows.begin, high, columns);
            go_straight(s * line, (s + count) * line);
        };
        int s = 0;
        if (!inside && (alike || rows.begin == across.begin))
            go.template operator()<1, Writes::some>(s++);
        else if (!alike)
            go.template operator()<1, Writes::none>(s++);
        if (!single || (straight && VECH_VECTOR > 16))
            for (; s + strips_at_once - 1 <= whole; s += strips_at_once)
                go.template operator()<strips_at_once, Writes::all>(s);
        else
            for (; s <= whole; ++s) go.template operator()<1, Writes::all>(s);
        for (; s <= last; ++s) go.template operator()<1, Writes::some>(s);
    }

    // Strips [s, s + count) of a tile, and of the lines that they end what is to be written.
    template <int count, Writes writes>
    void step(int s, std::int64_t top, int high, Range columns) {
        constexpr int most = count * line;
        // Into L2, beyond the next panel: of a copy 0.7 for 0.8 up to the next one (Zen 5, float64). Words of 4
        // and 1 bytes are loaded 16 bytes at a time, for which L2 is far: the next panel, into L1.
        constexpr bool near = single && count > 1;
        constexpr std::int64_t ahead = near ? 0 : 512;
        const std::byte *from[most], *next_panel[most];
        const int first = std::min(s * line, high - 1), rows = std::min(most, high - first);
        Down down(source_, top + first, columns.end);
        for (int k = 0; k < most; ++k) next_panel[k] = down.next() + ahead;
        point(from, top + first, rows, columns);
        for (int k = rows; k < most; ++k) from[k] = from[rows - 1];
        const auto wide = static_cast<int>(columns.size());
        int fetched = 0, due = 0;
        for (int at = 0; at < wide; at += few) {
            for (due += few * most; due >= wide && fetched < most; due -= wide)
                fetch<near ? 3 : 2>(next_panel[fetched++], wide * item);
            const std::int64_t offset = std::min(at, wide - few) * item;
            Line before[few], now[few];
#pragma GCC unroll 16
            for (int k = 0; k < few; ++k) before[k] = before_[at + k];
#pragma GCC unroll 2
            for (int strip = 0; strip < count; ++strip) {
#pragma GCC unroll 4
                for (int part = 0; part < Line::parts; ++part)
                    turn<W, VECH_VECTOR>(from + strip * line + part * line / Line::parts, offset,
                                         [&](int k, Line::Part words) VECH_ALWAYS { now[k].part[part] = words; });
#pragma GCC unroll 16
                for (int k = 0; k < few; ++k) {
                    const Joint<W> joint(skip_[at + k]);
                    std::byte* const to = to_[at + k] + (s + strip) * line_bytes;
                    const int start = (s + strip - 1) * line + skip_[at + k];
                    const int a = writes == Writes::some ? std::max(begin_[at + k] - start, 0) : 0,
                              b = writes == Writes::some ? std::min(end_[at + k] - start, line) : line;
                    if (writes == Writes::none || a >= b)
                        ;
                    else if (a == 0 && b == line)
                        joint.stream(to, before[k], now[k]);
                    else
                        joint.store(to, a * static_cast<int>(item), b * static_cast<int>(item), before[k], now[k]);
                    before[k] = now[k];
                }
            }
#pragma GCC unroll 16
            for (int k = 0; k < few; ++k) before_[at + k] = before[k];
        }
    }

    VECH_INLINE static int words_to_line(const std::byte* address) {
        return static_cast<int>(bytes_to_line(address)) / static_cast<int>(item);
    }

    // The rows of a tile as they are to be transposed.
    VECH_INLINE void point(const std::byte** from, std::int64_t begin, int high, Range columns) {
        const auto wide = columns.size();
        Down down(source_, begin, columns.begin);
        for (int k = 0; k < high; ++k) from[k] = down.next();
        if (plain_source_ && move_.on_transposed.none()) return;
        for (int k = 0; k < high; ++k) {
            W* const row = changed_ + k * changed_columns;
            change(move_.on_transposed, from[k], row, wide);
            from[k] = reinterpret_cast<const std::byte*>(row);
        }
    }

    // In the cache, vectors go from registers to where they belong; the last of a row or column covers some of the one
    // before. Joining lines as `strips` does costs more there: 1.8 copies for 1.4 (Zen 5, float64, n = 500).
    void direct(Range all, Range columns) {
        const bool plain = plain_source_ && move_.on_transposed.none();
        // Far from the cache both sides of a comparison are read, of which few rows at a time are fetched best.
        const std::int64_t at_once = compare && far_ ? std::max(16, line) : plain ? band_rows<W> : changed_rows;
        for (std::int64_t begin = all.begin; begin < all.end; begin += at_once) {
            const Range rows{begin, std::min(begin + at_once, all.end)};
            const std::byte* from[band_rows<W>];
            point(from, begin, static_cast<int>(rows.size()), columns);
            const bool differs = plain_target_ && std::min(columns.size(), rows.size()) >= few
                                     ? vectors<VECH_VECTOR>(from, rows, columns)
                                     : words(from, rows, columns);
            if (differs) outcome_.differs = true;
        }
    }

    bool words(const std::byte* const* from, Range rows, Range columns) {
        bool differs = false;
        Down down(target_, columns.begin, rows.begin);
        for (int c = 0; c < columns.size(); ++c) {
            std::byte* const to = down.next();
            for (int r = 0; r < rows.size(); ++r) {
                const auto word = load<W>(from[r] + c * item);
                if constexpr (compare)
                    differs |= load<W>(to + r * target_.step) != word;
                else
                    store<W>(to + r * target_.step, word);
            }
        }
        return differs;
    }

    template <int bytes>
    bool vectors(const std::byte* const* from, Range rows, Range columns) {
        using V = typename BytesOf<bytes>::type;
        constexpr int many = bytes / static_cast<int>(item), some = wide_columns<W, bytes>;
        if constexpr (bytes > 16)
            if (rows.size() < many || columns.size() < some) return vectors<bytes / 2>(from, rows, columns);
        const auto high = static_cast<int>(rows.size()), wide = static_cast<int>(columns.size());
        V different{};
        Down down(target_, columns.begin, rows.begin), next(target_, columns.end, rows.begin);
        for (int c = 0; c < wide; c += some) {
            // The next panel: Zen 5, n = 8192, 1.3 copies for 1.8 in float64, 1.1 for 2.0 in float32.
            if (compare && far_) {
                for (int k = c * high / wide; k < (c + some) * high / wide && k < high; ++k)
                    fetch(from[k] + wide * item, wide * item);
                for (int k = 0; k < some; ++k) fetch(next.next(), high * item);
            }
            if (c > wide - some) down = Down(target_, columns.begin + (c = wide - some), rows.begin);
            std::byte* to[some];
            for (int k = 0; k < some; ++k) to[k] = down.next();
            for (int r = 0; r < high; r += many) {
                r = std::min(r, high - many);
                turn_wide<W, bytes>(from + r, c * item, [&](int k, V words) VECH_ALWAYS {
                    V& there = *reinterpret_cast<V*>(to[k] + r * item);
                    if constexpr (compare)
                        different |= words ^ there;
                    else
                        there = words;
                });
            }
        }
        bool differs = false;
        for (int k = 0; compare && k < bytes / 8; ++k) differs |= different[k] != 0;
        return differs;
    }

    // A square on the diagonal of a full matrix, out of rows of a triangle that are read whole: what there is another
    // row's comes from across.
    template <int bytes>
    void smallest(std::int64_t d0) {
        constexpr int N = bytes / static_cast<int>(item);
        using V = typename BytesOf<bytes>::type;
        static constexpr auto ones = [] {  // those of row k, columns up to it and from it on, begin N - 1 - k and
            std::array<W, 3 * N> words{};  // N - k after the first
            std::fill_n(words.begin() + N, N, static_cast<W>(~W{0}));
            return words;
        }();
        const std::byte* from[N];
        Down down(source_, d0, d0), to(target_, d0, d0);
        for (int k = 0; k < N; ++k) from[k] = down.next();
        const W* const own = ones.data() + (move_.lower ? 2 * N - 1 : N);
        const bool fills = move_.diagonal == Move::Diagonal::fill;
        for (int c = 0; c < N; c += wide_columns<W, bytes>)
            turn_wide<W, bytes>(from, c * item, [&](int k, V across) VECH_ALWAYS {
                const V mask = *reinterpret_cast<const V*>(own - c - k), row = *reinterpret_cast<const V*>(from[c + k]);
                std::byte* const at = to.next();
                *reinterpret_cast<V*>(at) = (row & mask) | (across & ~mask);
                if (fills) store<W>(at + (c + k) * item, load<W>(move_.fill));
            });
    }

    // Of target row r, which cells of the square [d0, d1) on the diagonal are written.
    Range written(std::int64_t r, std::int64_t d0, std::int64_t d1) const {
        const bool both = move_.straight && move_.transposed, on = move_.diagonal != Move::Diagonal::none;
        return {both || move_.straight == move_.lower ? d0 : r + !on,
                both || move_.straight != move_.lower ? d1 : r + on};
    }

    // Target cells of the triangle of [d0, d1), and of its diagonal.
    void triangle(std::int64_t d0, std::int64_t d1) {
        const auto size = static_cast<int>(d1 - d0);
        const auto first = [&](int k) { return move_.lower ? 0 : k + 1; };
        const auto last = [&](int k) { return move_.lower ? k : size; };
        if (move_.transposed) {
            const std::byte* from[side];
            for (int k = 0; k < size; ++k) {
                W* const row = changed_ + k * changed_columns;
                change(move_.on_transposed, source_.cell(d0 + k, d0 + first(k)), row + first(k), last(k) - first(k));
                from[k] = reinterpret_cast<const std::byte*>(row);
            }
            for (int c = 0; c < size; c += lanes<W>)
                transpose<W>(from, size, c, std::min(lanes<W>, size - c), turned_ + c * side, side);
        }
        for (int k = 0; k < size; ++k) {
            W* const row = turned_ + k * side;
            if (move_.straight)
                change(move_.on_straight, source_.cell(d0 + k, d0 + first(k)), row + first(k), last(k) - first(k));
            if (move_.diagonal == Move::Diagonal::copy)
                change(move_.on_diagonal, source_.cell(d0 + k, d0 + k), row + k, 1);
            else if (move_.diagonal == Move::Diagonal::fill)
                row[k] = load<W>(move_.fill);
            const auto [c0, c1] = written(d0 + k, d0, d1);
            if (c0 < c1) write(target_.cell(d0 + k, c0), row + (c0 - d0), c1 - c0, false);
        }
    }

    template <int nearness = 2>
    VECH_INLINE static void fetch(const std::byte* from, std::int64_t bytes) {
        for (std::int64_t k = 0; k < bytes; k += line_bytes) __builtin_prefetch(from + k, 0, nearness);
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
            overflow_ |= change_row<W>(change, from, source_.step, to, count);
    }

    VECH_INLINE void write(std::byte* to, const W* from, std::int64_t count, bool streams) {
        const auto* words = reinterpret_cast<const std::byte*>(from);
        if (plain_target_) {
            if constexpr (compare) {  // other threads may have found a difference
                if (std::memcmp(to, words, static_cast<std::size_t>(count * item)) != 0) outcome_.differs = true;
            } else if (streams) {
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

// One matrix, a band of its rows a unit, along which source and straight target are read and written in order.
template <class W, bool compare>
void large(const Move& move, bool streams, int threads, Watch& watch, Outcome& outcome) {
    constexpr std::int64_t item = sizeof(W);
    const std::int64_t D = streams ? band_rows<W> : near_rows<W>;
    const auto ceil = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
    const bool as_it_is = !move.transposed && !move.piece && move.source.step == item && move.on_straight.none() &&
                          move.on_diagonal.none() && move.diagonal != Move::Diagonal::fill;
    if (as_it_is) {
        const std::int64_t rows = move.last - move.first,
                           some = streams ? std::max<std::int64_t>(1, unit_bytes / (move.n * item)) : rows,
                           groups = ceil(rows, some);
        return parallel_for(move.batch.count * groups, threads, watch, [&](std::int64_t unit) {
            Mover<W, compare> mover(move, streams, outcome);
            const Walk walk(move.batch, unit / groups);
            mover.aim(walk.source, walk.target);
            const std::int64_t first = move.first + unit % groups * some;
            mover.rows(first, std::min(first + some, move.last));
        });
    }
    Piece pieces[3];
    // Tiles begin where lines of the target do, if all rows have them there: 0.84 instead of 1.0 of a copy.
    const auto origin = [&](std::int64_t at) {
        if (!streams || !rows_begin_alike(move.target)) return at;
        return at - (line_bytes - bytes_to_line(move.target.cell(0, at))) % line_bytes / item;
    };
    // Long bands are cut, so that threads and whoever interrupts need not wait.
    const std::int64_t stretch = 4 * unit_bytes / (D * item) / D * D;
    // In the cache, a last band that is short begins before the one before ends, and the same unit does both: what it
    // moves again has the same bits.
    const bool again = !streams && move.straight && move.transposed && !move.piece;
    const auto bands = [&](Range rows) {
        const std::int64_t size = rows.end - origin(rows.begin);
        return again && size >= D ? size / D : ceil(size, D);
    };
    std::int64_t units[4] = {}, stretches[3];  // units[k] to units[k + 1] are those of piece k
    const int count = pieces_of(move, pieces);
    for (int k = 0; k < count; ++k) {
        const Range rows = pieces[k].rows, columns = pieces[k].columns;
        stretches[k] = ceil(columns.end - origin(columns.begin), stretch);
        units[k + 1] = units[k] + bands(rows) * stretches[k];
    }
    const std::int64_t each = units[count];
    const bool plain = move.source.step == item && move.on_straight.none() && move.on_transposed.none();

    parallel_for(move.batch.count * each, threads, watch, [&](std::int64_t unit) {
        if (compare && outcome.differs) return watch.end();
        Mover<W, compare> mover(move, streams, outcome);
        const Walk walk(move.batch, unit / each);
        mover.aim(walk.source, walk.target);
        unit %= each;
        int k = 0;
        while (unit >= units[k + 1]) ++k;
        const Piece& piece = pieces[k];
        const Range rows = piece.rows;
        // The band that a row or column is in.
        const auto band = [&](std::int64_t at) {
            const std::int64_t begin = at - (at - origin(rows.begin)) % D;
            return Range{std::max(begin, rows.begin), std::min(begin + D, rows.end)};
        };
        unit -= units[k];
        const std::int64_t left = origin(piece.columns.begin) + unit % stretches[k] * stretch, right = left + stretch;
        const std::int64_t wide = !plain || (streams && piece.transposed) ? panel_columns<W>
                                  : piece.transposed                      ? piece.columns.size()
                                                                          : straight_bytes / item;
        const auto tiles = [&](Range here, std::int64_t begin, Range within, auto&& across) {
            const std::int64_t end = std::min(within.end, right);
            for (std::int64_t t = std::max(begin, left); t < end; t += wide)
                mover.tile(here, {std::max(t, within.begin), std::min(t + wide, end)}, across(t), within,
                           piece.straight, piece.transposed);
        };
        const auto go = [&](Range here) {
            if (!piece.on_diagonal)
                return tiles(here, origin(piece.columns.begin), piece.columns, [&](std::int64_t) { return rows; });
            // The squares on the diagonal are whole; tiles have theirs on one side.
            if (left <= here.begin && here.begin < right) mover.block(here.begin, here.end);
            if (move.lower)
                tiles(here, origin(rows.begin), {rows.begin, here.begin},
                      [&](std::int64_t t) { return Range{band(t).end, rows.end}; });
            else
                tiles(here, here.end, {here.end, rows.end},
                      [&](std::int64_t t) { return Range{rows.begin, band(t).begin}; });
        };
        const std::int64_t which = unit / stretches[k];
        const Range here = band(origin(rows.begin) + which * D);
        go(here);
        if (which == bands(rows) - 1 && here.end < rows.end) go({rows.end - D, rows.end});
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
