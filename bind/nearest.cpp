// nearest_stride, nearest_half, nearest_block and pair_rows.
#include <algorithm>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Partners = Array<const std::int64_t, nb::ndim<2>>;
using Chosen = Array<const std::int64_t, Line>;
using Results = Array<double, nb::ndim<2>>;

constexpr std::int64_t parts_most = 1 << 20;

void need_rows(const In& array, std::int64_t rows, std::int64_t columns, const char* what) {
    if (array.ndim() != 2 || extent(array, 0) != rows || extent(array, 1) != columns ||
        (array.size() > 0 && ((columns > 1 && array.stride(1) != 1) || (rows > 1 && array.stride(0) != columns))))
        throw nb::value_error(what);
}

Lists lists_of(const Out& values, const Out& indices, const Out& limits, std::int64_t k, bool largest) {
    Lists lists{};
    need_axes(In(values), 2);
    lists.n = side(extent(values, 0));
    lists.k = k;
    lists.real = is_complex(In(values)) ? 0 : real_size(In(values));
    if (lists.real == 0) throw nb::value_error(no_kernel);
    if (k < 1 || k > side_most) throw nb::value_error("lists hold nothing");
    lists.stride = Lists::stride_of(k, lists.real);
    need_rows(In(values), lists.n, lists.stride, "values are not of n lists, or not contiguous");
    need_rows(In(indices), lists.n, lists.stride, "values and indices differ in shape, or are not contiguous");
    if (indices.dtype() != (lists.real == 4 ? nb::dtype<std::int32_t>() : nb::dtype<std::int64_t>()))
        throw nb::value_error("indices are not as wide as values");
    need_line(In(limits), lists.n, values.dtype(), "limits are not one number for each list");
    lists.largest = largest;
    lists.values = address(In(values));
    lists.indices = address(In(indices));
    lists.limits = address(In(limits));
    return lists;
}

std::int64_t stride(std::int64_t k, std::int64_t item) {
    if (k < 1 || k > side_most || (item != 4 && item != 8)) throw nb::value_error(no_kernel);
    return Lists::stride_of(k, static_cast<int>(item));
}

// Fills the lists, with the first part anew, with what a part of a half holds off the diagonal.
void nearest_half(const In& half, std::int64_t n, bool grow, bool diagonal_stored, const Out& values,
                  const Out& indices, const Out& limits, std::int64_t k, bool largest, std::int64_t part,
                  std::int64_t parts, int threads) {
    if (parts < 1 || parts > parts_most || part < 0 || part >= parts) throw nb::value_error("there is no such part");
    NearestHalf job{lists_of(values, indices, limits, k, largest), half_of(n, grow, diagonal_stored), address(half),
                    part, parts};
    if (job.lists.n != n) throw nb::value_error("lists and half differ in their side");
    need_line(half, job.half.length(), values.dtype(), "the half has another shape or dtype than the lists");
    Fault fault{};
    run(threads, [&](Watch& watch) { fault = active_target().nearest_half(job, threads, watch); });
    raise_for(fault, "");
}

// Offers a block from (row, column) on to the lists.
void nearest_block(const In& block, std::int64_t row, std::int64_t column, const Out& values, const Out& indices,
                   const Out& limits, std::int64_t k, bool largest, int threads) {
    NearestBlock job{};
    job.lists = lists_of(values, indices, limits, k, largest);
    if (block.ndim() != 2 || block.dtype() != values.dtype()) throw nb::value_error("the block has another dtype");
    job.rows = range_in(row, extent(block, 0), job.lists.n, "the block is out of range");
    job.columns = range_in(column, extent(block, 1), job.lists.n, "the block is out of range");
    if (block.shape(1) > 1 && block.stride(1) != 1) throw nb::value_error("rows of the block are not contiguous");
    job.stride = block.stride(0);
    job.words = address(block);
    run(threads, [&](Watch& watch) { active_target().nearest_block(job, threads, watch); });
}

// Squared distances, or products, of some rows of X with the partners of each, summed in double.
void pair_rows(const In& x, const Chosen& rows, const Partners& partners, const Results& results, bool products,
               int threads) {
    RowPairs job{};
    job.real = is_complex(x) ? 0 : real_size(x);
    if (job.real == 0) throw nb::value_error(no_kernel);
    if (x.ndim() != 2) throw nb::value_error("X is not two-dimensional");
    const auto n = extent(x, 0);
    job.columns = extent(x, 1);
    need_rows(x, n, job.columns, "X is not contiguous");
    job.count = extent(rows, 0);
    job.k = extent(partners, 1);
    if (extent(partners, 0) != job.count || extent(results, 0) != job.count || extent(results, 1) != job.k)
        throw nb::value_error("rows, partners and results differ in shape");
    const auto outside = [n](std::int64_t row) { return row < 0 || row >= n; };
    if (std::any_of(rows.data(), rows.data() + job.count, outside) ||
        std::any_of(partners.data(), partners.data() + job.count * job.k, outside))
        throw nb::index_error("X has no such row");
    job.x = address(x);
    job.rows = rows.data();
    job.partners = partners.data();
    job.results = results.data();
    job.products = products;
    run(threads, [&](Watch& watch) { active_target().pair_rows(job, threads, watch); });
}

}  // namespace

void bind_nearest(nb::module_& m) {
    m.def("nearest_stride", &stride, nb::arg("k"), nb::arg("item"));
    m.def("nearest_half", &nearest_half, nb::arg("half").noconvert(), nb::arg("n"), nb::arg("grow"),
          nb::arg("diagonal_stored"), nb::arg("values").noconvert(), nb::arg("indices").noconvert(),
          nb::arg("limits").noconvert(), nb::arg("k"), nb::arg("largest"), nb::arg("part"), nb::arg("parts"),
          nb::arg("threads"));
    m.def("nearest_block", &nearest_block, nb::arg("block").noconvert(), nb::arg("row"), nb::arg("column"),
          nb::arg("values").noconvert(), nb::arg("indices").noconvert(), nb::arg("limits").noconvert(), nb::arg("k"),
          nb::arg("largest"), nb::arg("threads"));
    m.def("pair_rows", &pair_rows, nb::arg("x").noconvert(), nb::arg("rows").noconvert(),
          nb::arg("partners").noconvert(), nb::arg("results").noconvert(), nb::arg("products"), nb::arg("threads"));
}

}  // namespace vech
