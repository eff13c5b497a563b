// digest.
#include "core/digest.hpp"

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::uint64_t bound_digest(const Bytes& bytes) {
    const auto* const begin = reinterpret_cast<const std::byte*>(bytes.data());
    nb::gil_scoped_release released;
    return xxh64(begin, bytes.size());
}

}  // namespace

void bind_digest(nb::module_& m) { m.def("digest", &bound_digest, nb::arg("bytes").noconvert()); }

}  // namespace vech
