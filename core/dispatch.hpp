// The kernel table: one per target, and the one in use.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/batches.hpp"
#include "core/codes.hpp"
#include "core/finish.hpp"
#include "core/gram.hpp"
#include "core/linkage.hpp"
#include "core/metrics.hpp"
#include "core/move.hpp"
#include "core/nearest.hpp"
#include "core/parallel.hpp"
#include "core/product.hpp"
#include "core/quantized.hpp"
#include "core/sparse.hpp"

namespace vech {

// Every kernel, by the unit of kernels/ that it is in: its name, its result, what it is given. Declarations, the table
// and its entries are made of these lists.
#define VECH_DENSE(kernel)                                         \
    kernel(move, void, const Move&, int threads, Watch&, Outcome&) \
        kernel(cells, void, const Cells&, int threads, Watch&, Outcome&)

#define VECH_SPARSE(kernel)                                                           \
    kernel(mirror, void, const Mirror&, int threads, Watch&, Csr&)                    \
        kernel(cut, void, const Cut&, int threads, Watch&, Csr&)                      \
            kernel(asymmetry, void, const Symmetry&, int threads, Watch&, Asymmetry&) \
                kernel(gram, void, const Gram&, int threads, Watch&, GramResult&)     \
                    kernel(fault, std::int64_t, const Rowwise&, Part) kernel(jumps, double, const Rowwise&)

#define VECH_PRODUCTS(kernel)                                                                                         \
    kernel(multiply, void, const Product&, int threads, Watch&) kernel(                                               \
        multiply_columns, void, const Product&, int threads, Watch&) kernel(multiply_tile, void, const Tile&, Watch&) \
        kernel(multiply_sparse, Fault, const SparseProduct&, int threads, Watch&) kernel(                             \
            panel, void, const Panel&, int threads, Watch&) kernel(dot, double, const Numbers&, int threads, Watch&)  \
            kernel(largest, double, const Numbers&, int threads, Watch&)                                              \
                kernel(outer, void, const Outer&, int threads, Watch&)                                                \
                    kernel(finish, std::int64_t, const Finish&, Watch&)                                               \
                        kernel(add_differences, void, const Differences&, Watch&) kernel(link, void, Linkage&, Watch&)

#define VECH_DISTANCES(kernel)                                                    \
    kernel(distances, Fault, const Distances&, int threads, Watch&)               \
        kernel(nearest_half, Fault, const NearestHalf&, int threads, Watch&)      \
            kernel(nearest_block, void, const NearestBlock&, int threads, Watch&) \
                kernel(pair_rows, void, const RowPairs&, int threads, Watch&)

#define VECH_QUANTIZED(kernel)                                            \
    kernel(quantize, Fault, const Quantize&, Watch&, QuantizeResult&)     \
        kernel(dequantize, Fault, const Dequantize&, int threads, Watch&) \
            kernel(multiply_quantized, Fault, const QuantizedProduct&, int threads, Watch&)

#define VECH_BATCHES(kernel) kernel(solve_small, FirstTrouble, const SmallMatrices&, int threads, Watch&)

#define VECH_BITS(kernel)                                                                                           \
    kernel(scan, void, const Scan&, int threads, Watch&, Csr&)                                                      \
        kernel(scatter, void, const Scatter&, int threads, Watch&)                                                  \
            kernel(density, double, const std::byte* words, std::int64_t count, int item, const std::uint8_t* keep) \
                kernel(crc32c, std::int64_t, const std::byte*, std::int64_t count)                                  \
                    kernel(sum_columns, void, const Spread&, int threads, Watch&)                                   \
                        kernel(encode, void, const Coding&, int threads, Watch&)                                    \
                            kernel(count, void, const Agreement&, int threads, Watch&)                              \
                                kernel(dissimilarities, Fault, const Dissimilarities&, int threads, Watch&)         \
                                    kernel(multiply_coarse, Fault, const QuantizedProduct&, int threads, Watch&)

#define VECH_KERNELS(kernel) \
    VECH_DENSE(kernel)       \
    VECH_SPARSE(kernel)      \
    VECH_PRODUCTS(kernel)    \
    VECH_QUANTIZED(kernel) VECH_DISTANCES(kernel) VECH_BATCHES(kernel) VECH_BITS(kernel)
#define VECH_POINTER(name, result, ...) result (*name)(__VA_ARGS__);

struct Kernels {
    const char* name;
    bool (*supported)();
    VECH_KERNELS(VECH_POINTER)
};

const std::vector<const Kernels*>& compiled_targets();  // best first
const Kernels& active_target();
bool set_target(const std::string& name);  // false: not compiled, or this processor lacks it

}  // namespace vech
