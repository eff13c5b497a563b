// Memory from malloc, which NumPy's arrays take over.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "core/layout.hpp"

namespace vech {

constexpr std::int64_t megabyte = 1 << 20;

// Huge pages: fresh output is half of the cost of a scan at 20 % nonzero, and 3 times that in pages of 4 KiB. Above
// what glibc takes from its heap, which is often warm, whole ones: 46 MB are first written in 1.9 ms, not 2.5 (Zen 5).
inline void* reallocate(void* block, std::int64_t bytes) {
#if defined(__linux__)
    if (constexpr std::int64_t huge = 1 << 21, of_heap = 1 << 25; block == nullptr && bytes > of_heap) {
        const auto whole = static_cast<std::size_t>((bytes + huge - 1) / huge * huge);
        void* const fresh = std::aligned_alloc(huge, whole);
        if (fresh != nullptr) madvise(fresh, whole, MADV_HUGEPAGE);
        return fresh;
    }
#endif
    void* grown = std::realloc(block, static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)));
#if defined(__linux__)
    constexpr std::uintptr_t page = 4096;
    if (grown != nullptr && bytes >= std::int64_t{1} << 22) {
        const auto at = reinterpret_cast<std::uintptr_t>(grown);
        const auto first = (at + page - 1) / page * page,
                   last = (at + static_cast<std::uintptr_t>(bytes)) / page * page;
        madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
    }
#endif
    return grown;
}

template <class T>
bool resize(T*& block, std::int64_t count) {
    auto* moved = static_cast<T*>(reallocate(block, count * static_cast<std::int64_t>(sizeof(T))));
    if (moved != nullptr) block = moved;
    return moved != nullptr;
}

// Memory from malloc that ends with its owner.
template <class T>
struct Memory {
    T* at = nullptr;
    bool get(std::int64_t count) { return resize(at, count); }
    bool get_zeros(std::int64_t count) {
        at = static_cast<T*>(std::calloc(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)), sizeof(T)));
        return at != nullptr;
    }
    // As many from the beginning of a cache line on, which `line` gives.
    bool get_lines(std::int64_t count) { return get(count + line_bytes_ / static_cast<std::int64_t>(sizeof(T))); }
    T* line() const {
        return reinterpret_cast<T*>((reinterpret_cast<std::uintptr_t>(at) + line_bytes_ - 1) / line_bytes_ *
                                    line_bytes_);
    }
    VECH_INLINE T& operator[](std::int64_t k) const { return at[k]; }
    Memory() = default;
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() { std::free(at); }

  private:
    static constexpr std::int64_t line_bytes_ = 64;
};

}  // namespace vech
