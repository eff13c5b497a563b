// multiply, panel, dot and largest.
#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>

#include "arrays.hpp"

namespace vech {
namespace {

void need_vector(const In& array, std::int64_t size, const In& half, const char* what) {
    if (array.ndim() != 1 || static_cast<std::int64_t>(array.shape(0)) != size || array.dtype() != half.dtype() ||
        (size > 1 && array.stride(0) != 1))
        throw nb::value_error(what);
}

// A vector, or rows of several columns.
void need_columns(const In& array, std::int64_t n, const In& half, const char* what) {
    if (array.ndim() == 1) return need_vector(array, n, half, what);
    if (array.ndim() != 2 || static_cast<std::int64_t>(array.shape(0)) != n || array.shape(1) < 2 ||
        array.dtype() != half.dtype() || (n > 0 && array.stride(1) != 1) ||
        (n > 1 && array.stride(0) != static_cast<std::int64_t>(array.shape(1))))
        throw nb::value_error(what);
}

// Bytes of a number's real part; 0 for numbers that are not floating.
int real_size(const In& array) {
    const auto code = static_cast<nb::dlpack::dtype_code>(array.dtype().code);
    const int bytes = item_size(array);
    if (code == nb::dlpack::dtype_code::Float && (bytes == 4 || bytes == 8)) return bytes;
    if (code == nb::dlpack::dtype_code::Complex && (bytes == 8 || bytes == 16)) return bytes / 2;
    return 0;
}

Product::Diagonal diagonal_of(const std::string& name) {
    using enum Product::Diagonal;
    if (name == "stored") return stored;
    if (name == "real") return real;
    if (name == "imaginary") return imaginary;
    if (name == "zero") return zero;
    if (name == "one") return one;
    throw nb::value_error("no such diagonal");
}

void multiply(const In& half, const In& x, const Out& y, std::int64_t n, bool grow, bool diagonal_stored,
              const std::string& diagonal, bool conjugates, bool negates, bool absolute, double off, double on,
              int threads) {
    Product job{};
    job.half = {n, grow, diagonal_stored};
    job.real = real_size(half);
    job.complex = job.real != item_size(half);
    if (job.real == 0 || (absolute && job.complex)) throw nb::value_error("these numbers have no kernel");
    need_vector(half, job.half.length(), half, "the half has another shape than its layout");
    need_columns(x, n, half, "x has another shape or dtype than the half");
    need_columns(In(y), n, half, "y has another shape or dtype than the half");
    job.columns = x.ndim() == 2 ? static_cast<std::int64_t>(x.shape(1)) : 1;
    if (x.ndim() != y.ndim() || x.size() != y.size()) throw nb::value_error("x and y differ in shape");
    if (x.ndim() == 2 && (absolute || job.complex)) throw nb::value_error("these columns have no kernel");
    job.diagonal = diagonal_of(diagonal);
    if (!diagonal_stored && job.diagonal >= Product::Diagonal::stored)
        throw nb::value_error("the diagonal is not stored");
    job.words = address(half);
    job.x = address(x);
    job.y = address(In(y));
    job.conjugates = conjugates;
    job.negates = negates;
    job.absolute = absolute;
    job.off = off;
    job.on = on;
    const auto bytes = static_cast<std::size_t>(job.work_bytes());
    const std::unique_ptr<std::byte[]> work(new std::byte[std::max<std::size_t>(bytes, 1)]);
    job.work = work.get();
    const auto kernel = job.columns == 1 ? active_target().multiply : active_target().multiply_columns;
    run([&](Watch& watch) { kernel(job, threads, watch); });
}

void panel(const In& half, const In& block, std::int64_t n, bool grow, bool diagonal_stored, std::int64_t row,
           std::int64_t column, const std::string& way, bool conjugates, bool negates, int threads) {
    Panel job{};
    job.half = {n, grow, diagonal_stored};
    job.item = item_size(half);
    job.real = real_size(half);
    need_vector(half, job.half.length(), half, "the half has another shape than its layout");
    if (block.ndim() != 2 || block.dtype() != half.dtype()) throw nb::value_error("the block has another dtype");
    job.rows = {row, row + static_cast<std::int64_t>(block.shape(0))};
    job.columns = {column, column + static_cast<std::int64_t>(block.shape(1))};
    if (row < 0 || column < 0 || job.rows.end > n || job.columns.end > n)
        throw nb::index_error("the block is out of range");
    if (block.size() > 0 &&
        ((block.shape(1) > 1 && block.stride(1) != 1) || (block.shape(0) > 1 && block.stride(0) != job.columns.size())))
        throw nb::value_error("the block is not contiguous");
    job.way = way == "read"     ? Panel::Way::read
              : way == "square" ? Panel::Way::square
              : way == "write"  ? Panel::Way::write
              : way == "add"    ? Panel::Way::add
                                : throw nb::value_error("no such way");
    if (job.way == Panel::Way::square && (row != column || block.shape(0) != block.shape(1)))
        throw nb::value_error("a square lies on the diagonal");
    constexpr std::uint8_t sign = 0x80;
    job.mirror[job.item - 1] = negates != (conjugates && job.real != job.item) ? sign : 0;
    if (job.real != 0 && job.real != job.item) job.mirror[job.real - 1] = negates ? sign : 0;
    if ((job.way == Panel::Way::add || job.way == Panel::Way::square) && job.real == 0)
        throw nb::value_error("these numbers have no kernel");
    job.words = address(half);
    job.block = address(block);
    run([&](Watch& watch) { active_target().panel(job, threads, watch); });
}

double reduce(const In& a, const In& b, int threads, double (*Kernels::*kernel)(const Numbers&, int, Watch&)) {
    const int real = real_size(a);
    if (real == 0) throw nb::value_error("these numbers have no kernel");
    const auto size = static_cast<std::int64_t>(a.size());
    for (const In* vector : {&a, &b}) need_vector(*vector, size, a, "the vectors differ, or are not contiguous");
    const Numbers job{.words = address(a), .others = address(b), .count = size * (item_size(a) / real), .real = real};
    double result = 0;
    run([&](Watch& watch) { result = (active_target().*kernel)(job, threads, watch); });
    return result;
}

double dot(const In& a, const In& b, int threads) { return reduce(a, b, threads, &Kernels::dot); }
double largest(const In& a, int threads) { return reduce(a, a, threads, &Kernels::largest); }

}  // namespace

void bind_product(nb::module_& m) {
    m.def("multiply", &multiply, nb::arg("half").noconvert(), nb::arg("x").noconvert(), nb::arg("y").noconvert(),
          nb::arg("n"), nb::arg("grow"), nb::arg("diagonal_stored"), nb::arg("diagonal"), nb::arg("conjugates"),
          nb::arg("negates"), nb::arg("absolute"), nb::arg("off"), nb::arg("on"), nb::arg("threads"));
    m.def("panel", &panel, nb::arg("half").noconvert(), nb::arg("block").noconvert(), nb::arg("n"), nb::arg("grow"),
          nb::arg("diagonal_stored"), nb::arg("row"), nb::arg("column"), nb::arg("way"), nb::arg("conjugates"),
          nb::arg("negates"), nb::arg("threads"));
    m.def("dot", &dot, nb::arg("a").noconvert(), nb::arg("b").noconvert(), nb::arg("threads"));
    m.def("largest", &largest, nb::arg("a").noconvert(), nb::arg("threads"));
}

}  // namespace vech
