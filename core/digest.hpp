// XXH64 with seed 0 (xxHash, doc/xxhash_spec.md): a digest at the speed of memory that other programs know.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vech {

std::uint64_t xxh64(const std::byte* bytes, std::size_t count) noexcept;

}  // namespace vech
