// found: numbers and their columns, in blocks that grow, and how those of several shares become one CSR.
#pragma once
#include "core/kernels/region.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

// Values and their columns. compress() writes whole vectors, up to 64 numbers beyond the last one found.
template <class W>
struct Found {
    static constexpr std::int64_t slack = 64;
    W* values = nullptr;
    std::int32_t* columns = nullptr;
    std::int64_t size = 0, capacity = 0, base = 0;  // base: numbers in the shares before

    bool reserve(std::int64_t more) {
        if (size + more <= capacity) return true;
        capacity = std::max(size + more, capacity + capacity / 2);
        return resize(values, capacity + slack) && resize(columns, capacity + slack);
    }
    void push(W value, std::int64_t column) {
        values[size] = value;
        columns[size++] = static_cast<std::int32_t>(column);
    }
    ~Found() {
        std::free(values);
        std::free(columns);
    }
};

// What shares found becomes one CSR, whose indptr[r + 1] already says where run r ends in its share.
template <class W, class RunsOf>
void join(Found<W>* found, std::int64_t shares, RunsOf&& runs_of, int threads, Watch& watch, Csr& result) {
    auto& all = found[0];
    for (std::int64_t share = 0; share < shares; ++share) {
        found[share].base = result.nonzeros;
        result.nonzeros += found[share].size;
    }
    if (!all.reserve(result.nonzeros - all.size)) return result.fail(Fault::out_of_memory);
    result.indptr[0] = 0;
    parallel_for(2 * (shares - 1), threads, watch, [&](std::int64_t unit) {
        const auto share = unit / 2 + 1;
        const auto& part = found[share];
        const auto count = static_cast<std::size_t>(part.size);
        if (unit % 2 == 0) {
            const auto [first, last] = runs_of(share);
            for (auto r = first; r < last; ++r) result.indptr[r + 1] += part.base;
            if (count > 0) std::memcpy(all.columns + part.base, part.columns, count * sizeof(std::int32_t));
        } else if (count > 0) {
            std::memcpy(all.values + part.base, part.values, count * sizeof(W));
        }
    });
    if (watch.stop()) return result.release();
    resize(all.values, result.nonzeros);
    resize(all.columns, result.nonzeros);
    result.data = reinterpret_cast<std::byte*>(std::exchange(all.values, nullptr));
    result.indices = std::exchange(all.columns, nullptr);
}

}  // namespace
VECH_TARGET_END
