// What happens to a number on its way from one matrix to another. Kernels see words, not types.
#pragma once
#include <cstdint>

namespace vech {

struct Change {
    enum class Scale : std::uint8_t { none, f4, f8 };

    bool constant = false;      // becomes the word `flip`
    bool negate = false;        // two's complement, native byte order
    bool flips = false;         // word ^ flip: the sign bits of a float, or of one part of a complex number
    Scale scale = Scale::none;  // each component, in double: x / divisor * multiplier, rounded once
    std::uint8_t flip[16] = {};
    double divisor = 1.0;
    double multiplier = 1.0;

    bool none() const { return !constant && !negate && !flips && scale == Scale::none; }
};

}  // namespace vech
