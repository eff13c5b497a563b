// The kernel table: one per target, and the one in use.
#pragma once
#include <string>
#include <vector>

#include "codes.hpp"
#include "gram.hpp"
#include "move.hpp"
#include "product.hpp"
#include "sparse.hpp"

namespace vech {

struct Kernels {
    const char* name;
    bool (*supported)();
    void (*move)(const Move&, int threads, Watch&, Outcome&);
    void (*cells)(const Cells&, int threads, Watch&, Outcome&);
    void (*scan)(const Scan&, int threads, Watch&, Csr&);
    void (*scatter)(const Scatter&, int threads, Watch&);
    double (*density)(const std::byte* words, std::int64_t count, int item, const std::uint8_t* keep);
    void (*mirror)(const Mirror&, int threads, Watch&, Csr&);
    void (*multiply)(const Product&, int threads, Watch&);
    void (*multiply_columns)(const Product&, int threads, Watch&);
    void (*panel)(const Panel&, int threads, Watch&);
    double (*dot)(const Numbers&, int threads, Watch&);
    double (*largest)(const Numbers&, int threads, Watch&);
    void (*sum_columns)(const Spread&, int threads, Watch&);
    void (*encode)(const Encoding&, int threads, Watch&);
    void (*count)(const Agreement&, int threads, Watch&);
    void (*gram)(const Gram&, int threads, Watch&, GramResult&);
    std::int64_t (*fault)(const Rowwise&, Part);
    double (*jumps)(const Rowwise&);
    void (*cut)(const Cut&, int threads, Watch&, Csr&);
    void (*asymmetry)(const Symmetry&, int threads, Watch&, Asymmetry&);
    Fault (*multiply_sparse)(const SparseProduct&, int threads, Watch&);
};

const std::vector<const Kernels*>& compiled_targets();  // best first
const Kernels& active_target();
bool set_target(const std::string& name);  // false: not compiled, or this processor lacks it

}  // namespace vech
