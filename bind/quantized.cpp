// QuantizedHalf; quantize_block, dequantize_block, multiply_quantized and the list of encodings.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <limits>
#include <memory>
#include <tuple>

#include "bind/arrays.hpp"

namespace vech {
namespace {

const Encoding& encoding_of(const std::string& name) {
    for (const auto& encoding : encodings)
        if (name == encoding.name) return encoding;
    throw nb::value_error("no such encoding");
}

using Said = std::tuple<std::string, int, double, std::optional<std::vector<double>>>;
std::vector<Said> list_of_encodings() {
    std::vector<Said> said;
    for (const auto& encoding : encodings) {
        std::optional<std::vector<double>> levels;
        if (encoding.family == Encoding::Family::table && encoding.levels[0] != encoding.levels[15])
            levels.emplace(encoding.levels.begin(), encoding.levels.end());
        said.emplace_back(encoding.name, encoding.bits, encoding.most, levels);
    }
    return said;
}

In array_of(const nb::object& given, const char* what) {
    In array;
    if (!nb::try_cast(given, array, false)) throw nb::type_error(what);
    return array;
}

// The arrays stay those of Python.
struct BoundQuantized {
    nb::object codes, scales, zeros;  // written by quantize_block
    In held[4];                       // codes, scales, sides, diagonal
    std::optional<In> held_zeros;
    Quantized half;

