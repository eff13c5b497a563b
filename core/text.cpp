#include "core/text.hpp"

#include <limits>

#include "core/number.hpp"

namespace vech {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool ends(char c) { return is_blank(c) || c == '\n' || c == '\r'; }

// Each reader begins at p, and leaves p behind what it read; none goes beyond a '\n'.

bool natural(const char*& p, std::uint64_t& value, Misprint& misprint) {
    if (!digit(*p)) return false;
    value = 0;
    for (; digit(*p); ++p) {
        const auto next = static_cast<std::uint64_t>(*p - '0');
        if (value > (std::numeric_limits<std::uint64_t>::max() - next) / 10) misprint = Misprint::size;
        value = 10 * value + next;
    }
    return true;
}

bool integer(const char*& p, std::int64_t& value, Misprint& misprint) {
    const bool negative = *p == '-';
    p += negative;
    std::uint64_t size;
    if (!natural(p, size, misprint)) return false;
    if (size > (std::uint64_t{1} << 63) - !negative) misprint = Misprint::size;
    value = static_cast<std::int64_t>(negative ? 0 - size : size);
    return true;
}

bool gap(const char*& p) {
    if (!is_blank(*p)) return false;
    while (is_blank(*p)) ++p;
    return true;
}

template <Field field>
bool number(const char*& p, const char* end, void* numbers, std::int64_t k, Misprint& misprint) {
    if constexpr (field == Field::pattern) return true;
    if (!gap(p)) return false;
    if constexpr (field == Field::integer) return integer(p, static_cast<std::int64_t*>(numbers)[k], misprint);
    if constexpr (field == Field::natural) return natural(p, static_cast<std::uint64_t*>(numbers)[k], misprint);
    auto* const to = static_cast<double*>(numbers);
    if constexpr (field == Field::real) return real(p, end, to[k]);
    if constexpr (field == Field::complex) return real(p, end, to[2 * k]) && gap(p) && real(p, end, to[2 * k + 1]);
}

template <Field field, class Index>
Reading read(const char* text, const char* end, const Entries& entries) {
    auto* const rows = static_cast<Index*>(entries.rows);
    auto* const columns = static_cast<Index*>(entries.columns);
    std::int64_t k = 0;
    for (const char* p = text; p < end;) {
        const char* const line = p;
        const auto wrong = [&](Misprint misprint) { return Reading{k, line - text, misprint}; };
        while (is_blank(*p)) ++p;
        if (!ends(*p)) {
            if (k == entries.room) return wrong(Misprint::room);
            Misprint misprint = Misprint::none;
            std::uint64_t row, column;
            if (!natural(p, row, misprint) || !gap(p) || !natural(p, column, misprint)) return wrong(Misprint::shape);
            const Misprint place = misprint;
            if (!number<field>(p, end, entries.numbers, k, misprint) || !ends(*p)) return wrong(Misprint::shape);
            while (is_blank(*p)) ++p;
            if (*p != '\n' && !(*p == '\r' && p[1] == '\n')) return wrong(Misprint::shape);
            if (place != Misprint::none || row - 1 >= static_cast<std::uint64_t>(entries.n_rows) ||
                column - 1 >= static_cast<std::uint64_t>(entries.n_columns))
                return wrong(Misprint::place);
            if (misprint != Misprint::none) return wrong(misprint);
            rows[k] = static_cast<Index>(row - 1);
            columns[k] = static_cast<Index>(column - 1);
            ++k;
        }
        p += *p == '\r';
        if (*p != '\n') return wrong(Misprint::shape);
        ++p;
    }
    return {k, 0, Misprint::none};
}

template <Field field>
Reading read_field(const char* text, const char* end, const Entries& entries) {
    return entries.wide ? read<field, std::int64_t>(text, end, entries) : read<field, std::int32_t>(text, end, entries);
}

}  // namespace

Reading read_entries(const char* text, const char* end, const Entries& entries) noexcept {
    switch (entries.field) {
        case Field::real: return read_field<Field::real>(text, end, entries);
        case Field::integer: return read_field<Field::integer>(text, end, entries);
        case Field::natural: return read_field<Field::natural>(text, end, entries);
        case Field::complex: return read_field<Field::complex>(text, end, entries);
        default: return read_field<Field::pattern>(text, end, entries);
    }
}

}  // namespace vech
