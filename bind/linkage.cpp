// link and span.
#include <nanobind/stl/string.h>

#include <array>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Links = Array<double, nb::shape<-1, 4>>;

Linkage::Method method_of(const std::string& name) {
    using enum Linkage::Method;
    constexpr std::array names{"single", "complete", "average", "weighted", "ward", "centroid", "median"};
    constexpr std::array methods{single, complete, average, weighted, ward, centroid, median};
    for (std::size_t k = 0; k < names.size(); ++k)
        if (name == names[k]) return methods[k];
    throw nb::value_error("no such method");
}

// Who wants to know how far a thread's clustering is.
struct Told {
    PyObject* progress;  // a function of (done, total), or None
    const Linkage* job;
};
thread_local const Told* told = nullptr;

bool tells() noexcept {
    nb::gil_scoped_acquire held;
    if (PyErr_CheckSignals() != 0) return true;
    if (told->progress == Py_None) return false;
    const long long done = told->job->found, total = told->job->half.n - 1;
    PyObject* said = PyObject_CallFunction(told->progress, "LL", done, total);
    Py_XDECREF(said);
    return said == nullptr;
}

void linked(Linkage& job, const In& half, const Links& links, const nb::object& progress) {
    job.real = real_size(half);
    if (job.real == 0 || is_complex(half)) throw nb::value_error(no_kernel);
    need_line(half, job.half.length(), "the half has another shape than its layout");
    if (job.half.n < 1 || extent(links, 0) != job.half.n - 1) throw nb::value_error("there is a link less than leaves");
    job.words = address(half);
    static_assert(sizeof(Link) == 4 * sizeof(double));
    job.links = reinterpret_cast<Link*>(links.data());

    const Told mine{progress.ptr(), &job};
    const auto* const before = std::exchange(told, &mine);
    const auto after = [before](void*) { told = before; };
    const std::unique_ptr<void, decltype(after)> restored(&job, after);
    bool ordered = true;
    run(
        1,
        [&](Watch& watch) {
            active_target().link(job, watch);
            const bool is_done = job.fault == Linkage::Fault::none && job.found == job.half.n - 1;
            if (is_done && !Linkage::has_heap(job.method)) ordered = in_order(job.links, job.found);
        },
        tells);
    if (job.fault == Linkage::Fault::out_of_memory || !ordered) throw std::bad_alloc();
    if (job.fault == Linkage::Fault::lost) throw nb::value_error("the distances are not finite");
}

// Any half, which is read.
void span(const In& half, std::int64_t n, bool grow, bool diagonal_stored, const Links& links,
          const nb::object& progress) {
    Linkage job{};
    job.half = half_of(n, grow, diagonal_stored);
    job.method = Linkage::Method::single;
    linked(job, half, links, progress);
}

// A strict half in the order that the method wants, which is used up.
void link(const Out& half, std::int64_t n, const std::string& method, const Links& links, const nb::object& progress) {
    Linkage job{};
    job.method = method_of(method);
    job.half = half_of(n, !Linkage::has_heap(job.method), false);
    linked(job, In(half), links, progress);
}

}  // namespace

void bind_linkage(nb::module_& m) {
    m.def("span", &span, nb::arg("half").noconvert(), nb::arg("n"), nb::arg("grow"), nb::arg("diagonal_stored"),
          nb::arg("links").noconvert(), nb::arg("progress").none());
    m.def("link", &link, nb::arg("half").noconvert(), nb::arg("n"), nb::arg("method"), nb::arg("links").noconvert(),
          nb::arg("progress").none());
}

}  // namespace vech
