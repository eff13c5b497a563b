// A number out of text, rounded to the nearest double.
#pragma once
#include <array>
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

// Eight letters in one word, the first in its lowest byte, as fast_float reads them. Those before the first that is no
// digit, 0 to 8, take no branch: how many there are is what no processor foresees.
class Letters {
  public:
    static constexpr bool fit = std::endian::native == std::endian::little;

    explicit Letters(const char* p) { std::memcpy(&letters_, p, sizeof letters_); }

    // Of the first letter that is no digit, and perhaps of later ones, the highest bit.
    std::uint64_t others() const {
        return ((letters_ + 0x4646464646464646) | (letters_ - 0x3030303030303030)) & 0x8080808080808080;
    }
    std::uint64_t number() const { return joined(letters_ - 0x3030303030303030); }
    // Of so many of them, at most 7.
    std::uint64_t number(int count) const { return joined((letters_ - 0x3030303030303030) << (56 - 8 * count) << 8); }

  private:
    static std::uint64_t joined(std::uint64_t digits) {
        digits = digits * 10 + (digits >> 8);  // pairs, in every other byte
        constexpr std::uint64_t pairs = 0x000000FF000000FF;
        return ((digits & pairs) * (100 + (1'000'000ULL << 32)) + ((digits >> 16) & pairs) * (1 + (10'000ULL << 32))) >>
               32;
    }

    std::uint64_t letters_;
};

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

// The first 64 bits of 10^k, all there are where k >= 0, and which power of two the lowest of them is.
struct PowerOfTen {
    static constexpr std::int64_t most = 27;  // 5^27 fits in a word
    std::uint64_t bits;
    int lowest;
};
__extension__ typedef unsigned __int128 Wide;
constexpr auto powers_of_ten = [] {
    std::array<PowerOfTen, 2 * PowerOfTen::most + 1> all{};
    std::uint64_t five = 1;
    for (int k = 0; k <= PowerOfTen::most; ++k, five *= 5) {
        const auto width = static_cast<int>(std::bit_width(five));
        const Wide far = Wide{1} << (63 + width);
        all[static_cast<std::size_t>(PowerOfTen::most - k)] = {static_cast<std::uint64_t>(far / five), -63 - width - k};
        all[static_cast<std::size_t>(PowerOfTen::most + k)] = {five << (64 - width), width - 64 + k};
    }
    return all;
}();

// The double nearest to mantissa x 10^exponent, for exponents that powers_of_ten has; false where that is not known.
// The first word of one product is less than two units of its lowest bit below what it stands for: so it is known on
// which side of a half the bits lie that are left out, but for one number in 700. D. Lemire, Number parsing at a
// gigabyte per second, 2021, takes a longer product there. A table of numbers of 17 digits takes 0.8 of the time of a
// division and of what that leaves, one of 10 digits as long.
inline bool nearest(std::uint64_t mantissa, std::int64_t exponent, double& value) {
    const auto& power = powers_of_ten[static_cast<std::size_t>(PowerOfTen::most + exponent)];
    const int zeros = std::countl_zero(mantissa | 1);
    const auto high = static_cast<std::uint64_t>((Wide{mantissa << zeros} * power.bits) >> 64);
    const int beyond = 10 + static_cast<int>(high >> 63);  // bits that a double has no room for
    const std::uint64_t half = std::uint64_t{1} << (beyond - 1), rest = high & (2 * half - 1);
    const auto two = static_cast<std::uint64_t>(1023 + 52 + 64 + beyond + power.lowest - zeros);
    value = std::bit_cast<double>((high >> beyond) + (rest > half) + ((two - 1) << 52));
    if (mantissa == 0) value = 0;
    return mantissa == 0 || (rest != half && rest != half - 1);
}

// Reads digits, leaves p behind them, and says how many they are; the number goes on by them.
inline std::int64_t read_digits(const char*& p, const char* end, std::uint64_t& number) {
    constexpr std::uint64_t powers[] = {1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000};
    const char* const begin = p;
    while (Letters::fit && end - p >= 8) {
        const Letters letters(p);
        const auto others = letters.others();
        if (others != 0) {
            const int count = std::countr_zero(others) / 8;
            number = powers[count] * number + letters.number(count);
            p += count;
            return p - begin;
        }
        number = 100'000'000 * number + letters.number();
        p += 8;
    }
    for (; digit(*p); ++p) number = 10 * number + static_cast<std::uint64_t>(*p - '0');
    return p - begin;
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
    std::uint64_t mantissa = 0;
    std::int64_t digits = 0, exponent = 0;
    const char* const first = p;
    if (digit(*p) && p[1] == point) {  // as most are written
        mantissa = static_cast<std::uint64_t>(*p++ - '0');
        digits = 1;
    } else {
        digits = read_digits(p, end, mantissa);
    }
    if (*p == point) {
        const auto behind = read_digits(++p, end, mantissa);
        digits += behind;
        exponent -= behind;
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
    if (digits <= 19 && exponent >= -PowerOfTen::most && exponent <= PowerOfTen::most &&
        nearest(mantissa, exponent, value)) {
        value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) ^ (std::uint64_t{negative} << 63));
        return true;
    }
    if (point != '.') return rounded_comma(begin, p, exponent + digits <= 0, value);
    value = rounded(begin, p, exponent + digits <= 0);
    return true;
}

}  // namespace vech
