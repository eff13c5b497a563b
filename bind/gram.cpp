// gram, gram_half and add_products.
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <optional>

#include "bind/arrays.hpp"
#include "core/overlap.hpp"

namespace vech {
namespace {

using Begins = Array<const std::int64_t, Line>;
using Indices = Array<const std::int32_t, Line>;
using Factors = std::optional<In>;  // none: each is one

constexpr const char* no_rows = "indptr and indices do not describe a matrix by rows";

Gram::Number number_of(const Factors& numbers) {
    using enum Gram::Number;
    if (!numbers) return one;
    const int real = real_size(*numbers);
    if (real != 0 && is_complex(*numbers)) return real == 4 ? c4 : c8;
    if (real != 0) return real == 4 ? f4 : f8;
    if (numbers->dtype() == nb::dtype<std::int64_t>()) return i8;
    throw nb::value_error(no_kernel);
}

nb::dlpack::dtype sums_of(const Factors& numbers) { return numbers ? numbers->dtype() : nb::dtype<std::int64_t>(); }

Gram job_of(const Begins& indptr, const Indices& indices, const Factors& left, const Factors& right,
            std::int64_t columns, bool grow, double threshold, bool unit) {
    Gram job{};
    job.n = side(extent(indptr, 0) - 1);
    job.count = extent(indices, 0);
    job.columns = columns;
    job.number = number_of(left);
    if (left.has_value() != right.has_value()) throw nb::value_error("left and right go together");
    for (const Factors* numbers : {&left, &right})
        if (*numbers)
            need_line(**numbers, job.count, left->dtype(),
                      "indices, left and right differ in length or dtype, or are not contiguous");
    if (columns < 0) throw nb::value_error("columns is negative");
    if (!(threshold >= 0)) throw nb::value_error("threshold is negative or not a number");
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
    run(threads, [&](Watch& watch) { active_target().gram(job, threads, watch, result); });
    raise_for(result.fault, no_rows);
    return result;
}

// CSR arrays, or None if there would be more than `most` numbers.
std::optional<nb::tuple> gram(const Begins& indptr, const Indices& indices, const Factors& left, const Factors& right,
                              std::int64_t columns, bool grow, double threshold, bool unit, std::int64_t most,
                              bool samples, int threads) {
    auto job = job_of(indptr, indices, left, right, columns, grow, threshold, unit);
    job.most = most;
    job.samples = samples;
    const auto result = computed(job, threads);
    if (result.too_many) return std::nullopt;
    return arrays_of(result, job.n, sums_of(left));
}

// Into a half of zeros; how many of its numbers are none.
std::int64_t gram_half(const Begins& indptr, const Indices& indices, const Factors& left, const Factors& right,
                       std::int64_t columns, bool grow, double threshold, bool unit, const Out& half, int threads) {
    auto job = job_of(indptr, indices, left, right, columns, grow, threshold, unit);
    need_line(In(half), half_of(job.n, grow, true).length(), sums_of(left),
              "the half has another shape or dtype than the sums");
    job.half = address(In(half));
    return computed(job, threads).nonzeros;
}

using Reals = Array<const double, Line>;
using Dense = Array<double, nb::ndim<2>>;

Rowwise rows_of(const Begins& indptr, const Indices& indices, const Reals& numbers) {
    const auto count = extent(indices, 0);
    if (extent(numbers, 0) != count) throw nb::value_error("indices and numbers differ in length");
    return {side(extent(indptr, 0) - 1), {indptr.data(), true}, indices.data(), address(In(numbers)), count, 8};
}

void bound_add_products(const Begins& indptr, const Indices& indices, const Reals& numbers, const Begins& right_indptr,
                        const Indices& right_indices, const Reals& right_numbers, const Dense& out) {
    const auto left = rows_of(indptr, indices, numbers), right = rows_of(right_indptr, right_indices, right_numbers);
    if (extent(out, 0) != left.n) throw nb::value_error("out has another number of rows than the left");
    auto fault = Fault::none;
    run(1, [&](Watch& watch) { fault = add_products(left, right, extent(out, 1), out.data(), watch); });
    raise_for(fault, no_rows);
}

}  // namespace

void bind_gram(nb::module_& m) {
    m.def("gram", &gram, nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(),
          nb::arg("left").noconvert().none(), nb::arg("right").noconvert().none(), nb::arg("columns"), nb::arg("grow"),
          nb::arg("threshold"), nb::arg("unit"), nb::arg("most"), nb::arg("samples"), nb::arg("threads"));
    m.def("gram_half", &gram_half, nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(),
          nb::arg("left").noconvert().none(), nb::arg("right").noconvert().none(), nb::arg("columns"), nb::arg("grow"),
          nb::arg("threshold"), nb::arg("unit"), nb::arg("half").noconvert(), nb::arg("threads"));
    m.def("add_products", &bound_add_products, nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(),
          nb::arg("numbers").noconvert(), nb::arg("right_indptr").noconvert(), nb::arg("right_indices").noconvert(),
          nb::arg("right_numbers").noconvert(), nb::arg("out").noconvert());
}

}  // namespace vech
