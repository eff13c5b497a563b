// What happens to a number on its way from one matrix to another. Kernels see words, not types.
#pragma once
#include <cmath>
#include <cstdint>
#include <utility>

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

    // Multiplies by 1 / divisor where that gives the same bits: for powers of two, and for sqrt(2) in float32. The
    // quotient of a float by sqrt(2) is at least 6 doubles from where floats of whatever exponent are rounded, and the
    // product is that double or one beside it.
    void multiply() {
        const double inverse = 1.0 / divisor;
        int exponent = 0;
        const bool power = std::isnormal(divisor) && std::isnormal(inverse) && std::frexp(divisor, &exponent) == 0.5;
        if (multiplier != 1.0 || !(power || (scale == Scale::f4 && divisor == 0x1.6a09e667f3bcdp0))) return;
        multiplier = inverse;
        divisor = 1.0;
    }

    // What x is multiplied by before and after it is divided. Shrinking first keeps what fits in the end from
    // overflowing on the way.
    std::pair<double, double> around() const {
        return divisor < 1.0 ? std::pair{multiplier, 1.0} : std::pair{1.0, multiplier};
    }

    bool only_scales() const { return scale != Scale::none && !constant && !negate && !flips; }
    bool none() const { return !constant && !negate && !flips && scale == Scale::none; }
};

}  // namespace vech
