// change: out[k] = what `Change` makes of in[k].
//
// Formula      constant: mask.  flip: word ^ mask.  negate: 0 - word.
//              scale: round(double(x) / divisor * multiplier), once.
// Bytes moved  in and out once each; both are meant to lie in L1.
// Returns      whether a finite number became infinite (scale only).
#pragma once
#include "core/change.hpp"
#include "core/kernels/region.hpp"

VECH_TARGET_BEGIN
namespace {

struct Word16 {
    std::uint64_t low, high;
};

inline Word16 operator^(Word16 a, Word16 b) { return {a.low ^ b.low, a.high ^ b.high}; }
inline bool operator!=(Word16 a, Word16 b) { return (a.low != b.low) | (a.high != b.high); }

template <class W>
W load(const void* from) {
    W word;
    std::memcpy(&word, from, sizeof word);
    return word;
}
template <class W>
void store(void* to, W word) {
    std::memcpy(to, &word, sizeof word);
}

// Calls visitor(W{}) with the word of so many bytes.
template <class Visitor>
void with_word(int item, Visitor&& visitor) {
    switch (item) {
        case 1: return visitor(std::uint8_t{});
        case 2: return visitor(std::uint16_t{});
        case 4: return visitor(std::uint32_t{});
        case 8: return visitor(std::uint64_t{});
        default: return visitor(Word16{});
    }
}

struct Keep {
    template <class W>
    W operator()(W word) const {
        return word;
    }
};
template <class W>
struct Constant {
    W word;
    W operator()(W) const { return word; }
};
template <class W>
struct Flip {
    W mask;
    W operator()(W word) const { return word ^ mask; }
};
struct Negate {
    template <class W>
    W operator()(W word) const {
        if constexpr (sizeof(W) == 16)
            return word;  // no integer has 16 bytes
        else
            return static_cast<W>(W{0} - word);
    }
};
template <class W, class Real, bool divides>
struct Scaling {
    static constexpr int parts = sizeof(W) / sizeof(Real);
    W mask;
    double before, divisor, after;
    bool overflow = false;

    W operator()(W word) {
        Real x[parts];
        const W flipped = word ^ mask;
        std::memcpy(x, &flipped, sizeof flipped);
        for (auto& part : x) {
            double wide = part;
            if constexpr (divides) wide = wide * before / divisor;
            const auto scaled = static_cast<Real>(wide * after);
            constexpr auto largest = std::numeric_limits<Real>::max();
            overflow |= (std::fabs(part) <= largest) & (std::fabs(scaled) > largest);
            part = scaled;
        }
        std::memcpy(&word, x, sizeof word);
        return word;
    }
};

// Calls visitor(op) with the one operation that `change` stands for, no scale unless it `scales`; true when op.overflow
// was raised.
template <class W, bool scales = true, class Visitor>
bool visit(const Change& change, Visitor&& visitor) {
    const auto scaling = [&]<class Real>(Real) {
        if constexpr (scales && (sizeof(W) == sizeof(Real) || sizeof(W) == 2 * sizeof(Real))) {
            const auto with = [&]<bool divides>(std::bool_constant<divides>) {
                const auto [before, after] = change.around();
                Scaling<W, Real, divides> op{load<W>(change.flip), before, change.divisor, after};
                visitor(op);
                return op.overflow;
            };
            if constexpr (sizeof(Real) == 4)  // a half of the time; in double it is seldom worth its code
                if (change.divisor == 1.0) return with(std::false_type{});
            return with(std::true_type{});
        } else {
            return false;
        }
    };
    if (change.constant) {
        Constant<W> op{load<W>(change.flip)};
        visitor(op);
    } else if (change.scale == Change::Scale::f8) {
        return scaling(double{});
    } else if (change.scale == Change::Scale::f4) {
        return scaling(float{});
    } else if (change.negate) {
        Negate op;
        visitor(op);
    } else if (change.flips) {
        Flip<W> op{load<W>(change.flip)};
        visitor(op);
    } else {
        Keep op;
        visitor(op);
    }
    return false;
}

// Numbers `step` bytes apart into a contiguous row.
template <class W>
bool apply(const Change& change, const std::byte* from, std::int64_t step, W* to, std::int64_t count) {
    return visit<W>(change, [&](auto& op) {
        auto local = op;
        if (step == static_cast<std::int64_t>(sizeof(W)))
            for (std::int64_t k = 0; k < count; ++k) to[k] = local(load<W>(from + k * sizeof(W)));
        else
            for (std::int64_t k = 0; k < count; ++k) to[k] = local(load<W>(from + k * step));
        op = local;
    });
}

}  // namespace
VECH_TARGET_END
