// Encodings: how a number becomes a code of a few bits, and a code a level, which a scale makes a number again. One of
// a family that is there is one line of the list.
#pragma once
#include <array>
#include <cstdint>
#include <limits>

namespace vech {

using Levels = std::array<double, 16>;

struct Encoding {
    enum class Family : std::uint8_t {
        integer,  // the code is the level, two's complement
        affine,   // an unsigned integer, from the least number of a tile on
        table,    // the code is the place of the level among 16
        sign,     // 1 or -1
        number    // a floating-point number of few bits: `mantissa` of these, exponents from 1 - bias on
    };
    const char* name;
    Family family;
    int bits;
    double most;   // the level of a tile's largest number; 0: numbers are their own levels, and nothing is scaled
    double limit;  // what is larger cannot be said
    int mantissa, bias;
    std::uint32_t last;  // number: the largest finite code without its sign
    Levels levels;
};

// Signed squares of an even grid: Wang et al., 4-bit Shampoo (2024).
constexpr Levels linear_squares() {
    Levels levels{};
    for (int k = 0; k < 16; ++k) {
        const double x = -1 + 2 * k / 15.0;
        levels[static_cast<std::size_t>(k)] = k == 7 ? 0 : x < 0 ? -x * x : x * x;
    }
    return levels;
}

// Quantiles of a normal number: Dettmers et al., QLoRA (2023).
constexpr Levels normal_float{-1.0,
                              -0.6961928009986877,
                              -0.5250730514526367,
                              -0.39491748809814453,
                              -0.28444138169288635,
                              -0.18477343022823334,
                              -0.09105003625154495,
                              0.0,
                              0.07958029955625534,
                              0.16093020141124725,
                              0.24611230194568634,
                              0.33791524171829224,
                              0.44070982933044434,
                              0.5626170039176941,
                              0.7229568362236023,
                              1.0};

constexpr Levels integers_of_four_bits{-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};

constexpr double unlimited = std::numeric_limits<double>::infinity(), rounded_one = 1 + 0x1p-20;

inline constexpr Encoding encodings[] = {
    {"float16", Encoding::Family::number, 16, 0, 65520, 10, 15, 0x7bff, {}},
    {"bfloat16", Encoding::Family::number, 16, 0, 0x1.ffp127, 7, 127, 0x7f7f, {}},
    {"float8-e4m3", Encoding::Family::number, 8, 448, 464, 3, 7, 0x7e, {}},
    {"float8-e5m2", Encoding::Family::number, 8, 57344, 61440, 2, 15, 0x7b, {}},
    {"int8", Encoding::Family::integer, 8, 127, 127.5, 0, 0, 0, {}},
    {"uint8", Encoding::Family::affine, 8, 255, 255.5, 0, 0, 0, {}},
    {"int4", Encoding::Family::table, 4, 7, 7.5, 0, 0, 0, integers_of_four_bits},
    {"nf4", Encoding::Family::table, 4, 1, rounded_one, 0, 0, 0, normal_float},
    {"linear2-4", Encoding::Family::table, 4, 1, rounded_one, 0, 0, 0, linear_squares()},
    {"kmeans-4", Encoding::Family::table, 4, 1, rounded_one, 0, 0, 0, {}},
    {"sign", Encoding::Family::sign, 1, 1, unlimited, 0, 0, 0, {}},
};

}  // namespace vech
