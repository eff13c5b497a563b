// What the sparse kernels are given and give back: see kernels/scan.hpp and kernels/mirror.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "layout.hpp"
#include "parallel.hpp"

namespace vech {

struct Scan {
    const std::byte* words;
    int item;
    Half half;
    std::uint8_t keep[16] = {};  // a number counts when word & keep is not zero
    bool implied = false;        // put fill where run r meets the diagonal
    std::uint8_t fill[16] = {};
};

// CSR arrays in kernel space, from malloc; whoever takes them frees them. No arrays: stopped, or one of the flags.
struct Csr {
    std::int64_t* indptr = nullptr;  // n + 1
    std::int32_t* indices = nullptr;
    std::byte* data = nullptr;
    std::int64_t nonzeros = 0;
    bool out_of_memory = false;
    bool malformed = false;  // mirror only: not one triangle in CSR form
};

struct Scatter {
    const std::byte* words;
    int item;
    Half half;
    Rows target;
    bool transposed;  // also (c, r)
    bool implied = false;
    std::uint8_t fill[16] = {};
};

struct Mirror {
    std::int64_t n;
    bool grow;  // the half's columns lie at or below the row, else at or above
    int item;
    const std::int64_t* indptr;
    const std::int32_t* indices;
    const std::byte* data;
    const std::byte* mirrored;  // what the mirrored cells hold; data itself when symmetric
};

}  // namespace vech
