// Products of a half: see kernels/product.hpp and kernels/outer.hpp.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/layout.hpp"

namespace vech {

// y = (off * strict part + on * diagonal) x, of the matrix whose stored numbers lie at (r, c) of kernel space.
struct Product {
    enum class Diagonal : std::uint8_t { zero, one, stored, real, imaginary };

    const std::byte* words;
    const std::byte* x;
    std::byte* y;
    std::byte* work;  // work_bytes()
    Half half;
    std::int64_t columns;  // of x and y, whose rows are contiguous
    int real;              // bytes of a number's real part: 4 or 8
    bool complex;
    bool conjugates;  // the number at (c, r) is the conjugate of the one at (r, c) ...
    bool negates;     // ... and its negative
    bool absolute;    // of |numbers|, which must be real, and x ones
    Diagonal diagonal;
    double off, on;

    int item() const { return complex ? 2 * real : real; }

    // Whether y are sums of rows.
    bool by_ones() const {
        const auto all = [&]<class Real>(const Real* numbers) {
            return std::all_of(numbers, numbers + half.n, [](Real number) { return number == 1; });
        };
        if (complex || columns != 1) return false;
        return real == 4 ? all(reinterpret_cast<const float*>(x)) : all(reinterpret_cast<const double*>(x));
    }

    // Rows are cut into as many shares for any number of threads, so that sums are the same: at most 8 up to 64 MB,
    // then one for 8 MB, since each adds up a y of its own (f64 n = 4096: with 1 MB each 1.18 reads, with 8 MB 1.06;
    // Zen 5). Fewer where there are strips of columns to share.
    std::int64_t shares() const {
        constexpr std::int64_t megabyte = 1 << 20, most = 64, some = 8;
        const auto megabytes = half.length() * item() / megabyte;
        const auto wanted = std::max(std::min(megabytes, some), megabytes / 8);
        return std::clamp<std::int64_t>(wanted, 1, columns == 1 ? most : std::max<std::int64_t>(1, some / strips()));
    }

    // A number of each share for each of x, and the diagonal; of several columns instead of it x, as strips of whole
    // cache lines.
    std::int64_t work_bytes() const {
        if (columns == 1) return (shares() + 1) * half.n * item();
        return (1 + shares()) * strips() * half.n * line + line;
    }

  private:
    static constexpr std::int64_t line = 64;
    std::int64_t strips() const { return (columns * item() + line - 1) / line; }
};

// Both products of a block, whose rows are contiguous: what it adds to its rows, and transposed to its columns. Of one
// on the diagonal of the matrix what is below that.
struct Tile {
    const std::byte* words;
    std::int64_t rows, columns, stride;  // the last in numbers
    const std::byte *along, *across;     // x of the columns, and of the rows
    std::byte *to_rows, *to_columns;
    int real;  // bytes of a number's real part: 4 or 8
    bool complex, below;
};

// Two vectors of real numbers, or of the parts of complex ones; they may be one.
struct Numbers {
    const std::byte *words, *others;
    std::int64_t count;
    int real;  // bytes of a number: 4 or 8
};

// A half that becomes the sum of outer products of vectors, each of n numbers, one after the other.
struct Outer {
    std::byte* words;
    const std::byte *left, *right;
    std::int64_t pairs;
    Half half;
    int real;  // bytes of a number: 4 or 8
};

// A block of kernel space between a half and rows of constant length.
struct Panel {
    enum class Way : std::uint8_t { read, square, write, add };  // square: both triangles, but for the diagonal

    std::byte* words;
    std::byte* block;
    Half half;
    int item, real;  // bytes of a number and of its real part; add only: real is 4 or 8
    Range rows, columns;
    Way way;
    std::uint8_t mirror[16];  // the bits in which a number differs from its mirror image
};

}  // namespace vech
