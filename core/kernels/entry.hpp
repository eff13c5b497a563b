// A target's entry in the list of dispatch.cpp. What its features do nothing for it shares with another one.
#pragma once
#include "core/dispatch.hpp"
#include "core/kernels/region.hpp"

#define VECH_DECLARE(name, result, ...) result name(__VA_ARGS__);
namespace vech::VECH_SHARED {
VECH_DENSE(VECH_DECLARE)
VECH_PRODUCTS(VECH_DECLARE)
VECH_QUANTIZED(VECH_DECLARE)
VECH_DISTANCES(VECH_DECLARE)
VECH_BATCHES(VECH_DECLARE)
}  // namespace vech::VECH_SHARED

namespace vech::VECH_SPARSE_OF {
VECH_SPARSE(VECH_DECLARE)
}  // namespace vech::VECH_SPARSE_OF

namespace vech::VECH_NAMESPACE {
VECH_BITS(VECH_DECLARE)

#define VECH_OWN(name, ...) .name = name,
#define VECH_OF_SHARED(name, ...) .name = vech::VECH_SHARED::name,
#define VECH_OF_SPARSE(name, ...) .name = vech::VECH_SPARSE_OF::name,
extern const Kernels kernels;
const Kernels kernels = {.name = VECH_NAME,
                         .supported = [] { return static_cast<bool>(VECH_SUPPORTED); },
                         VECH_DENSE(VECH_OF_SHARED) VECH_SPARSE(VECH_OF_SPARSE) VECH_PRODUCTS(VECH_OF_SHARED)
                             VECH_QUANTIZED(VECH_OF_SHARED) VECH_DISTANCES(VECH_OF_SHARED) VECH_BATCHES(VECH_OF_SHARED)
                                 VECH_BITS(VECH_OWN)};

}  // namespace vech::VECH_NAMESPACE
