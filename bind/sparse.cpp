// scan, scatter, density; and of CSR arrays: mirror, turn, cut, fault, jumps, asymmetry, multiply_sparse.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <cstdlib>
#include <new>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Pointers = nb::ndarray<nb::ro, Line, nb::c_contig, nb::device::cpu>;  // of 4 or 8 bytes
using Columns = Array<const std::int32_t, Line>;
using Plan = Array<std::int64_t, Line>;

const std::byte* half_words(const In& half, const Half& layout) {
    need_line(half, layout.length(), "the half has another shape than its layout, or is not contiguous");
    return address(half);
}

template <class Job>
void set_fill(Job& job, const Fill& fill) {
    job.implied = fill.has_value();
    if (!fill) return;
    if (job.half.diagonal) throw nb::value_error("fill is for an implied diagonal");
    copy_number(job.fill, *fill, job.item);
}

constexpr const char* malformed = "indptr and indices do not describe sorted rows of the matrix or its triangle";

nb::tuple arrays_of(Csr& csr, const Rowwise& given, const In& data) {
    raise_for(csr.fault, malformed);
    return arrays_of(csr, given.n, data.dtype());
}

nb::tuple scan(const In& half, std::int64_t n, bool grow, bool diagonal_stored, const nb::bytes& keep, const Fill& fill,
               int threads, const std::optional<nb::bytes>& bound) {
    Scan job{.words = nullptr, .item = item_size(half), .half = half_of(n, grow, diagonal_stored)};
    job.words = half_words(half, job.half);
    copy_bytes(job.keep, keep, job.item, "keep must have as many bytes as a number");
    set_fill(job, fill);
    job.bounded = bound.has_value();
    if (job.bounded) {
        if (job.item != 4 && job.item != 8) throw nb::value_error("a bound is for numbers of 4 or 8 bytes");
        copy_bytes(job.bound, *bound, job.item, "bound must have as many bytes as a number");
    }
    Csr csr;
    run(threads, [&](Watch& watch) { active_target().scan(job, threads, watch, csr); });
    raise_for(csr.fault, malformed);
    return arrays_of(csr, n, half.dtype());
}

void scatter(const In& half, const Out& out, std::int64_t n, bool grow, bool diagonal_stored,
             const BoundChange& transposed, const BoundChange& diagonal, const Fill& fill, int threads) {
    take(transposed, item_size(half));
    take(diagonal, item_size(half));
    if (!(transposed.none() || transposed.constant) || !diagonal.none())
        throw nb::value_error("scatter computes nothing");
    if (out.ndim() != 2 || static_cast<std::int64_t>(out.shape(0)) != n ||
        static_cast<std::int64_t>(out.shape(1)) != n || out.itemsize() != half.itemsize())
        throw nb::value_error("the matrix has another shape or item size than its half");
    const In full(out);
    Scatter job{.words = nullptr,
                .item = item_size(half),
                .half = half_of(n, grow, diagonal_stored),
                .target = Rows::full(address(full), stride_bytes(full, 0), stride_bytes(full, 1)),
                .transposed = !transposed.constant};
    job.words = half_words(half, job.half);
    set_fill(job, fill);
    run(threads, [&](Watch& watch) { active_target().scatter(job, threads, watch); });
}

double density(const In& half, const nb::bytes& keep) {
    std::uint8_t mask[16] = {};
    const int item = item_size(half);
    copy_bytes(mask, keep, item, "keep must have as many bytes as a number");
    need_axes(half, 1);
    need_line(half, extent(half, 0), "the half is not contiguous");
    return active_target().density(address(half), extent(half, 0), item, mask);
}

Rowwise rowwise(const Pointers& indptr, const Columns& indices, const In& data, std::int64_t n) {
    const bool wide = indptr.dtype() == nb::dtype<std::int64_t>();
    if (!wide && indptr.dtype() != nb::dtype<std::int32_t>()) throw nb::type_error("indptr must be int32 or int64");
    if (extent(indptr, 0) != side(n) + 1) throw nb::value_error("indptr must hold n + 1 numbers");
    const auto count = extent(indices, 0);
    need_line(data, count, "indices and data differ in length");
    return {n, {indptr.data(), wide}, indices.data(), address(data), count, item_size(data)};
}

// Without the numbers.
Rowwise pattern(const Pointers& indptr, const Columns& indices, std::int64_t n) {
    return rowwise(indptr, indices, In(nb::ndarray<const std::int32_t>(indices)), n);
}

template <bool own>
nb::tuple mirror(const Pointers& indptr, const Columns& indices, const In& data, const BoundChange& change,
                 std::int64_t n, bool grow, int threads) {
    const Mirror job{rowwise(indptr, indices, data, n), grow, own, change};
    take(change, job.half.item);
    if (change.scale != Change::Scale::none || change.constant)
        throw nb::value_error("mirrored numbers are neither scaled nor zero");
    Csr csr;
    run(threads, [&](Watch& watch) { active_target().mirror(job, threads, watch, csr); });
    return arrays_of(csr, job.half, data);
}

nb::tuple cut(const Pointers& indptr, const Columns& indices, const In& data, std::int64_t n, bool grow, int threads) {
    const Cut job{rowwise(indptr, indices, data, n), grow};
    Csr csr;
    run(threads, [&](Watch& watch) { active_target().cut(job, threads, watch, csr); });
    return arrays_of(csr, job.full, data);
}

