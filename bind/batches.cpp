// solve_small, by what comes of it: halves, eigenvalues, determinants, solutions.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Halves = nb::ndarray<nb::ro, nb::ndim<2>, nb::device::cpu>;
using Places = Array<const std::int32_t, Line>;
using Answers = nb::ndarray<nb::c_contig, nb::device::cpu>;
using First = std::optional<std::tuple<std::int64_t, std::string, int>>;
using Scales = std::pair<double, double>;  // on the diagonal, and off it

#define VECH_TEXT(name) #name,
constexpr const char* tasks[] = {VECH_SMALL_TASKS(VECH_TEXT)};
constexpr const char* troubles[] = {"not finite", "not definite", "singular", "beyond"};
#undef VECH_TEXT

// Of each cell of a triangle, from `least` on and below `numbers`.
const std::int32_t* places_in(const Places& places, int cells, std::int64_t numbers, std::int32_t least) {
    if (extent(places, 0) != cells) throw nb::value_error("n and places do not fit");
    for (std::size_t k = 0; k < places.size(); ++k)
        if (places.data()[k] < least || places.data()[k] >= numbers) throw nb::index_error("a place is out of range");
    return places.data();
}

std::byte* answers(const Answers& array, const In& like, std::initializer_list<std::int64_t> shape) {
    bool fits = array.ndim() == shape.size() && array.dtype() == like.dtype();
    std::size_t axis = 0;
    for (const auto size : shape) fits = fits && extent(array, axis++) == size;
    if (!fits) throw nb::value_error("an array for answers has another shape or dtype than these");
    return address(In(array));
}

SmallMatrices matrices(SmallMatrices::Task task, const Halves& halves, std::int64_t n, const Places& places,
                       const Scales& scales, double implied) {
    SmallMatrices job{};
    const In numbers(halves);
    job.task = task;
    job.real = is_complex(numbers) ? 0 : real_size(numbers);
    if (job.real == 0) throw nb::value_error(no_kernel);
    if (n < 1 || n > SmallMatrices::largest_side) throw nb::value_error("n is 1 to 16");
    job.n = static_cast<int>(n);
    const auto stored = extent(halves, 1);
    if (stored != job.numbers() && stored != job.numbers() - n) throw nb::value_error("halves and n do not fit");
    job.count = extent(halves, 0);
    job.halves = address(numbers);
    job.stride = stride_bytes(numbers, 0);
    job.step = stride_bytes(numbers, 1);
    job.stored = static_cast<int>(stored);
    job.places = places_in(places, job.numbers(), stored, -1);
    for (const auto scale : {scales.first, scales.second})
        if (!(scale > 0 && std::isfinite(scale))) throw nb::value_error("a scale is not positive and finite");
    job.on = scales.first;
    job.off = scales.second;
    job.implied = implied;
    return job;
}

// The first matrix without an answer, why, and the order of the minor that is not positive; or none.
First solved(const SmallMatrices& job, int threads) {
    FirstTrouble first;
    run(threads, [&](Watch& watch) { first = active_target().solve_small(job, threads, watch); });
    if (first.matrix < 0) return std::nullopt;
    return First({first.matrix, troubles[static_cast<int>(first.trouble)], first.minor});
}

First small_halves(const std::string& task, const Halves& halves, std::int64_t n, const Places& places,
                   const Answers& out, const Places& order, const Scales& scales, double implied, double exponent,
                   double tolerance, int threads) {
    int found = 0;
    while (found <= static_cast<int>(SmallMatrices::last_of_halves) && task != tasks[found]) ++found;
    if (found > static_cast<int>(SmallMatrices::last_of_halves)) throw nb::value_error("there is no kernel of this");
    auto job = matrices(static_cast<SmallMatrices::Task>(found), halves, n, places, scales, implied);
    job.results = answers(out, In(halves), {job.count, job.numbers()});
    job.order = places_in(order, job.numbers(), job.numbers(), 0);
    job.exponent = exponent;
    job.tolerance = tolerance;
    return solved(job, threads);
}

First small_eigh(const Halves& halves, std::int64_t n, const Places& places, const Answers& values,
                 const std::optional<Answers>& vectors, const Scales& scales, double implied, int threads) {
    auto job = matrices(SmallMatrices::Task::eigh, halves, n, places, scales, implied);
    job.results = answers(values, In(halves), {job.count, n});
    if (vectors) job.vectors = answers(*vectors, In(halves), {job.count, n, n});
    return solved(job, threads);
}

First small_slogdet(const Halves& halves, std::int64_t n, const Places& places, const Answers& signs,
                    const Answers& logarithms, const Scales& scales, double implied, int threads) {
    auto job = matrices(SmallMatrices::Task::slogdet, halves, n, places, scales, implied);
    job.results = answers(signs, In(halves), {job.count});
    job.vectors = answers(logarithms, In(halves), {job.count});
    return solved(job, threads);
}

First small_solve(const Halves& halves, std::int64_t n, const Places& places,
                  const nb::ndarray<nb::ro, nb::ndim<3>, nb::c_contig, nb::device::cpu>& b, const Answers& x,
                  const Scales& scales, double implied, int threads) {
    auto job = matrices(SmallMatrices::Task::solve, halves, n, places, scales, implied);
    job.columns = extent(b, 2);
    if (extent(b, 0) != job.count || extent(b, 1) != n || b.dtype() != halves.dtype())
        throw nb::value_error("b does not fit");
    job.right = address(In(b));
    job.results = answers(x, In(halves), {job.count, n, job.columns});
    return solved(job, threads);
}

}  // namespace

void bind_batches(nb::module_& m) {
    m.def("small_halves", &small_halves, nb::arg("task"), nb::arg("halves").noconvert(), nb::arg("n"),
          nb::arg("places").noconvert(), nb::arg("out").noconvert(), nb::arg("order").noconvert(), nb::arg("scales"),
          nb::arg("implied"), nb::arg("exponent"), nb::arg("tolerance"), nb::arg("threads"));
    m.def("small_eigh", &small_eigh, nb::arg("halves").noconvert(), nb::arg("n"), nb::arg("places").noconvert(),
          nb::arg("values").noconvert(), nb::arg("vectors").noconvert().none(), nb::arg("scales"), nb::arg("implied"),
          nb::arg("threads"));
    m.def("small_slogdet", &small_slogdet, nb::arg("halves").noconvert(), nb::arg("n"), nb::arg("places").noconvert(),
          nb::arg("signs").noconvert(), nb::arg("logarithms").noconvert(), nb::arg("scales"), nb::arg("implied"),
          nb::arg("threads"));
    m.def("small_solve", &small_solve, nb::arg("halves").noconvert(), nb::arg("n"), nb::arg("places").noconvert(),
          nb::arg("b").noconvert(), nb::arg("x").noconvert(), nb::arg("scales"), nb::arg("implied"),
          nb::arg("threads"));
}

}  // namespace vech
