// When a target is written past the caches.
#pragma once
#include <cstdint>

namespace vech {

// From so many bytes on; asked of the processor once.
std::int64_t streamed_bytes();

}  // namespace vech
