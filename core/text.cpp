#include "core/text.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>
#if !defined(__cpp_lib_to_chars)
#include <locale.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#endif

namespace vech {
namespace {

bool digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
bool blank(char c) { return c == ' ' || c == '\t'; }
bool ends(char c) { return blank(c) || c == '\n' || c == '\r'; }

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

// The nearest double, as the C locale reads it; beyond all doubles infinity, below them zero.
double rounded(const char* begin, const char* end, bool below_one) {
    double value;
#if defined(__cpp_lib_to_chars)
    if (std::from_chars(begin, end, value).ec != std::errc()) {
        value = below_one ? 0.0 : std::numeric_limits<double>::infinity();
        value = *begin == '-' ? -value : value;
    }
#else
    static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
    (void)end, (void)below_one;
    value = strtod_l(begin, nullptr, plain);
#endif
    return value;
}

constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                             1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool word(const char*& p, const char* lower) {
    const char* q = p;
    for (; *lower != '\0'; ++lower, ++q)
        if ((*q | 0x20) != *lower) return false;
    p = q;
    return true;
}

bool real(const char*& p, double& value) {
    const char* const begin = p;
    const bool negative = *p == '-';
    p += negative;
    if (!digit(*p) && *p != '.') {
        if (word(p, "nan"))
            value = std::numeric_limits<double>::quiet_NaN();
        else if (word(p, "infinity") || word(p, "inf"))
            value = std::numeric_limits<double>::infinity();
        else
            return false;
        value = negative ? -value : value;
        return true;
    }
    std::uint64_t mantissa = 0;
    std::int64_t digits = 0, exponent = 0;  // digits from the first that is not zero
    const char* const first = p;
    const auto more = [&] {
        mantissa = 10 * mantissa + static_cast<std::uint64_t>(*p++ - '0');
        digits += digits != 0 || mantissa != 0;
    };
    while (digit(*p)) more();
    bool any = p != first;
    if (*p == '.')
        for (++p; digit(*p); any = true, --exponent) more();
    if (!any) return false;
    if (*p == 'e' || *p == 'E') {
        ++p;
        const bool below = *p == '-';
        p += below || *p == '+';
        if (!digit(*p)) return false;
        std::int64_t power = 0;
        for (; digit(*p); ++p) power = power < 100'000 ? 10 * power + (*p - '0') : power;
        exponent += below ? -power : power;
    }
    // An exact mantissa and power, so that one operation rounds once: W. Clinger, How to read floating point numbers
    // accurately, 1990.
    if (digits <= 19 && mantissa < std::uint64_t{1} << 53 && exponent >= -22 && exponent <= 22) {
        value = static_cast<double>(mantissa);
        value = exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
        value = negative ? -value : value;
    } else {
        value = rounded(begin, p, exponent + digits <= 0);
    }
    return true;
}

bool gap(const char*& p) {
    if (!blank(*p)) return false;
    while (blank(*p)) ++p;
    return true;
}

template <Field field>
bool number(const char*& p, void* numbers, std::int64_t k, Misprint& misprint) {
    if constexpr (field == Field::pattern) return true;
    if (!gap(p)) return false;
    if constexpr (field == Field::integer) return integer(p, static_cast<std::int64_t*>(numbers)[k], misprint);
    if constexpr (field == Field::natural) return natural(p, static_cast<std::uint64_t*>(numbers)[k], misprint);
    auto* const to = static_cast<double*>(numbers);
    if constexpr (field == Field::real) return real(p, to[k]);
    if constexpr (field == Field::complex) return real(p, to[2 * k]) && gap(p) && real(p, to[2 * k + 1]);
}

template <Field field, class Index>
Reading read(const char* text, const char* end, const Entries& entries) {
    auto* const rows = static_cast<Index*>(entries.rows);
    auto* const columns = static_cast<Index*>(entries.columns);
    std::int64_t k = 0;
    for (const char* p = text; p < end;) {
        const char* const line = p;
        const auto wrong = [&](Misprint misprint) { return Reading{k, line - text, misprint}; };
        while (blank(*p)) ++p;
        if (!ends(*p)) {
            if (k == entries.room) return wrong(Misprint::room);
            Misprint misprint = Misprint::none;
            std::uint64_t row, column;
            if (!natural(p, row, misprint) || !gap(p) || !natural(p, column, misprint)) return wrong(Misprint::shape);
            const Misprint place = misprint;
            if (!number<field>(p, entries.numbers, k, misprint) || !ends(*p)) return wrong(Misprint::shape);
            while (blank(*p)) ++p;
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
