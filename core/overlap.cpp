#include "core/overlap.hpp"

namespace vech {
namespace {

constexpr std::int64_t rows_at_once = 64;

bool is_below(std::int64_t index, std::int64_t most) {
    return static_cast<std::uint64_t>(index) < static_cast<std::uint64_t>(most);
}

}  // namespace

Fault add_products(const Rowwise& left, const Rowwise& right, std::int64_t width, double* out, Watch& watch) {
    const auto *factors = reinterpret_cast<const double*>(left.data),
               *numbers = reinterpret_cast<const double*>(right.data);
    Range row, other;
    for (std::int64_t i = 0; i < left.n; ++i, out += width) {
        if (i % rows_at_once == 0 && watch.stop()) return Fault::none;
        if (!left.row(i, row)) return Fault::malformed;
        for (auto p = row.begin; p < row.end; ++p) {
            const std::int64_t k = once(left.indices[p]);
            if (!is_below(k, right.n) || !right.row(k, other)) return Fault::malformed;
            for (auto q = other.begin; q < other.end; ++q) {
                const std::int64_t j = once(right.indices[q]);
                if (!is_below(j, width)) return Fault::malformed;
                out[j] += factors[p] * numbers[q];
            }
        }
    }
    return Fault::none;
}

}  // namespace vech
