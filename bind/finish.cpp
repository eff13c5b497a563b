// finish and add_differences.
#include <algorithm>
#include <cstdlib>
#include <new>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Block = nb::ndarray<nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Points = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Pairs = Array<const std::int64_t, Line>;
using Sums = Array<double, Line>;

// The places in the block of which the products give no distance.
nb::object finish(const Block& block, const In& left, const In& right, double times, double least, double most,
                  bool root, double scale) {
    Finish job{};
    job.real = real_size(In(block));
    if (job.real == 0 || is_complex(In(block))) throw nb::value_error(no_kernel);
    job.rows = extent(block, 0);
    job.columns = extent(block, 1);
    need_line(left, job.rows, block.dtype(), "left has another length or dtype than the block has rows");
    need_line(right, job.columns, block.dtype(), "right has another length or dtype than the block has columns");
    job.block = address(In(block));
    job.left = address(left);
    job.right = address(right);
    job.times = times;
    job.least = least;
    job.most = most;
    job.root = root;
    job.scale = scale;
    const auto bytes = static_cast<std::size_t>(job.rows * job.columns) * sizeof(std::int64_t);
    job.doubtful = static_cast<std::int64_t*>(std::malloc(std::max<std::size_t>(bytes, 1)));
    if (job.doubtful == nullptr) throw std::bad_alloc();
    std::int64_t found = 0;
    try {
        run(1, [&](Watch& watch) { found = active_target().finish(job, watch); });
    } catch (...) {
        std::free(job.doubtful);
        throw;
    }
    return owned(job.doubtful, found, nb::dtype<std::int64_t>());
}

void add_differences(const Sums& sums, const Pairs& pairs, const Points& left, const Points& right, double scale) {
    Differences job{};
    job.real = real_size(In(left));
    if (job.real == 0 || is_complex(In(left)) || left.dtype() != right.dtype()) throw nb::value_error(no_kernel);
    job.length = extent(left, 1);
    job.columns = extent(right, 0);
    job.count = extent(pairs, 0);
    if (extent(right, 1) != job.length || extent(sums, 0) != job.count)
        throw nb::value_error("left and right, or pairs and sums, differ in length");
    const auto end = extent(left, 0) * job.columns;
    for (std::int64_t k = 0; k < job.count; ++k)
        if (pairs.data()[k] < 0 || pairs.data()[k] >= end) throw nb::index_error("a pair is out of range");
    job.left = address(In(left));
    job.right = address(In(right));
    job.scale = scale;
    job.pairs = pairs.data();
    job.sums = sums.data();
    run(1, [&](Watch& watch) { active_target().add_differences(job, watch); });
}

}  // namespace

void bind_finish(nb::module_& m) {
    m.def("finish", &finish, nb::arg("block").noconvert(), nb::arg("left").noconvert(), nb::arg("right").noconvert(),
          nb::arg("times"), nb::arg("least"), nb::arg("most"), nb::arg("root"), nb::arg("scale"));
    m.def("add_differences", &add_differences, nb::arg("sums").noconvert(), nb::arg("pairs").noconvert(),
          nb::arg("left").noconvert(), nb::arg("right").noconvert(), nb::arg("scale"));
}

}  // namespace vech
