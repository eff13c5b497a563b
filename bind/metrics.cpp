// distances and dissimilarities.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <tuple>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Points = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using BitRows = Array<const std::uint64_t, nb::ndim<2>>;
using Square = nb::ndarray<nb::c_contig, nb::device::cpu>;
using Where = std::tuple<std::int64_t, bool, bool, std::int64_t, std::int64_t>;  // n, grow, diagonal; row, column
using Weights = std::optional<Array<const double, Line>>;

#define VECH_TEXT(name) #name,
constexpr const char* metrics[] = {VECH_METRICS(VECH_TEXT)};
constexpr const char* formulas[] = {VECH_FORMULAS(VECH_TEXT)};
#undef VECH_TEXT
constexpr auto real_metrics = std::size(metrics) - std::size(formulas);

// The formulas come last, and they alone are those of bits.
Metric metric_of(const std::string& wanted, std::size_t first) {
    for (auto k = first; k < std::size(metrics); ++k)
        if (wanted == metrics[k]) return static_cast<Metric>(k);
    throw nb::value_error("there is no kernel of this metric");
}

// A block of two axes; or a half of one, of n rows.
Place place_of(const Square& out, const Where& where, std::int64_t rows, std::int64_t columns) {
    const In numbers(out);
    Place place{};
    place.numbers = address(numbers);
    place.real = is_complex(numbers) ? 0 : real_size(numbers);
    if (place.real == 0) throw nb::value_error(no_kernel);
    const auto [n, grow, diagonal, row, column] = where;
    place.row = row;
    place.column = column;
    if (out.ndim() == 2) {
        if (extent(out, 0) != rows || extent(out, 1) != columns)
            throw nb::value_error("out has another shape than rows of x by rows of y");
        return place;
    }
    place.half = half_of(n, grow, diagonal);
    need_line(numbers, place.half.length(), "out is not a half of so many rows");
    range_in(row, rows, n, "rows are out of range");
    range_in(column, columns, n, "columns are out of range");
    return place;
}

// The places in the block of the pairs that want another way; of most metrics None.
nb::object distances(const std::string& metric, const Points& x, const Points& y, const Square& out, const Where& where,
                     const Weights& weights, const Weights& counts, double p, double factor, bool missing,
                     int threads) {
    Distances job{};
    job.metric = metric_of(metric, 0);
    const In left(x), right(y);
    job.real = is_complex(left) ? 0 : real_size(left);
    if (job.real == 0 || left.dtype() != right.dtype()) throw nb::value_error(no_kernel);
    job.rows = extent(x, 0);
    job.columns = extent(y, 0);
    job.features = extent(x, 1);
    if (extent(y, 1) != job.features) throw nb::value_error("x and y differ in columns");
    for (const auto* numbers : {&weights, &counts})
        if (*numbers && extent(**numbers, 0) != job.features)
            throw nb::value_error("a weight for each column is needed");
    job.place = place_of(out, where, job.rows, job.columns);
    job.x = address(left);
    job.y = address(right);
    job.weights = weights ? weights->data() : nullptr;
    job.counts = counts ? counts->data() : nullptr;
    job.p = p;
    job.factor = factor;
    job.missing = missing;
    std::int64_t found = 0;
    job.found = &found;
    const bool tells = job.metric == Metric::whitened;
    if (tells && job.features == 0)
        throw nb::value_error("whitened rows have a last column, of what their sums must reach");
    std::unique_ptr<std::int64_t, void (*)(void*)> doubtful(nullptr, std::free);
    if (tells) {
        const auto room = static_cast<std::size_t>(std::max<std::int64_t>(job.rows * job.columns, 1));
        doubtful.reset(static_cast<std::int64_t*>(std::malloc(room * sizeof(std::int64_t))));
        if (!doubtful) throw std::bad_alloc();
        job.doubtful = doubtful.get();
    }
    Fault fault = Fault::none;
    run(threads, [&](Watch& watch) { fault = active_target().distances(job, threads, watch); });
    raise_for(fault, "");
    if (!tells) return nb::none();
    return owned(doubtful.release(), found, nb::dtype<std::int64_t>());
}

void dissimilarities(const std::string& metric, const BitRows& x, const BitRows& y, std::int64_t features,
                     const Square& out, const Where& where, int threads) {
    Dissimilarities job{};
    job.metric = metric_of(metric, real_metrics);
    job.rows = extent(x, 0);
    job.columns = extent(y, 0);
    job.words = extent(x, 1);
    job.features = features;
    if (extent(y, 1) != job.words || features < 0 || features > 64 * job.words)
        throw nb::value_error("x and y differ in words, or have fewer bits than features");
    job.place = place_of(out, where, job.rows, job.columns);
    job.x = x.data();
    job.y = y.data();
    Fault fault = Fault::none;
    run(threads, [&](Watch& watch) { fault = active_target().dissimilarities(job, threads, watch); });
    raise_for(fault, "");
}

}  // namespace

void bind_metrics(nb::module_& m) {
    m.def("distances", &distances, nb::arg("metric"), nb::arg("x").noconvert(), nb::arg("y").noconvert(),
          nb::arg("out").noconvert(), nb::arg("where"), nb::arg("weights").noconvert().none(),
          nb::arg("counts").noconvert().none(), nb::arg("p"), nb::arg("factor"), nb::arg("missing"),
          nb::arg("threads"));
    m.def("dissimilarities", &dissimilarities, nb::arg("metric"), nb::arg("x").noconvert(), nb::arg("y").noconvert(),
          nb::arg("features"), nb::arg("out").noconvert(), nb::arg("where"), nb::arg("threads"));
}

}  // namespace vech
