// What a target is: its name, its vectors, and the compiler region that its kernels are compiled in. Standard headers
// come first, outside the region, so that none of their inline functions carries wide instructions.
#pragma once
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
#if defined(VECH_TARGET_avx2) || defined(VECH_TARGET_avx512) || defined(VECH_TARGET_avx512_icl)
#include <immintrin.h>
#elif defined(__x86_64__)
#include <emmintrin.h>  // a tenth of the time of the other
#endif

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
#define VECH_SPARSE_OF avx2
#define VECH_SUPPORTED                                                                                                \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && \
     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma") &&     \
     __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
#elif defined(VECH_TARGET_avx512_icl)
#define VECH_NAME "avx512-icl"
#define VECH_FEATURES                                                                                \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi,avx512vbmi2,avx512vpopcntdq,avx512vnni," \
    "avx512bitalg,vpclmulqdq,pclmul,avx2,fma,bmi,bmi2,lzcnt,popcnt,f16c"
#define VECH_VECTOR 64
#define VECH_ICL 1
#define VECH_SHARED avx512
#define VECH_SPARSE_OF avx2
#define VECH_SUPPORTED                                                                                                \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && \
     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") &&                                      \
     __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&                                 \
     __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vnni") &&                             \
     __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&     \
     __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("vpclmulqdq"))
#else
#define VECH_NAME "baseline"
#define VECH_VECTOR 16
#define VECH_SUPPORTED true
#endif

// Whose kernels are used: those of bits.cpp are each target's own.
#if !defined(VECH_SHARED)
#define VECH_SHARED VECH_NAMESPACE  // metrics.cpp, moves.cpp, products.cpp and quantized.cpp
#endif
#if !defined(VECH_SPARSE_OF)
#define VECH_SPARSE_OF VECH_NAMESPACE  // sparse.cpp, which wider vectors make no faster: 0.94 to 1.05 of the time
#endif

#define VECH_PRAGMA(text) _Pragma(#text)
#if !defined(VECH_FEATURES)
#define VECH_TARGET_BEGIN namespace vech::VECH_NAMESPACE {
#define VECH_TARGET_END }
#elif defined(__clang__)
#define VECH_ENTER(features) VECH_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define VECH_TARGET_BEGIN     \
    VECH_ENTER(VECH_FEATURES) \
    namespace vech::VECH_NAMESPACE {
#define VECH_TARGET_END \
    }                   \
    _Pragma("clang attribute pop")
#else
#define VECH_ENTER(features) _Pragma("GCC push_options") VECH_PRAGMA(GCC target(features))
#define VECH_TARGET_BEGIN     \
    VECH_ENTER(VECH_FEATURES) \
    namespace vech::VECH_NAMESPACE {
#define VECH_TARGET_END \
    }                   \
    _Pragma("GCC pop_options")
#endif
