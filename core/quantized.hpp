// A half held as codes of square tiles: see kernels/decode.hpp for what a code is.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/encodings.hpp"
#include "core/layout.hpp"

namespace vech {

// Tiles (i, j), i >= j, of the lower triangle, row after row, each in strips of columns; the diagonal is apart.
struct Quantized {
    const Encoding* encoding;
    Levels levels,
        between;  // of a table, and half-way between two; not made by kernels: GCC 12 gets the middle two wrong
    std::int64_t n, tile;
    std::byte* codes;
    std::byte *scales, *zeros;          // of each tile; zeros: what code 0 of it is, or none
    const std::byte *sides, *diagonal;  // of each row; sides: numbers are in units of sides[r] sides[c], or none
    int real;                           // bytes of a number: 4 or 8
    double mirror;                      // 1 or -1: from one triangle to the other

    static constexpr std::int64_t widest = 64, words = 16, largest_tile = 256;
    std::int64_t width() const { return std::min(tile, widest); }  // of a strip
    std::int64_t strips() const { return tile / width(); }
    // Rows whose codes lie together: nibble k of sixteen 32-bit words holds sixteen columns of one of them.
    std::int64_t group() const { return encoding->bits == 4 ? 8 * words / width() : 1; }
    std::int64_t grid() const { return (n + tile - 1) / tile; }
    std::int64_t height(std::int64_t i) const { return std::min(tile, n - i * tile); }
    std::int64_t stored(std::int64_t i) const { return (height(i) + group() - 1) / group() * group(); }
    std::int64_t number(std::int64_t i, std::int64_t j) const { return i * (i + 1) / 2 + j; }  // of a tile
    std::int64_t tiles() const { return number(grid(), 0); }
    std::int64_t bytes(std::int64_t count) const { return count * encoding->bits / 8; }
    // Where share `number` of the rows of tiles begins: these are longer the later they come.
    std::int64_t first_tile(std::int64_t number, std::int64_t shares) const {
        const double part = std::sqrt(static_cast<double>(number) / static_cast<double>(shares));
        return std::min(grid(), static_cast<std::int64_t>(part * static_cast<double>(grid()) + 0.5));
    }
    std::int64_t code_bytes() const {
        return n == 0 ? 0 : bytes(first(grid() - 1) + grid() * tile * stored(grid() - 1));
    }
    std::byte* strip(std::int64_t i, std::int64_t j, std::int64_t s) const {
        return codes + bytes(first(i) + (j * strips() + s) * stored(i) * width());
    }

  private:
    std::int64_t first(std::int64_t i) const { return tile * tile * number(i, 0); }  // code of a row of tiles
};

// Rows and columns of numbers, from multiples of the tile on, become codes.
struct Quantize {
    enum class Scales : std::uint8_t { computed, given, clipping };
    enum class Fault : std::uint8_t { none, not_finite, beyond };

    // What of them are added up before they are counted in double, at most: LANES of src/vech/quantized/certificate.py.
    static constexpr int most_squares = 32;

    Quantized half;
    Rows source;  // of the matrix, or of its transpose if `turned`: cell (0, 0) may lie outside of what is there
    bool turned;
    Range rows, columns;
    Scales scales;
    std::int64_t seed;     // of random rounding; negative: to the nearest level
    double *tiles, *sums;  // squares of errors by tile, |errors| by row and column: added to what is there
};

struct QuantizeResult {
    double largest = 0;  // |error|
    Quantize::Fault fault = Quantize::Fault::none;
    std::int64_t row = -1, column = -1;  // where
};

// Numbers of the matrix at any rows and columns.
struct Dequantize {
    Quantized half;
    std::byte* out;
    std::int64_t stride;  // bytes
    Range rows, columns;
    bool full;  // else of the strict lower triangle alone, with zeros elsewhere
};

// y = (straight L + diagonal + mirrored L') x, where L is the strict lower triangle.
struct QuantizedProduct {
    Quantized half;
    const std::byte* x;
    std::byte* y;
    std::int64_t columns;  // of x and y, whose rows are contiguous
    double straight, mirrored;

    // Rows of tiles are cut into as many shares for any number of threads, so that sums are the same; less where there
    // are strips of columns to share.
    std::int64_t shares(std::int64_t strips) const {
        constexpr std::int64_t numbers = 1 << 18, most = 32, some = 8;
        const auto limit = columns == 1 ? most : std::max<std::int64_t>(1, some / strips);
        return std::clamp<std::int64_t>(half.n * half.n / 2 / numbers, 1,
                                        std::min(limit, std::max<std::int64_t>(half.grid(), 1)));
    }
};

}  // namespace vech
