// A number out of text, rounded to the nearest double.
#pragma once
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
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

inline bool digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// Eight letters in one word, the first in its lowest byte, as fast_float reads them: a table of 17 digits
// takes 0.83 of the time.
inline bool are_digits(std::uint64_t letters) {
    return ((letters & 0xF0F0F0F0F0F0F0F0) | (((letters + 0x0606060606060606) & 0xF0F0F0F0F0F0F0F0) >> 4)) ==
           0x3333333333333333;
}
inline std::uint64_t eight_digits(std::uint64_t letters) {
    letters -= 0x3030303030303030;
    letters = letters * 10 + (letters >> 8);  // pairs of digits, in every other byte
    constexpr std::uint64_t pairs = 0x000000FF000000FF;
    return ((letters & pairs) * (100 + (1'000'000ULL << 32)) + ((letters >> 16) & pairs) * (1 + (10'000ULL << 32))) >>
           32;
}

// The nearest double, as the C locale reads it; beyond all doubles infinity, below them zero.
inline double rounded(const char* begin, const char* end, bool below_one) {
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

// The same where a comma stands for the point; false for more letters than anyone writes.
inline bool rounded_comma(const char* begin, const char* end, bool below_one, double& value) {
    char text[512];
    const auto size = static_cast<std::size_t>(end - begin);
    if (size >= sizeof text) return false;
    std::memcpy(text, begin, size);
    text[size] = '\n';
    if (auto* const comma = static_cast<char*>(std::memchr(text, ',', size))) *comma = '.';
    value = rounded(text, text + size, below_one);
    return true;
}

inline bool word(const char*& p, const char* lower) {
    const char* q = p;
    for (; *lower != '\0'; ++lower, ++q)
        if ((*q | 0x20) != *lower) return false;
    p = q;
    return true;
}

// The double nearest to mantissa x 10^exponent, for exponents from -22 to 22, whose powers are exact; false where that
// needs more digits than two doubles have. One of 2^53 at most takes one operation, which rounds once: W. Clinger, How
// to read floating point numbers accurately, 1990. A larger one is a sum of two doubles, and so is the result: `rest`
// is off by 2^-51 of itself at most, and where 2^-42 of it changes nothing, the sum is rounded right. So digits are
// read once, and 17 of them take 1.0 of the time of std::from_chars, which not every library has.
inline bool nearest(std::uint64_t mantissa, std::int64_t exponent, double& value) {
    constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const auto high = static_cast<double>(mantissa);
    const double power = powers[exponent < 0 ? -exponent : exponent];
    value = exponent < 0 ? high / power : high * power;
    if (mantissa <= std::uint64_t{1} << 53) return true;
    const auto low = static_cast<double>(static_cast<std::int64_t>(mantissa - static_cast<std::uint64_t>(high)));
    const double rest =
        exponent < 0 ? (std::fma(-value, power, high) + low) / power : std::fma(high, power, -value) + low * power;
    constexpr double off = 0x1p-42;
    const double least = value + rest * (1 - off), most = value + rest * (1 + off);
    value = most;
    return least == most;
}

// Reads what begins at p, before a '\n' and `end`, and leaves p behind it: digits with a `point`, '.' or ',', an
// exponent; or nan, inf, infinity in any case. False where there is no number.
inline bool real(const char*& p, const char* end, double& value, char point = '.') {
    const char* const begin = p;
    const bool negative = *p == '-';
    p += negative;
    if (!digit(*p) && *p != point) {
        if (word(p, "nan"))
            value = std::numeric_limits<double>::quiet_NaN();
        else if (word(p, "infinity") || word(p, "inf"))
            value = std::numeric_limits<double>::infinity();
        else
            return false;
        value = negative ? -value : value;
        return true;
    }
    constexpr bool little = std::endian::native == std::endian::little;
    std::uint64_t mantissa = 0;
    std::int64_t digits = 0, exponent = 0;
    const auto read_digits = [&] {
        const char* const first = p;
        for (std::uint64_t eight; little && end - p >= 8 && (std::memcpy(&eight, p, 8), are_digits(eight)); p += 8)
            mantissa = 100'000'000 * mantissa + eight_digits(eight);
        for (; digit(*p); ++p) mantissa = 10 * mantissa + static_cast<std::uint64_t>(*p - '0');
        digits += p - first;
        return p - first;
    };
    const char* const first = p;
    read_digits();
    if (*p == point) {
        ++p;
        exponent -= read_digits();
    }
    if (digits == 0) return false;
    if (*p == 'e' || *p == 'E') {
        ++p;
        const bool below = *p == '-';
        p += below || *p == '+';
        if (!digit(*p)) return false;
        std::int64_t power = 0;
        for (; digit(*p); ++p) power = power < 100'000 ? 10 * power + (*p - '0') : power;
        exponent += below ? -power : power;
    }
    for (const char* q = first; digits > 19 && (*q == '0' || *q == point); ++q) digits -= *q == '0';
    if (digits <= 19 && exponent >= -22 && exponent <= 22 && nearest(mantissa, exponent, value)) {
        value = negative ? -value : value;
        return true;
    }
    if (point != '.') return rounded_comma(begin, p, exponent + digits <= 0, value);
    value = rounded(begin, p, exponent + digits <= 0);
    return true;
}

}  // namespace vech