    void need_writable() const {
        for (const auto* array : {&codes, &scales, &zeros})
            if (!array->is_none() && !nb::cast<bool>(array->attr("flags").attr("writeable")))
                throw nb::value_error("codes and scales are read-only");
    }
};

void make(BoundQuantized* to, std::int64_t n, std::int64_t tile, const std::string& encoding, const nb::object& codes,
          const nb::object& scales, const nb::object& zeros, const Fill& sides,
          const std::optional<std::vector<double>>& levels, const In& diagonal, double mirror) {
    auto bound = std::make_unique<BoundQuantized>();
    auto& half = bound->half;
    half.encoding = &encoding_of(encoding);
    half.n = side(n);
    if (tile != 32 && tile != 64 && tile != 128 && tile != 256) throw nb::value_error("no such tile");
    half.tile = tile;
    if (mirror != 1 && mirror != -1) throw nb::value_error("mirror is 1 or -1");
    half.mirror = mirror;
    half.levels = half.encoding->levels;
    if (levels) {
        if (levels->size() != half.levels.size()) throw nb::value_error("there are 16 levels");
        for (const double level : *levels)
            if (!(std::fabs(level) <= std::numeric_limits<float>::max())) throw nb::value_error("levels are finite");
        std::copy(levels->begin(), levels->end(), half.levels.begin());
    }
    for (std::size_t k = 0; k + 1 < half.levels.size(); ++k)
        half.between[k] = (half.levels[k] + half.levels[k + 1]) / 2;
    bound->codes = codes;
    bound->scales = scales;
    bound->zeros = zeros;
    bound->held[0] = array_of(codes, "codes are an array of bytes");
    bound->held[1] = array_of(scales, "scales are an array");
    bound->held[3] = diagonal;
    half.real = is_complex(diagonal) ? 0 : real_size(diagonal);
    if (half.real == 0) throw nb::value_error(no_kernel);
    if (!is_of(bound->held[0], nb::dlpack::dtype_code::UInt) || item_size(bound->held[0]) != 1)
        throw nb::value_error("codes are bytes");
    need_line(bound->held[0], half.code_bytes(), "there are not as many codes as tiles have");
    need_line(bound->held[1], half.tiles(), diagonal.dtype(), "there is one scale for each tile, of the dtype");
    need_line(diagonal, half.n, "the diagonal has n numbers");
    half.codes = address(bound->held[0]);
    half.scales = address(bound->held[1]);
    half.diagonal = address(diagonal);
    half.zeros = nullptr;
    half.sides = nullptr;
    if (!zeros.is_none()) {
        bound->held_zeros = array_of(zeros, "zeros are an array");
        need_line(*bound->held_zeros, half.tiles(), diagonal.dtype(), "there is one zero for each tile, of the dtype");
        half.zeros = address(*bound->held_zeros);
    }
    if ((half.zeros != nullptr) != (half.encoding->family == Encoding::Family::affine))
        throw nb::value_error("affine encodings have zeros, and no other");
    if (sides) {
        bound->held[2] = *sides;
        need_line(*sides, half.n, diagonal.dtype(), "there is one side for each row, of the dtype");
        half.sides = address(*sides);
    }
    new (to) BoundQuantized(std::move(*bound));
}

// Rows and columns that a block has from (row, column) on.
std::pair<Range, Range> ranges(const In& block, const Quantized& half, std::int64_t row, std::int64_t column) {
    if (block.ndim() != 2 || is_complex(block) || real_size(block) != half.real ||
        (block.shape(1) > 1 && block.stride(1) != 1))
        throw nb::value_error("a block has contiguous rows, and the dtype of the store");
    return {range_in(row, extent(block, 0), half.n, "the block is out of range"),
            range_in(column, extent(block, 1), half.n, "the block is out of range")};
}

using Quantities = std::tuple<double, int, std::int64_t, std::int64_t>;

Quantities quantized(const BoundQuantized& bound, Quantize& job, int given, std::int64_t seed,
                     const Array<double, Line>& tiles, const Array<double, Line>& sums) {
    bound.need_writable();
    const auto whole = [&](const Range& range) {
        return range.begin % job.half.tile == 0 && (range.end % job.half.tile == 0 || range.end == job.half.n);
    };
    if (!whole(job.rows) || !whole(job.columns)) throw nb::value_error("a block is one of whole tiles");
    if (given < 0 || given > 2) throw nb::value_error("scales are computed, given or clipping");
    if (extent(tiles, 0) != job.half.tiles() || extent(sums, 0) != job.half.n)
        throw nb::value_error("there is a square for each tile, and a sum for each row");
    job.scales = static_cast<Quantize::Scales>(given);
    job.seed = seed;
    job.tiles = tiles.data();
    job.sums = sums.data();
    QuantizeResult result;
    Fault fault = Fault::none;
    run(1, [&](Watch& watch) { fault = active_target().quantize(job, watch, result); });
    raise_for(fault, "");
    return {result.largest, static_cast<int>(result.fault), result.row, result.column};
}

Quantities quantize_block(const BoundQuantized& bound, const In& block, std::int64_t row, std::int64_t column,
                          int given, std::int64_t seed, const Array<double, Line>& tiles,
                          const Array<double, Line>& sums) {
    Quantize job{};
    job.half = bound.half;
    std::tie(job.rows, job.columns) = ranges(block, job.half, row, column);
    const auto stride = block.shape(0) > 1 ? stride_bytes(block, 0) : 0;
    job.source = Rows::full(address(block) - row * stride - column * job.half.real, stride, job.half.real);
    return quantized(bound, job, given, seed, tiles, sums);
}

// The same out of a half, whose runs are the rows of its lower triangle, or its columns.
Quantities quantize_half(const BoundQuantized& bound, const In& half, bool grow, bool diagonal_stored,
                         const std::pair<std::int64_t, std::int64_t>& rows,
                         const std::pair<std::int64_t, std::int64_t>& columns, int given, std::int64_t seed,
                         const Array<double, Line>& tiles, const Array<double, Line>& sums) {
    Quantize job{};
    job.half = bound.half;
    const auto order = half_of(job.half.n, grow, diagonal_stored);
    if (is_complex(half) || real_size(half) != job.half.real) throw nb::value_error("the half has another dtype");
    need_line(half, order.length(), "the half has another shape than its layout");
    const auto range = [&](const std::pair<std::int64_t, std::int64_t>& given_range) {
        const auto [begin, end] = given_range;
        if (begin < 0 || end < begin) throw nb::index_error("the rows are out of range");
        return range_in(begin, end - begin, job.half.n, "the rows are out of range");
    };
    job.rows = range(rows);
    job.columns = range(columns);
    job.turned = !grow;
    job.source = Rows::packed(address(half), job.half.real, order);
    return quantized(bound, job, given, seed, tiles, sums);
}

void dequantize_block(const BoundQuantized& bound, const Out& out, std::int64_t row, std::int64_t column, bool full,
                      int threads) {
    Dequantize job{};
    job.half = bound.half;
    std::tie(job.rows, job.columns) = ranges(In(out), job.half, row, column);
    job.out = address(In(out));
    job.stride = out.shape(0) > 1 ? stride_bytes(In(out), 0) : 0;
    job.full = full;
    Fault fault = Fault::none;
    run(threads, [&](Watch& watch) { fault = active_target().dequantize(job, threads, watch); });
    raise_for(fault, "");
}

void product(const BoundQuantized& bound, const In& x, const Out& y, double straight, double mirrored, int threads,
             Fault (*Kernels::*kernel)(const QuantizedProduct&, int, Watch&)) {
    QuantizedProduct job{};
    job.half = bound.half;
    const auto fits = [&](const In& array) {
        return !is_complex(array) && real_size(array) == job.half.real && (array.ndim() == 1 || array.ndim() == 2) &&
               extent(array, 0) == job.half.n &&
               (array.ndim() == 1 ? array.size() < 2 || array.stride(0) == 1
                                  : (array.shape(1) < 2 || array.stride(1) == 1) &&
                                        (array.shape(0) < 2 || array.stride(0) == extent(array, 1)));
    };
    if (!fits(x) || !fits(In(y)) || x.ndim() != y.ndim() || x.size() != y.size())
        throw nb::value_error("x and y have a row for each of the store, contiguous and of its dtype");
    job.columns = x.ndim() == 2 ? extent(x, 1) : 1;
    job.x = address(x);
    job.y = address(In(y));
    job.straight = straight;
    job.mirrored = mirrored;
    if (x.size() == 0) return;
    Fault fault = Fault::none;
    run(threads, [&](Watch& watch) { fault = (active_target().*kernel)(job, threads, watch); });
    raise_for(fault, "");
}

void multiply_quantized(const BoundQuantized& bound, const In& x, const Out& y, double straight, double mirrored,
                        int threads) {
    product(bound, x, y, straight, mirrored, threads, &Kernels::multiply_quantized);
}
void multiply_quantized_coarse(const BoundQuantized& bound, const In& x, const Out& y, double straight, double mirrored,
                               int threads) {
    product(bound, x, y, straight, mirrored, threads, &Kernels::multiply_coarse);
}

}  // namespace

void bind_quantized(nb::module_& m) {
    m.def("encodings", &list_of_encodings,
          "Of each encoding its name, bits, largest level (0: not scaled), and levels.");
    nb::class_<BoundQuantized>(m, "QuantizedHalf", "A half as codes of tiles; it holds the arrays it is given.")
        .def("__init__", &make, nb::arg("n"), nb::arg("tile"), nb::arg("encoding"), nb::arg("codes"), nb::arg("scales"),
             nb::arg("zeros").none(), nb::arg("sides").noconvert().none(), nb::arg("levels").none(),
             nb::arg("diagonal").noconvert(), nb::arg("mirror"));
    m.def("quantize_block", &quantize_block, nb::arg("half"), nb::arg("block").noconvert(), nb::arg("row"),
          nb::arg("column"), nb::arg("given"), nb::arg("seed"), nb::arg("tiles").noconvert(),
          nb::arg("sums").noconvert());
    m.def("quantize_half", &quantize_half, nb::arg("half"), nb::arg("numbers").noconvert(), nb::arg("grow"),
          nb::arg("diagonal_stored"), nb::arg("rows"), nb::arg("columns"), nb::arg("given"), nb::arg("seed"),
          nb::arg("tiles").noconvert(), nb::arg("sums").noconvert());
    m.def("dequantize_block", &dequantize_block, nb::arg("half"), nb::arg("out").noconvert(), nb::arg("row"),
          nb::arg("column"), nb::arg("full"), nb::arg("threads"));
    m.def("multiply_quantized", &multiply_quantized, nb::arg("half"), nb::arg("x").noconvert(),
          nb::arg("y").noconvert(), nb::arg("straight"), nb::arg("mirrored"), nb::arg("threads"));
    m.def("multiply_quantized_coarse", &multiply_quantized_coarse, nb::arg("half"), nb::arg("x").noconvert(),
          nb::arg("y").noconvert(), nb::arg("straight"), nb::arg("mirrored"), nb::arg("threads"));
}

}  // namespace vech
