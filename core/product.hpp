// Products of a half: see kernels/product.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "layout.hpp"
#include "parallel.hpp"

namespace vech {

// y = (off * strict part + on * diagonal) x, of the matrix whose stored numbers lie at (r, c) of kernel space.
struct Product {
    enum class Diagonal : std::uint8_t { zero, one, stored, real, imaginary };

    const std::byte* words;
    const std::byte* x;
    std::byte* y;
    std::byte* work;  // shares() * n numbers
    Half half;
    int real;  // bytes of a number's real part: 4 or 8
    bool complex;
    bool conjugates;  // the number at (c, r) is the conjugate of the one at (r, c) ...
    bool negates;     // ... and its negative
    bool absolute;    // of |numbers|, which must be real
    Diagonal diagonal;
    double off, on;

    int item() const { return complex ? 2 * real : real; }

    // Rows are cut into as many shares for any number of threads, so that sums are the same.
    std::int64_t shares() const {
        constexpr std::int64_t megabyte = 1 << 20, most = 64;
        const auto wanted = half.length() * item() / megabyte;
        return wanted < 1 ? 1 : wanted > most ? most : wanted;
    }
};

// Two vectors of real numbers, or of the parts of complex ones; they may be one.
struct Numbers {
    const std::byte *words, *others;
    std::int64_t count;
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