std::int64_t fault(const Pointers& indptr, const Columns& indices, std::int64_t n, const std::string& part) {
    const auto which = part == "full"     ? Part::full
                       : part == "grow"   ? Part::grow
                       : part == "shrink" ? Part::shrink
                                          : throw nb::value_error("no such part");
    const auto matrix = pattern(indptr, indices, n);
    std::int64_t row = -1;
    run(1, [&](Watch&) { row = active_target().fault(matrix, which); });
    return row;
}

double jumps(const Pointers& indptr, const Columns& indices, std::int64_t n) {
    return active_target().jumps(pattern(indptr, indices, n));
}

Symmetry::Number number_of(const In& data) {
    using enum Symmetry::Number;
    if (real_size(data) != 0) return is_complex(data) ? complex : real;
    if (item_size(data) <= 8) {
        if (is_of(data, nb::dlpack::dtype_code::Int)) return integer;
        if (is_of(data, nb::dlpack::dtype_code::UInt) || is_of(data, nb::dlpack::dtype_code::Bool)) return natural;
    }
    throw nb::type_error(no_kernel);
}

std::optional<std::pair<std::int64_t, std::int64_t>> asymmetry(const Pointers& indptr, const Columns& indices,
                                                               const In& data, std::int64_t n, bool conjugates,
                                                               bool negates, double tolerance, int threads) {
    const Symmetry job{rowwise(indptr, indices, data, n), number_of(data), conjugates, negates, tolerance};
    Asymmetry found;
    run(threads, [&](Watch& watch) { active_target().asymmetry(job, threads, watch, found); });
    raise_for(found.fault, malformed);
    if (found.row < 0) return std::nullopt;
    return std::pair(found.row, found.column);
}

// x and y: (n,) or (n, m). False: the arrays are no triangle, and y holds nothing.
bool multiply_sparse(const Pointers& indptr, const Columns& indices, const In& data, const In& x, const Out& y,
                     std::int64_t n, bool grow, const std::string& diagonal, bool conjugates, bool negates, int threads,
                     const std::optional<Plan>& plan) {
    SparseProduct job{};
    job.half = rowwise(indptr, indices, data, n);
    job.grow = grow;
    job.real = real_size(data);
    job.complex = is_complex(data);
    if (job.real == 0) throw nb::type_error(no_kernel);
    const In to(y);
    need_axes(x, 1);
    job.columns = x.ndim() == 2 ? extent(x, 1) : 1;
    for (const In* array : {&x, &to}) {
        const auto axes = array->ndim();
        if (array->dtype() != data.dtype() || axes != x.ndim() || axes > 2 || extent(*array, 0) != n ||
            extent(*array, axes - 1) != extent(x, axes - 1))
            throw nb::value_error("x or y has another shape or dtype than the half");
        if (array->size() > 1 && ((array->shape(axes - 1) > 1 && array->stride(axes - 1) != 1) ||
                                  (n > 1 && array->stride(0) != job.columns)))
            throw nb::value_error("x or y is not contiguous");
    }
    job.conjugates = conjugates;
    job.negates = negates;
    using enum Product::Diagonal;
    job.diagonal = diagonal == "stored"      ? stored
                   : diagonal == "real"      ? real
                   : diagonal == "imaginary" ? imaginary
                   : diagonal == "zero"      ? zero
                                             : throw nb::value_error("no such diagonal");
    job.x = address(x);
    job.y = address(to);
    if (plan) {
        if (extent(*plan, 0) != SparseProduct::plan_length) throw nb::value_error("a plan has another length");
        job.plan = plan->data();
    }
    auto fault = Fault::none;
    run(threads, [&](Watch& watch) { fault = active_target().multiply_sparse(job, threads, watch); });
    if (fault == Fault::out_of_memory) throw std::bad_alloc();
    return fault == Fault::none;
}

}  // namespace

void bind_sparse(nb::module_& m) {
    m.def("scan", &scan, nb::arg("half").noconvert(), nb::arg("n"), nb::arg("grow"), nb::arg("diagonal_stored"),
          nb::arg("keep"), nb::arg("fill").none(), nb::arg("threads"), nb::arg("bound") = nb::none());
    m.def("scatter", &scatter, nb::arg("half").noconvert(), nb::arg("out").noconvert(), nb::arg("n"), nb::arg("grow"),
          nb::arg("diagonal_stored"), nb::arg("transposed"), nb::arg("diagonal"), nb::arg("fill").none(),
          nb::arg("threads"));
    m.def("density", &density, nb::arg("half").noconvert(), nb::arg("keep"));
    const auto indptr = nb::arg("indptr").noconvert();
    const auto indices = nb::arg("indices").noconvert();
    const auto data = nb::arg("data").noconvert();
    const auto n = nb::arg("n"), grow = nb::arg("grow"), threads = nb::arg("threads");
    const auto conjugates = nb::arg("conjugates"), negates = nb::arg("negates");
    m.def("mirror", &mirror<true>, indptr, indices, data, nb::arg("change"), n, grow, threads);
    m.def("turn", &mirror<false>, indptr, indices, data, nb::arg("change"), n, grow, threads);
    m.def("cut", &cut, indptr, indices, data, n, grow, threads);
    m.def("fault", &fault, indptr, indices, n, nb::arg("part"));
    m.def("jumps", &jumps, indptr, indices, n);
    m.def("asymmetry", &asymmetry, indptr, indices, data, n, conjugates, negates, nb::arg("tolerance"), threads);
    m.def("multiply_sparse", &multiply_sparse, indptr, indices, data, nb::arg("x").noconvert(),
          nb::arg("y").noconvert(), n, grow, nb::arg("diagonal"), conjugates, negates, threads,
          nb::arg("plan").noconvert().none() = nb::none());
    m.attr("PLAN_LENGTH") = SparseProduct::plan_length;
}

}  // namespace vech
