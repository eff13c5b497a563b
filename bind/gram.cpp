// gram and gram_half.
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <optional>

#include "arrays.hpp"

namespace vech {
namespace {

using Pointers = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Numbers = std::optional<In>;  // none: each is one

Gram::Number number_of(const Numbers& numbers) {
    using enum Gram::Number;
    if (!numbers) return one;
    const auto code = static_cast<nb::dlpack::dtype_code>(numbers->dtype().code);
    const int item = item_size(*numbers);
    if (code == nb::dlpack::dtype_code::Float && (item == 4 || item == 8)) return item == 4 ? f4 : f8;
    if (code == nb::dlpack::dtype_code::Complex) return item == 8 ? c4 : c8;
    if (code == nb::dlpack::dtype_code::Int && item == 8) return i8;
    throw nb::value_error("these numbers have no kernel");
}

nb::dlpack::dtype sums_of(const Numbers& numbers) { return numbers ? numbers->dtype() : nb::dtype<std::int64_t>(); }

Gram job_of(const Pointers& indptr, const Indices& indices, const Numbers& left, const Numbers& right,
            std::int64_t columns, bool grow, double threshold, bool unit) {
    Gram job{};
    job.n = static_cast<std::int64_t>(indptr.shape(0)) - 1;
    job.columns = columns;
    job.number = number_of(left);
    if (left.has_value() != right.has_value()) throw nb::value_error("left and right go together");
    for (const Numbers* numbers : {&left, &right})
        if (*numbers && ((*numbers)->ndim() != 1 || (*numbers)->shape(0) != indices.shape(0) ||
                         (*numbers)->dtype() != left->dtype() || (indices.shape(0) > 1 && (*numbers)->stride(0) != 1)))
            throw nb::value_error("indices, left and right differ in length, or are not contiguous");
    if (job.n < 0 || columns < 0 || indptr.data()[job.n] != static_cast<std::int64_t>(indices.shape(0)))
        throw nb::value_error("indptr must end with the number of indices");
    job.indptr = indptr.data();
    job.indices = indices.data();
    job.left = left ? address(*left) : nullptr;
    job.right = right ? address(*right) : nullptr;
    job.grow = grow;
    job.threshold = threshold;
    job.unit = unit;
    return job;
}

GramResult computed(const Gram& job, int threads) {
    GramResult result;
    run([&](Watch& watch) { active_target().gram(job, threads, watch, result); });
    if (result.malformed) throw nb::value_error("indptr and indices do not describe a matrix by rows");
    if (result.out_of_memory) throw std::bad_alloc();
    return result;
}

// CSR arrays, or None if there would be more than `most` numbers.
std::optional<nb::tuple> gram(const Pointers& indptr, const Indices& indices, const Numbers& left, const Numbers& right,
                              std::int64_t columns, bool grow, double threshold, bool unit, std::int64_t most,
                              bool samples, int threads) {
    auto job = job_of(indptr, indices, left, right, columns, grow, threshold, unit);
    job.most = most;
    job.samples = samples;
    const auto result = computed(job, threads);
    if (result.too_many) return std::nullopt;
    return nb::make_tuple(owned(result.indptr, job.n + 1, nb::dtype<std::int64_t>()),
                          owned(result.indices, result.nonzeros, nb::dtype<std::int32_t>()),
                          owned(result.data, result.nonzeros, sums_of(left)));
}

// Into a half of zeros; how many of its numbers are none.
std::int64_t gram_half(const Pointers& indptr, const Indices& indices, const Numbers& left, const Numbers& right,
                       std::int64_t columns, bool grow, double threshold, bool unit, const Out& half, int threads) {
    auto job = job_of(indptr, indices, left, right, columns, grow, threshold, unit);
    if (half.ndim() != 1 || static_cast<std::int64_t>(half.shape(0)) != job.n * (job.n + 1) / 2 ||
        half.dtype() != sums_of(left) || (half.shape(0) > 1 && half.stride(0) != 1))
        throw nb::value_error("the half has another shape or dtype than the sums");
    job.half = address(In(half));
    return computed(job, threads).nonzeros;
}

}  // namespace

void bind_gram(nb::module_& m) {
    m.def("gram", &gram, nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(), nb::arg("left").none(),
          nb::arg("right").none(), nb::arg("columns"), nb::arg("grow"), nb::arg("threshold"), nb::arg("unit"),
          nb::arg("most"), nb::arg("samples"), nb::arg("threads"));
    m.def("gram_half", &gram_half, nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(),
          nb::arg("left").none(), nb::arg("right").none(), nb::arg("columns"), nb::arg("grow"), nb::arg("threshold"),
          nb::arg("unit"), nb::arg("half").noconvert(), nb::arg("threads"));
}

}  // namespace vech
