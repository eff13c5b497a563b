// Compiled once per target: the kernels inside a namespace and a compiler region of that target's own. Standard
// headers come first, outside the region, so that none of their inline functions carries wide instructions.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "dispatch.hpp"

#if defined(VECH_TARGET_avx2)
#define VECH_NAME "avx2"
#define VECH_FEATURES "avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c"
#define VECH_VECTOR 32
#define VECH_SUPPORTED                                                                                   \
    (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && \
     __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
#elif defined(VECH_TARGET_avx512)
#define VECH_NAME "avx512"
#define VECH_FEATURES "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c"
#define VECH_VECTOR 64
#define VECH_SUPPORTED                                                                                                \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && \
     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma") &&     \
     __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
#elif defined(VECH_TARGET_avx512_icl)
#define VECH_NAME "avx512-icl"
#define VECH_FEATURES                                                                                \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi,avx512vbmi2,avx512vpopcntdq,avx512vnni," \
    "avx512bitalg,avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c"
#define VECH_VECTOR 64
#define VECH_ICL 1
#define VECH_SUPPORTED                                                                                                \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && \
     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") &&                                      \
     __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&                                 \
     __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vnni") &&                             \
     __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&     \
     __builtin_cpu_supports("popcnt"))
#else
#define VECH_NAME "baseline"
#define VECH_VECTOR 16
#define VECH_SUPPORTED true
#endif

#if defined(VECH_FEATURES)
#define VECH_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define VECH_REGION(features) VECH_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#else
#define VECH_REGION(features) _Pragma("GCC push_options") VECH_PRAGMA(GCC target(features))
#endif
VECH_REGION(VECH_FEATURES)
#endif

namespace vech::VECH_NAMESPACE {
namespace {
#include "kernels/change.hpp"
#include "kernels/lines.hpp"
#include "kernels/cells.hpp"
#include "kernels/move.hpp"
#include "kernels/scan.hpp"
#include "kernels/rowwise.hpp"
#include "kernels/mirror.hpp"
#include "kernels/symmetry.hpp"
#include "kernels/product.hpp"
#include "kernels/columns.hpp"
#include "kernels/strip.hpp"
#include "kernels/codes.hpp"
#include "kernels/gram.hpp"
#include "kernels/sparse_product.hpp"
}  // namespace
}  // namespace vech::VECH_NAMESPACE

#if defined(VECH_FEATURES)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

namespace vech::VECH_NAMESPACE {
extern const Kernels kernels;
const Kernels kernels = {VECH_NAME, [] { return static_cast<bool>(VECH_SUPPORTED); },
                         move,      cells,
                         scan,      scatter,
                         density,   mirror,
                         multiply,  multiply_columns,
                         panel,     dot,
                         largest,   sum_columns,
                         encode,    count,
                         gram,      fault,
                         jumps,     cut,
                         asymmetry, multiply_sparse};
}  // namespace vech::VECH_NAMESPACE
