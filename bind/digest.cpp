// digest and crc32c.
#include "core/digest.hpp"

#include <nanobind/stl/optional.h>

#include <optional>

#include "bind/arrays.hpp"
#include "core/dispatch.hpp"

namespace vech {
namespace {

using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::uint64_t bound_digest(const Bytes& bytes) {
    const auto* const begin = reinterpret_cast<const std::byte*>(bytes.data());
    nb::gil_scoped_release released;
    return xxh64(begin, bytes.size());
}

// None where the target has no instructions for it.
std::optional<std::uint32_t> bound_crc32c(const Bytes& bytes) {
    const auto* const begin = reinterpret_cast<const std::byte*>(bytes.data());
    nb::gil_scoped_release released;
    const auto sum = active_target().crc32c(begin, static_cast<std::int64_t>(bytes.size()));
    return sum < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(sum));
}

}  // namespace

void bind_digest(nb::module_& m) {
    m.def("digest", &bound_digest, nb::arg("bytes").noconvert());
    m.def("crc32c", &bound_crc32c, nb::arg("bytes").noconvert());
}

}  // namespace vech
