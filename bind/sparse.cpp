// scan, scatter, density and mirror.
#include <nanobind/stl/optional.h>

#include <cstdlib>
#include <new>

#include "arrays.hpp"

namespace vech {
namespace {

using Pointers = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Columns = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

const std::byte* half_words(const In& half, const Half& layout) {
    if (half.ndim() != 1 || static_cast<std::int64_t>(half.shape(0)) != layout.length())
        throw nb::value_error("the half has another shape than its layout");
    if (layout.length() > 1 && half.stride(0) != 1) throw nb::value_error("the half is not contiguous");
    return address(half);
}

template <class Job>
void set_fill(Job& job, const Fill& fill) {
    job.implied = fill.has_value();
    if (!fill) return;
    if (job.half.diagonal || fill->itemsize() != static_cast<std::size_t>(job.item))
        throw nb::value_error("fill is for an implied diagonal, and has the half's item size");
    std::memcpy(job.fill, fill->data(), static_cast<std::size_t>(job.item));
}

// The array takes over a block from malloc.
nb::object owned(void* block, std::int64_t count, nb::dlpack::dtype dtype) {
    const nb::capsule owner(block, [](void* p) noexcept { std::free(p); });
    const auto size = static_cast<std::size_t>(count);
    return nb::cast(nb::ndarray<nb::numpy>(block, 1, &size, owner, nullptr, dtype));
}

nb::tuple arrays_of(Csr& csr, std::int64_t n, nb::dlpack::dtype dtype) {
    if (csr.malformed) throw nb::value_error("indptr and indices do not describe one triangle by rows");
    if (csr.out_of_memory) throw std::bad_alloc();
    const auto indptr = owned(csr.indptr, n + 1, nb::dtype<std::int64_t>());
    const auto indices = owned(csr.indices, csr.nonzeros, nb::dtype<std::int32_t>());
    return nb::make_tuple(indptr, indices, owned(csr.data, csr.nonzeros, dtype));
}

nb::tuple scan(const In& half, std::int64_t n, bool grow, bool diagonal_stored, const nb::bytes& keep, const Fill& fill,
               int threads) {
    Scan job{.words = nullptr, .item = item_size(half), .half = {n, grow, diagonal_stored}};
    job.words = half_words(half, job.half);
    copy_bytes(job.keep, keep, job.item, "keep must have as many bytes as a number");
    set_fill(job, fill);
    Csr csr;
    run([&](Watch& watch) { active_target().scan(job, threads, watch, csr); });
    return arrays_of(csr, n, half.dtype());
}

void scatter(const In& half, const Out& out, std::int64_t n, bool grow, bool diagonal_stored,
             const BoundChange& transposed, const BoundChange& diagonal, const Fill& fill, int threads) {
    if (!(transposed.none() || transposed.constant) || !diagonal.none())
        throw nb::value_error("scatter computes nothing");
    if (out.ndim() != 2 || static_cast<std::int64_t>(out.shape(0)) != n ||
        static_cast<std::int64_t>(out.shape(1)) != n || out.itemsize() != half.itemsize())
        throw nb::value_error("the matrix has another shape or item size than its half");
    const In full(out);
    Scatter job{.words = nullptr,
                .item = item_size(half),
                .half = {n, grow, diagonal_stored},
                .target = Rows::full(address(full), stride_bytes(full, 0), stride_bytes(full, 1)),
                .transposed = !transposed.constant};
    job.words = half_words(half, job.half);
    set_fill(job, fill);
    run([&](Watch& watch) { active_target().scatter(job, threads, watch); });
}

double density(const In& half, const nb::bytes& keep) {
    std::uint8_t mask[16] = {};
    const int item = item_size(half);
    copy_bytes(mask, keep, item, "keep must have as many bytes as a number");
    if (half.ndim() != 1 || (half.shape(0) > 1 && half.stride(0) != 1))
        throw nb::value_error("the half is not contiguous");
    return active_target().density(address(half), static_cast<std::int64_t>(half.shape(0)), item, mask);
}

nb::tuple mirror(const Pointers& indptr, const Columns& indices, const In& data, const In& mirrored, std::int64_t n,
                 bool grow, int threads) {
    if (static_cast<std::int64_t>(indptr.shape(0)) != n + 1) throw nb::value_error("indptr must hold n + 1 numbers");
    const auto count = indices.shape(0);
    for (const In* values : {&data, &mirrored})
        if (values->ndim() != 1 || values->shape(0) != count || (count > 1 && values->stride(0) != 1) ||
            values->itemsize() != data.itemsize())
            throw nb::value_error("indices, data and mirrored differ in length");
    if (indptr.data()[n] != static_cast<std::int64_t>(count))
        throw nb::value_error("indptr must end with the number of indices");
    const Mirror job{.n = n,
                     .grow = grow,
                     .item = item_size(data),
                     .indptr = indptr.data(),
                     .indices = indices.data(),
                     .data = address(data),
                     .mirrored = address(mirrored)};
    Csr csr;
    run([&](Watch& watch) { active_target().mirror(job, threads, watch, csr); });
    return arrays_of(csr, n, data.dtype());
}

}  // namespace

void bind_sparse(nb::module_& m) {
    m.def("scan", &scan, nb::arg("half").noconvert(), nb::arg("n"), nb::arg("grow"), nb::arg("diagonal_stored"),
          nb::arg("keep"), nb::arg("fill").none(), nb::arg("threads"));
    m.def("scatter", &scatter, nb::arg("half").noconvert(), nb::arg("out").noconvert(), nb::arg("n"), nb::arg("grow"),
          nb::arg("diagonal_stored"), nb::arg("transposed"), nb::arg("diagonal"), nb::arg("fill").none(),
          nb::arg("threads"));
    m.def("density", &density, nb::arg("half").noconvert(), nb::arg("keep"));
    m.def("mirror", &mirror, nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(), nb::arg("data").noconvert(),
          nb::arg("mirrored").noconvert(), nb::arg("n"), nb::arg("grow"), nb::arg("threads"));
}

}  // namespace vech
