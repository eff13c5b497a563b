#include "core/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/number.hpp"

namespace vech {
namespace {

constexpr std::int64_t unit_bytes = 1 << 19;
constexpr double exact_integers = 9007199254740992.0;  // 2^53

enum Kind : unsigned char { blank = 1, pad = 2, end = 4 };  // pads may stand before a quote

// Reads lines by the rules of one table.
class Lines {
  public:
    Lines(std::string_view text, const Table& table)
        : text_(text.data()), end_(text.data() + text.size()), table_(table) {
        kinds_[' '] = blank | pad;
        kinds_['\t'] = table.separator == ' ' ? blank | pad : table.separator == '\t' ? 0 : blank;
        if (table.separator == ' ') kinds_[' '] |= end, kinds_['\t'] |= end;
        kinds_[index(table.separator)] |= end;
        for (const char c : {'\n', '\r', '\0'}) kinds_[index(c)] |= end;
    }

    // The rows of these lines go to `row` and on, up to `room`.
    TableReading read(const char* p, const char* stop, std::int64_t row, std::int64_t room) const {
        const auto first = row;
        std::int64_t passed = 0;
        const auto reading = [&](const char* at) {
            return TableReading{row - first, row - first + passed, at - text_};
        };
        while (p < stop) {
            const char* const line = p;
            while (is(*p, blank)) ++p;
            if (ends_line(p)) {
                p += 1 + (*p == '\r');
                ++passed;
            } else if (is_comment(p, stop)) {
                p = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(stop - p))) + 1;
                ++passed;
            } else if (row == room || !read_row(p = line, row)) {
                return reading(line);
            } else {
                ++row;
            }
        }
        return reading(stop);
    }

  private:
    static unsigned char index(char c) { return static_cast<unsigned char>(c); }
    bool is(char c, Kind kind) const { return (kinds_[index(c)] & kind) != 0; }
    static bool ends_line(const char* p) { return *p == '\n' || (*p == '\r' && p[1] == '\n'); }

    bool is_comment(const char* p, const char* stop) const {
        const auto size = table_.comment.size();
        return size != 0 && static_cast<std::size_t>(stop - p) > size &&
               std::memcmp(p, table_.comment.data(), size) == 0;
    }

    bool read_row(const char*& p, std::int64_t row) const {
        double* number = table_.numbers + row * table_.width;
        for (std::int64_t column = 0; column < table_.n_columns; ++column) {
            while (is(*p, pad)) ++p;
            const char* const begin = p;
            const bool quoted = *p == '"';
            const auto kind = table_.columns[column];
            if (kind == Column::number ? !read_number(p, quoted, *number) : !pass(p, quoted)) return false;
            if (p - begin > table_.longest) return false;
            number += kind == Column::number;
            if (kind == Column::word && !quoted && is_number(begin)) return false;
            if (kind == Column::label && table_.labels != nullptr) {
                table_.labels[2 * row] = begin - text_;
                table_.labels[2 * row + 1] = p - text_;
            }
            if (table_.separator == ' ') {
                if ((column + 1 < table_.n_columns && ends_line(p)) || (p == begin)) return false;
                while (is(*p, blank)) ++p;
                if ((column + 1 < table_.n_columns) == ends_line(p)) return false;
            } else if (column + 1 < table_.n_columns) {
                if (*p++ != table_.separator) return false;
            }
        }
        if (!ends_line(p)) return false;
        p += 1 + (*p == '\r');
        return true;
    }

    // Leaves p at what ends the cell.
    bool pass(const char*& p, bool quoted) const {
        if (!quoted) {
            while (!is(*p, end)) ++p;
            return true;
        }
        for (++p;; ++p) {
            if (*p == '\n' || *p == '\r' || *p == '\0') return false;
            if (*p == '"' && *++p != '"') return is(*p, end);
        }
    }

    bool read_number(const char*& p, bool quoted, double& number) const {
        p += quoted;
        const char* const begin = p;
        if (value(p, quoted, number)) {
            while (is(*p, blank) && !is(*p, end)) ++p;
            if (quoted ? *p == '"' && is(*++p, end) : is(*p, end)) return true;
        }
        p = begin;
        while (*p != '\n' && *p != '\r' && *p != '"' && (quoted || !is(*p, end))) ++p;
        if (!is_missing(begin, p)) return false;
        number = std::numeric_limits<double>::quiet_NaN();
        return quoted ? *p == '"' && is(*++p, end) : is(*p, end);
    }

    bool is_number(const char* p) const {
        double number;
        if (!value(p, false, number)) return false;
        while (is(*p, blank) && !is(*p, end)) ++p;
        return is(*p, end);
    }

