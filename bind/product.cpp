// multiply, multiply_tile, write_outer, read_panel, write_panel, dot and largest.
#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>

#include "bind/arrays.hpp"

namespace vech {
namespace {

// A vector, or rows of several columns.
void need_columns(const In& array, std::int64_t n, const In& half, const char* what) {
    if (array.ndim() == 1) return need_line(array, n, half.dtype(), what);
    if (array.ndim() != 2 || extent(array, 0) != n || array.shape(1) < 2 || extent(array, 1) > side_most ||
        array.dtype() != half.dtype() || (n > 0 && array.stride(1) != 1) ||
        (n > 1 && array.stride(0) != extent(array, 1)))
        throw nb::value_error(what);
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
    job.half = half_of(n, grow, diagonal_stored);
    job.real = real_size(half);
    job.complex = is_complex(half);
    if (job.real == 0 || (absolute && job.complex)) throw nb::value_error(no_kernel);
    need_line(half, job.half.length(), "the half has another shape than its layout");
    need_columns(x, n, half, "x has another shape or dtype than the half");
    need_columns(In(y), n, half, "y has another shape or dtype than the half");
    job.columns = x.ndim() == 2 ? extent(x, 1) : 1;
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
    if (absolute && !job.by_ones()) throw nb::value_error("of magnitudes there are only sums of rows: x must be ones");
    job.off = off;
    job.on = on;
    const auto bytes = static_cast<std::size_t>(job.work_bytes());
    const std::unique_ptr<std::byte[]> work(new std::byte[std::max<std::size_t>(bytes, 1)]);
    job.work = work.get();
    const auto kernel = job.columns == 1 ? active_target().multiply : active_target().multiply_columns;
    run(threads, [&](Watch& watch) { kernel(job, threads, watch); });
}

// Both products of a block, added to what is there.
void multiply_tile(const In& block, const In& along, const In& across, const Out& to_rows, const Out& to_columns,
                   bool below) {
    Tile job{};
    job.real = real_size(block);
    job.complex = is_complex(block);
    if (job.real == 0) throw nb::value_error(no_kernel);
    if (block.ndim() != 2 || (block.shape(1) > 1 && block.stride(1) != 1))
        throw nb::value_error("a tile has contiguous rows");
    job.rows = extent(block, 0);
    job.columns = extent(block, 1);
    job.stride = job.rows > 1 ? block.stride(0) : job.columns;
    need_line(along, job.columns, block.dtype(), "x of the columns has another shape or dtype than the tile");
    need_line(across, job.rows, block.dtype(), "x of the rows has another shape or dtype than the tile");
    need_line(In(to_rows), job.rows, block.dtype(), "the sums of rows have another shape or dtype than the tile");
    need_line(In(to_columns), job.columns, block.dtype(), "the sums of columns have another shape or dtype");
    job.words = address(block);
    job.along = address(along);
    job.across = address(across);
    job.to_rows = address(In(to_rows));
    job.to_columns = address(In(to_columns));
    job.below = below;
    run(1, [&](Watch& watch) { active_target().multiply_tile(job, watch); });
}

// The half of the sum of outer products of rows.
void write_outer(const Out& half, const In& left, const In& right, std::int64_t n, bool grow, int threads) {
    Outer job{};
    job.half = half_of(n, grow, true);
    job.real = real_size(In(half));
    if (job.real == 0 || is_complex(In(half))) throw nb::value_error(no_kernel);
    need_line(In(half), job.half.length(), "the half has another shape than its layout");
    for (const In* rows : {&left, &right})
        if (rows->ndim() != 2 || extent(*rows, 0) < 1 || extent(*rows, 0) != extent(left, 0) || extent(*rows, 1) != n ||
            rows->dtype() != half.dtype() || (n > 1 && rows->stride(1) != 1) ||
            (extent(*rows, 0) > 1 && rows->stride(0) != n))
            throw nb::value_error(
                "left and right are rows of n numbers of the half's dtype, as many of one as of the other");
    job.pairs = extent(left, 0);
    job.words = address(In(half));
    job.left = address(left);
    job.right = address(right);
    run(threads, [&](Watch& watch) { active_target().outer(job, threads, watch); });
}

// A block of the half, whose shape says how much of it from (row, column) on.
Panel panel_of(const In& half, const In& block, std::int64_t n, bool grow, bool diagonal_stored, std::int64_t row,
               std::int64_t column) {
    Panel job{};
    job.half = half_of(n, grow, diagonal_stored);
    job.item = item_size(half);
    job.real = real_size(half);
    need_line(half, job.half.length(), "the half has another shape than its layout");
    if (block.ndim() != 2 || block.dtype() != half.dtype()) throw nb::value_error("the block has another dtype");
    job.rows = range_in(row, extent(block, 0), n, "the block is out of range");
    job.columns = range_in(column, extent(block, 1), n, "the block is out of range");
    if (block.size() > 0 &&
        ((block.shape(1) > 1 && block.stride(1) != 1) || (block.shape(0) > 1 && block.stride(0) != job.columns.size())))
        throw nb::value_error("the block is not contiguous");
    job.words = address(half);
    job.block = address(block);
    return job;
}

// The half into the block; of a square on the diagonal both triangles.
void read_panel(const In& half, const Out& block, std::int64_t n, bool grow, bool diagonal_stored, std::int64_t row,
                std::int64_t column, bool square, bool conjugates, bool negates, int threads) {
    auto job = panel_of(half, In(block), n, grow, diagonal_stored, row, column);
    job.way = square ? Panel::Way::square : Panel::Way::read;
    if (square && (row != column || block.shape(0) != block.shape(1)))
        throw nb::value_error("a square lies on the diagonal");
    if (square && job.real == 0) throw nb::value_error(no_kernel);
    constexpr std::uint8_t sign = 0x80;
    job.mirror[job.item - 1] = negates != (conjugates && is_complex(half)) ? sign : 0;
    if (is_complex(half)) job.mirror[job.item / 2 - 1] = negates ? sign : 0;
    run(threads, [&](Watch& watch) { active_target().panel(job, threads, watch); });
}

// What of the block is stored into the half, or added to it.
void write_panel(const Out& half, const In& block, std::int64_t n, bool grow, bool diagonal_stored, std::int64_t row,
                 std::int64_t column, bool add, int threads) {
    auto job = panel_of(In(half), block, n, grow, diagonal_stored, row, column);
    job.way = add ? Panel::Way::add : Panel::Way::write;
    if (add && job.real == 0) throw nb::value_error(no_kernel);
    run(threads, [&](Watch& watch) { active_target().panel(job, threads, watch); });
}

double reduce(const In& a, const In& b, int threads, double (*Kernels::*kernel)(const Numbers&, int, Watch&)) {
    const int real = real_size(a);
    if (real == 0) throw nb::value_error(no_kernel);
    need_axes(a, 1);
    const auto size = extent(a, 0);
    for (const In* vector : {&a, &b}) need_line(*vector, size, a.dtype(), "the vectors differ, or are not contiguous");
    const Numbers job{.words = address(a), .others = address(b), .count = size * (item_size(a) / real), .real = real};
    double result = 0;
    run(threads, [&](Watch& watch) { result = (active_target().*kernel)(job, threads, watch); });
    return result;
}

double dot(const In& a, const In& b, int threads) { return reduce(a, b, threads, &Kernels::dot); }
double largest(const In& a, int threads) { return reduce(a, a, threads, &Kernels::largest); }

}  // namespace

void bind_product(nb::module_& m) {
    m.def("multiply", &multiply, nb::arg("half").noconvert(), nb::arg("x").noconvert(), nb::arg("y").noconvert(),
          nb::arg("n"), nb::arg("grow"), nb::arg("diagonal_stored"), nb::arg("diagonal"), nb::arg("conjugates"),
          nb::arg("negates"), nb::arg("absolute"), nb::arg("off"), nb::arg("on"), nb::arg("threads"));
    m.def("multiply_tile", &multiply_tile, nb::arg("block").noconvert(), nb::arg("along").noconvert(),
          nb::arg("across").noconvert(), nb::arg("to_rows").noconvert(), nb::arg("to_columns").noconvert(),
          nb::arg("below"));
    m.def("write_outer", &write_outer, nb::arg("half").noconvert(), nb::arg("left").noconvert(),
          nb::arg("right").noconvert(), nb::arg("n"), nb::arg("grow"), nb::arg("threads"));
    m.def("read_panel", &read_panel, nb::arg("half").noconvert(), nb::arg("block").noconvert(), nb::arg("n"),
          nb::arg("grow"), nb::arg("diagonal_stored"), nb::arg("row"), nb::arg("column"), nb::arg("square"),
          nb::arg("conjugates"), nb::arg("negates"), nb::arg("threads"));
    m.def("write_panel", &write_panel, nb::arg("half").noconvert(), nb::arg("block").noconvert(), nb::arg("n"),
          nb::arg("grow"), nb::arg("diagonal_stored"), nb::arg("row"), nb::arg("column"), nb::arg("add"),
          nb::arg("threads"));
    m.def("dot", &dot, nb::arg("a").noconvert(), nb::arg("b").noconvert(), nb::arg("threads"));
    m.def("largest", &largest, nb::arg("a").noconvert(), nb::arg("threads"));
}

}  // namespace vech
