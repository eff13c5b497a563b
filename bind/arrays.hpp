// Arrays as kernels see them: words of 1, 2, 4, 8 or 16 bytes behind byte strides.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "dispatch.hpp"

namespace nb = nanobind;

namespace vech {

using In = nb::ndarray<nb::ro>;
using Out = nb::ndarray<>;
using Fill = std::optional<In>;  // the number of an implied diagonal

struct BoundChange : Change {
    int item;
};

inline int item_size(const In& array) { return static_cast<int>(array.itemsize()); }
inline std::int64_t stride_bytes(const In& array, std::size_t axis) {
    return array.stride(axis) * static_cast<std::int64_t>(array.itemsize());
}
inline std::byte* address(const In& array) {
    return const_cast<std::byte*>(static_cast<const std::byte*>(array.data()));
}

// Runs a kernel without the GIL; Ctrl-C ends it and is raised.
template <class Kernel>
void run(Kernel&& kernel) {
    Watch watch([]() noexcept {
        nb::gil_scoped_acquire held;
        return PyErr_CheckSignals() != 0;
    });
    {
        nb::gil_scoped_release released;
        kernel(watch);
    }
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
}

// The array takes over a block from malloc.
inline nb::object owned(void* block, std::int64_t count, nb::dlpack::dtype dtype) {
    const nb::capsule owner(block, [](void* p) noexcept { std::free(p); });
    const auto size = static_cast<std::size_t>(count);
    return nb::cast(nb::ndarray<nb::numpy>(block, 1, &size, owner, nullptr, dtype));
}

inline void copy_bytes(std::uint8_t (&to)[16], const nb::bytes& from, int item, const char* what) {
    if (static_cast<int>(from.size()) != item) throw nb::value_error(what);
    std::memcpy(to, from.data(), from.size());
}

}  // namespace vech
