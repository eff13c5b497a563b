// sum_columns, encode and count.
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <vector>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Bits = Array<std::uint64_t, nb::ndim<4>>;
using ReadBits = Array<const std::uint64_t, nb::ndim<4>>;
using Stored = Array<std::int64_t, nb::ndim<2>>;
using PanelSums = Array<double, nb::ndim<2>>;
using Reals = Array<const double, Line>;

std::int64_t blocks_of(std::int64_t n) { return (side(n) + Codes::columns - 1) / Codes::columns; }

template <class Bits>
Codes codes_of(const Bits& bits, std::int64_t n) {
    const auto planes = static_cast<std::int64_t>(bits.shape(2));
    if (static_cast<std::int64_t>(bits.shape(0)) != blocks_of(n) || bits.shape(3) != Codes::columns ||
        (planes != Codes::valid && planes != Codes::valid + 1))
        throw nb::value_error("the codes have another shape");
    return {const_cast<std::uint64_t*>(bits.data()), static_cast<std::int64_t>(bits.shape(1)), planes};
}

int floating_size(const In& array) {
    const int bytes = is_complex(array) ? 0 : real_size(array);
    if (bytes == 0) throw nb::value_error("only float32 and float64 have a kernel");
    return bytes;
}

void sum_columns(const In& x, const Reals& shift, const std::optional<Reals>& weights, std::int64_t height,
                 const PanelSums& sums, const PanelSums& squares, int threads) {
    if (x.ndim() != 2 || height < 1) throw nb::value_error("x has another shape");
    Spread job{};
    job.real = floating_size(x);
    job.samples = extent(x, 0);
    job.n = side(extent(x, 1));
    job.height = std::min(height, std::max<std::int64_t>(job.samples, 1));
    const auto groups = (job.samples + job.height - 1) / job.height;
    for (const auto* made : {&sums, &squares})
        if (static_cast<std::int64_t>(made->shape(0)) != groups || static_cast<std::int64_t>(made->shape(1)) != job.n)
            throw nb::value_error("the sums have another shape");
    if (static_cast<std::int64_t>(shift.shape(0)) != job.n) throw nb::value_error("not one number for each column");
    if (weights && static_cast<std::int64_t>(weights->shape(0)) != job.samples)
        throw nb::value_error("not one weight for each row");
    job.x = address(x);
    job.row = stride_bytes(x, 0);
    job.column = stride_bytes(x, 1);
    job.shift = shift.data();
    job.weights = weights ? weights->data() : nullptr;
    job.sums = sums.data();
    job.squares = squares.data();
    run(threads, [&](Watch& watch) { active_target().sum_columns(job, threads, watch); });
}

void encode(const In& x, const In& low, const In& high, const Bits& bits, int threads) {
    if (x.ndim() != 2) throw nb::value_error("x has another shape");
    Coding job{};
    job.real = floating_size(x);
    job.samples = extent(x, 0);
    job.n = extent(x, 1);
    job.codes = codes_of(bits, job.n);
    need_line(low, job.n, x.dtype(), "low has another shape or dtype than a row of x");
    need_line(high, job.n, x.dtype(), "high has another shape or dtype than a row of x");
    if (job.codes.words != (job.samples + Codes::times - 1) / Codes::times)
        throw nb::value_error("the codes are of another number of times");
    job.x = address(x);
    job.low = address(low);
    job.high = address(high);
    job.row = stride_bytes(x, 0);
    job.column = stride_bytes(x, 1);
    job.block = Codes::columns * job.column;
    run(threads, [&](Watch& watch) { active_target().encode(job, threads, watch); });
}

