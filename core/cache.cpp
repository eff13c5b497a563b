#include "core/cache.hpp"

#include <algorithm>
#include <cstdlib>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/memory.hpp"

namespace vech {
namespace {

#if defined(__x86_64__)
// Bytes of a cache of this level, by the leaf of the processor's maker; 0 if it does not say.
std::int64_t cache_bytes(unsigned leaf, unsigned level) {
    unsigned kind, sizes, sets, rest;
    for (unsigned which = 0; which < 8; ++which) {
        if (!__get_cpuid_count(leaf, which, &kind, &sizes, &sets, &rest) || (kind & 31) == 0) return 0;
        const bool instructions = (kind & 31) == 2;
        if (instructions || (kind >> 5 & 7) != level) continue;
        return std::int64_t{(sizes >> 22) + 1} * ((sizes >> 12 & 0x3ff) + 1) * ((sizes & 0xfff) + 1) * (sets + 1);
    }
    return 0;
}
#endif

// What the environment says instead, so that tests reach both ways at any size.
std::int64_t said() {
    const char* bytes = std::getenv("VECH_STREAMED_BYTES");
    return bytes == nullptr ? -1 : std::strtoll(bytes, nullptr, 10);
}

// Streaming wins on Zen 4 with 32 MB of L3 from 12 MB on, and costs 1.5 to 1.8 times as much at 8 MB; on a Xeon with 2
// MB of L2 and a slower L3 from 1.5 MB on (0.8 of the time at 2 MB, 1.6 times at 1.3 MB). Other caches were not
// measured: 3 MB there. What a virtual machine says of an L3 may be that of many sockets, so no more than those 12 MB.
std::int64_t measured_on_this_maker() {
    std::int64_t bytes = 3 * megabyte;
#if defined(__x86_64__)
    if (__builtin_cpu_is("amd"))
        bytes = std::clamp(cache_bytes(0x8000001d, 3) * 3 / 8, bytes, 12 * megabyte);
    else if (const auto second = cache_bytes(4, 2); second >= 2 * megabyte)
        bytes = std::min(second * 3 / 4, bytes);
#endif
    return bytes;
}

}  // namespace

std::int64_t streamed_bytes() {
    static const std::int64_t bytes = said() >= 0 ? said() : measured_on_this_maker();
    return bytes;
}

}  // namespace vech