    // A number that is the one in the text, as far as that can be told quickly: no large integers, nothing beyond
    // doubles.
    bool value(const char*& p, bool quoted, double& number) const {
        while (*p == ' ' || (*p == '\t' && is(*p, blank))) ++p;
        p += *p == '+' && (digit(p[1]) || p[1] == table_.point);
        const char* const begin = p;
        if (!real(p, end_, number, table_.point)) return false;
        if (!quoted && table_.point == table_.separator && std::find(begin, p, table_.point) != p) return false;
        if (number != number) number = std::numeric_limits<double>::quiet_NaN();
        if (!(std::fabs(number) >= exact_integers) || !digit(p[-1] == table_.point ? '0' : p[-1])) return true;
        return std::isfinite(number) && std::any_of(begin, p, [](char c) { return (c | 0x20) == 'e'; });
    }

    bool is_missing(const char* begin, const char* stop) const {
        while (begin < stop && is(*begin, blank)) ++begin;
        while (begin < stop && is(stop[-1], blank)) --stop;
        const auto same = [](char c, char small) {
            return (c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c) == small;
        };
        return begin == stop || std::any_of(table_.words.begin(), table_.words.end(), [&](std::string_view word) {
                   return std::equal(begin, stop, word.begin(), word.end(), same);
               });
    }

    const char* text_;
    const char* end_;
    const Table& table_;
    unsigned char kinds_[256] = {};
};

// Rows that units left apart, side by side.
void close_up(const Table& table, std::int64_t from, std::int64_t to, std::int64_t rows) {
    if (from == to) return;
    const auto move = [&](auto* array, std::int64_t width) {
        std::memmove(array + to * width, array + from * width, static_cast<std::size_t>(rows * width) * 8);
    };
    if (table.width != 0) move(table.numbers, table.width);
    if (table.labels != nullptr) move(table.labels, 2);
}

}  // namespace

TableReading read_table(std::string_view text, const Table& table, int threads, Watch& watch) {
    const Lines lines(text, table);
    const auto size = static_cast<std::int64_t>(text.size());
    const auto units = size / unit_bytes + 1;
    const auto bound = [&](std::int64_t unit) {  // the first line that begins in it, or behind it
        if (unit == 0) return text.data();
        const auto from = unit * unit_bytes - 1;
        if (from >= size) return text.data() + size;
        const auto* const line = std::memchr(text.data() + from, '\n', static_cast<std::size_t>(size - from));
        return static_cast<const char*>(line) + 1;
    };
    TableReading whole{0, 0, 0};
    const auto is_done = [&](std::int64_t unit) { return text.data() + whole.at == bound(unit + 1); };
    if (threads > 1 && units > 1) {
        std::vector<std::int64_t> slots(static_cast<std::size_t>(units) + 1);
        std::vector<TableReading> parts(static_cast<std::size_t>(units));
        // Counting takes less than a second start of threads.
        for (std::int64_t unit = 0; unit < units; ++unit)
            slots[static_cast<std::size_t>(unit) + 1] =
                slots[static_cast<std::size_t>(unit)] + std::count(bound(unit), bound(unit + 1), '\n');
        if (!watch.stop() && slots.back() <= table.room) {
            std::atomic<std::int64_t> last{units};  // a unit that stopped early: what is behind it is not wanted
            parallel_for(units, threads, watch, [&](std::int64_t unit) {
                if (unit > last) return;
                const auto at = static_cast<std::size_t>(unit);
                const char* const stop = bound(unit + 1);
                parts[at] = lines.read(bound(unit), stop, slots[at], slots[at + 1]);
                if (text.data() + parts[at].at == stop) return;
                for (auto before = last.load(); unit < before && !last.compare_exchange_weak(before, unit);) {
                }
            });
            if (watch.stop()) return whole;
            for (std::int64_t unit = 0; unit < units && (unit == 0 || is_done(unit - 1)); ++unit) {
                const auto at = static_cast<std::size_t>(unit);
                close_up(table, slots[at], whole.rows, parts[at].rows);
                whole = {whole.rows + parts[at].rows, whole.lines + parts[at].lines, parts[at].at};
            }
            return whole;
        }
    }
    for (std::int64_t unit = 0; unit < units && !watch.stop(); ++unit) {
        const auto part = lines.read(bound(unit), bound(unit + 1), whole.rows, table.room);
        whole = {whole.rows + part.rows, whole.lines + part.lines, part.at};
        if (!is_done(unit)) break;
    }
    return whole;
}

}  // namespace vech