void encode_pairs(const In& x, std::int64_t n, std::int64_t first, const Bits& bits, int threads) {
    Coding job{};
    job.real = floating_size(x);
    job.n = n;
    job.codes = codes_of(bits, n);
    const auto line = Codes::columns * static_cast<std::int64_t>(item_size(x));
    if (x.ndim() != 3 || extent(x, 1) > side_most || extent(x, 0) != blocks_of(n) || x.shape(2) != Codes::columns ||
        (x.size() > 0 && (stride_bytes(x, 1) != line || x.stride(2) != 1)))
        throw nb::value_error("x is not in blocks of 8 columns");
    job.samples = extent(x, 1);
    job.pairs = true;
    job.first = first;
    if (first < 0 || (job.codes.words - 1) * Codes::times >= job.count())
        throw nb::index_error("the pairs are out of range");
    job.x = address(x);
    job.block = stride_bytes(x, 0);
    run(threads, [&](Watch& watch) { active_target().encode(job, threads, watch); });
}

Agreement::Terms terms(const std::vector<double>& given) {
    Agreement::Terms found;
    if (given.size() != found.size()) throw nb::value_error("a ratio has four terms above and four below");
    std::copy(given.begin(), given.end(), found.begin());
    return found;
}

void count(const std::optional<ReadBits>& bits, std::int64_t n, bool grow, std::int64_t begin, std::int64_t end,
           const std::optional<Stored>& counts, int sign, const std::optional<Out>& values, const Reals& active,
           const Reals& scale, double times, double empty, const std::vector<double>& up,
           const std::vector<double>& down, bool root, bool pairwise, int threads) {
    Agreement job{};
    job.half = half_of(n, grow, true);
    job.rows = {begin, end};
    if (begin < 0 || begin % Codes::columns != 0 || end < begin || end > n) throw nb::index_error("no such runs");
    if (!bits && !counts) throw nb::value_error("there is nothing to count");
    job.pairwise = pairwise;
    if (bits) job.codes = codes_of(*bits, n);
    if (bits && pairwise && job.codes.planes <= Codes::valid)
        throw nb::value_error("pairwise counts need the plane of what is valid");
    if (counts) {
        const auto start = job.half.origin(begin) + job.half.first(begin);
        job.pitch = begin == end ? 0 : job.half.origin(end - 1) + job.half.last(end - 1) - start;
        if (static_cast<std::int64_t>(counts->shape(0)) != job.kinds() ||
            static_cast<std::int64_t>(counts->shape(1)) != job.pitch)
            throw nb::value_error("the stored counts are of other runs");
        job.stored = counts->data();
    }
    job.sign = sign;
    for (const auto* numbers : {&active, &scale})
        if (static_cast<std::int64_t>(numbers->shape(0)) != n) throw nb::value_error("not one number for each column");
    if (values) {
        const In half(*values);
        job.real = floating_size(half);
        need_line(half, job.half.length(), "the half has another shape");
        job.values = address(half);
    }
    job.active = active.data();
    job.scale = scale.data();
    job.times = times;
    job.empty = empty;
    job.up = terms(up);
    job.down = terms(down);
    job.root = root;
    run(threads, [&](Watch& watch) { active_target().count(job, threads, watch); });
}

}  // namespace

void bind_codes(nb::module_& m) {
    m.def("sum_columns", &sum_columns, nb::arg("x").noconvert(), nb::arg("shift").noconvert(),
          nb::arg("weights").noconvert().none(), nb::arg("height"), nb::arg("sums").noconvert(),
          nb::arg("squares").noconvert(), nb::arg("threads"));
    m.def("encode", &encode, nb::arg("x").noconvert(), nb::arg("low").noconvert(), nb::arg("high").noconvert(),
          nb::arg("bits").noconvert(), nb::arg("threads"));
    m.def("encode_pairs", &encode_pairs, nb::arg("x").noconvert(), nb::arg("n"), nb::arg("first"),
          nb::arg("bits").noconvert(), nb::arg("threads"));
    m.def("count", &count, nb::arg("bits").noconvert().none(), nb::arg("n"), nb::arg("grow"), nb::arg("begin"),
          nb::arg("end"), nb::arg("counts").noconvert().none(), nb::arg("sign"), nb::arg("values").noconvert().none(),
          nb::arg("active").noconvert(), nb::arg("scale").noconvert(), nb::arg("times"), nb::arg("empty"),
          nb::arg("up"), nb::arg("down"), nb::arg("root"), nb::arg("pairwise"), nb::arg("threads"));
}

}  // namespace vech
