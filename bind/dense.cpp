// pack, expand, convert and mirrored: each fills in one Move.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"

namespace vech {
namespace {

// Leading axes of both arrays, neighbours merged where one stride serves both sides.
Batch batch_of(const In& source, std::size_t source_axes, const In& target, std::size_t target_axes) {
    Batch batch;
    const std::size_t axes = source.ndim() - source_axes;
    if (axes != target.ndim() - target_axes || axes > batch.shape.size())
        throw nb::value_error("source and target differ in their leading axes");
    for (std::size_t axis = 0; axis < axes; ++axis) {
        const auto size = static_cast<std::int64_t>(source.shape(axis));
        if (size != static_cast<std::int64_t>(target.shape(axis)))
            throw nb::value_error("source and target differ in their leading axes");
        batch.count *= size;
        if (size == 1) continue;
        const auto from = stride_bytes(source, axis), to = stride_bytes(target, axis);
        const int last = batch.axes - 1;
        if (last >= 0 && batch.source[last] == from * size && batch.target[last] == to * size) {
            batch.shape[last] *= size;
            batch.source[last] = from;
            batch.target[last] = to;
        } else {
            batch.shape[last + 1] = size;
            batch.source[last + 1] = from;
            batch.target[last + 1] = to;
            ++batch.axes;
        }
    }
    return batch;
}

Rows half_rows(const In& array, Half half) {
    const std::size_t axis = array.ndim() - 1;
    if (static_cast<std::int64_t>(array.shape(axis)) != half.length())
        throw nb::value_error("the half has another length than its layout");
    return Rows::packed(address(array), half.length() > 1 ? stride_bytes(array, axis) : item_size(array), half);
}

Rows full_rows(const In& array, std::int64_t rows, std::int64_t n) {
    const std::size_t axis = array.ndim() - 2;
    if (static_cast<std::int64_t>(array.shape(axis)) != rows || static_cast<std::int64_t>(array.shape(axis + 1)) != n)
        throw nb::value_error("the matrix has another shape than its half");
    return Rows::full(address(array), stride_bytes(array, axis), stride_bytes(array, axis + 1));
}

// Bytes from the first number of an array that its last `axes` axes reach, both ends included.
Range reach_of(const In& array, int axes) {
    Range reach{0, 0};
    for (std::size_t axis = array.ndim() - static_cast<std::size_t>(axes); axis < array.ndim(); ++axis) {
        const auto far = (static_cast<std::int64_t>(array.shape(axis)) - 1) * stride_bytes(array, axis);
        (far < 0 ? reach.begin : reach.end) += far;
    }
    return reach;
}

void need_inside(const Range& reach, std::int64_t offset) {
    if (offset < reach.begin || offset > reach.end) throw nb::index_error("a cell lies outside of its array");
}

void need_axes(const In& array, std::size_t axes) {
    if (array.ndim() < axes) throw nb::value_error("an array has too few axes");
}

void need_item(int item, const In& array) {
    if (item_size(array) != item) throw nb::value_error("the arrays differ in item size");
}

const Change& take(const BoundChange& change, int item) {
    if (change.item != item) throw nb::value_error("a change is of another item size");
    return change;
}

void set_diagonal(Move& move, bool source_has, bool target_has, const Fill& fill) {
    if (!target_has) return;
    if (source_has) {
        move.diagonal = Move::Diagonal::copy;
        return;
    }
    if (!fill) throw nb::value_error("an implied diagonal needs its number");
    need_item(move.item, *fill);
    move.diagonal = Move::Diagonal::fill;
    std::memcpy(move.fill, fill->data(), static_cast<std::size_t>(move.item));
}

// Where the cells (row, column) of one triangle are, from the first number of an array, in bytes: start + row *
// row_step + column * column_step + row (row - 1) / 2 * bend, row >= column if `lower`, else row <= column.
struct Lines {
    std::int64_t start, row_step, column_step, bend;
    bool lower;

    Rows rows(const In& array) const { return {address(array) + start, row_step, column_step, bend}; }
    // Throws unless these cells are in the array, or their mirror images: the corners of what they fill are enough.
    void need_in(const In& array, int axes, Range larges, Range smalls, bool mirrored) const {
        if (larges.size() <= 0 || smalls.size() <= 0) return;
        const Range reach = reach_of(array, axes);
        for (const auto& [large, small] :
             {std::pair{larges.begin, smalls.begin}, std::pair{larges.end - 1, smalls.begin},
              std::pair{larges.end - 1, smalls.end - 1}})
            need_inside(reach, lower != mirrored ? offset(large, small) : offset(small, large));
    }
    std::int64_t offset(std::int64_t r, std::int64_t c) const {
        return start + r * row_step + c * column_step + r * (r - 1) / 2 * bend;
    }
};

// Kernels want columns side by side: where rows are, the transposed matrix has them.
void swap_if_rows_adjoin(Rows& full, int item, bool& swapped) {
    swapped = full.step != item && full.stride == item;
    if (swapped) std::swap(full.step, full.stride);
}

bool move(const Move& move, int threads, Outcome& outcome) {
    run([&](Watch& watch) { active_target().move(move, threads, watch, outcome); });
    return outcome.overflow;
}

bool expand(const In& half, const Out& out, std::int64_t n, bool grow, bool diagonal_stored,
            const BoundChange& straight, const BoundChange& transposed, const BoundChange& diagonal, const Fill& fill,
            std::int64_t row, int threads) {
    const int item = item_size(half);
    need_axes(half, 1);
    need_axes(In(out), 2);
    need_item(item, In(out));
    Move job{};
    job.item = item;
    job.n = n;
    job.source = half_rows(half, {n, grow, diagonal_stored});
    const auto rows = static_cast<std::int64_t>(out.shape(out.ndim() - 2));
    job.target = full_rows(In(out), rows, n);
    if (row < 0 || row + rows > n) throw nb::index_error("rows out of range");
    job.lower = grow;
    job.straight = job.transposed = true;
    job.on_straight = take(straight, item);
    job.on_transposed = take(transposed, item);
    job.on_diagonal = take(diagonal, item);
    set_diagonal(job, diagonal_stored, true, fill);
    job.first = row;
    job.last = row + rows;
    bool swapped = false;
    if (rows == n) swap_if_rows_adjoin(job.target, item, swapped);
    if (swapped) std::swap(job.on_straight, job.on_transposed);
    job.target = job.target.at(-row * job.target.stride);
    job.batch = batch_of(half, 1, In(out), 2);
    Outcome outcome;
    return move(job, threads, outcome);
}

bool pack(const In& full, const Out& half, std::int64_t n, bool grow, bool diagonal_stored, const BoundChange& change,
          const BoundChange& diagonal, int threads) {
    const int item = item_size(full);
    need_axes(full, 2);
    need_axes(In(half), 1);
    need_item(item, In(half));
    Move job{};
    job.item = item;
    job.n = n;
    job.source = full_rows(full, n, n);
    job.target = half_rows(In(half), {n, grow, diagonal_stored});
    bool swapped = false;
    swap_if_rows_adjoin(job.source, item, swapped);
    job.lower = grow != swapped;
    job.straight = !swapped;
    job.transposed = swapped;
    job.on_straight = job.on_transposed = take(change, item);
    job.on_diagonal = take(diagonal, item);
    set_diagonal(job, true, diagonal_stored, std::nullopt);
    job.last = n;
    job.batch = batch_of(full, 2, In(half), 1);
    Outcome outcome;
    return move(job, threads, outcome);
}

bool convert(const In& source, const Out& target, std::int64_t n, bool source_grow, bool target_grow,
             bool source_diagonal, bool target_diagonal, const BoundChange& change, const BoundChange& diagonal,
             const Fill& fill, int threads) {
    const int item = item_size(source);
    need_axes(source, 1);
    need_axes(In(target), 1);
    need_item(item, In(target));
    Move job{};
    job.item = item;
    job.n = n;
    job.source = half_rows(source, {n, source_grow, source_diagonal});
    job.target = half_rows(In(target), {n, target_grow, target_diagonal});
    job.lower = source_grow;
    job.straight = source_grow == target_grow;
    job.transposed = !job.straight;
    job.on_straight = job.on_transposed = take(change, item);
    job.on_diagonal = take(diagonal, item);
    set_diagonal(job, source_diagonal, target_diagonal, fill);
    job.last = n;
    job.batch = batch_of(source, 1, In(target), 1);
    Outcome outcome;
    return move(job, threads, outcome);
}

bool mirrored(const In& full, std::int64_t n, const BoundChange& change, int threads) {
    const int item = item_size(full);
    need_axes(full, 2);
    Move job{};
    job.item = item;
    job.n = n;
    job.source = full_rows(full, n, n);
    bool swapped = false;
    swap_if_rows_adjoin(job.source, item, swapped);
    job.lower = !swapped;
    job.target = job.source;
    job.transposed = true;
    job.compare = true;
    job.on_transposed = take(change, item);
    job.last = n;
    job.batch = batch_of(full, 2, full, 2);
    Outcome outcome;
    move(job, threads, outcome);
    return !outcome.differs;
}

Range range_of(const std::pair<std::int64_t, std::int64_t>& ends) { return {ends.first, ends.second}; }

// Cells whose larger index is in `larges` and smaller one in `smalls`: all of one triangle, or a rectangle beside it.
bool piece(const In& source, const Lines& from, const Out& target, const Lines& to, int target_axes,
           const std::pair<std::int64_t, std::int64_t>& larges, const std::pair<std::int64_t, std::int64_t>& smalls,
           bool own, bool mirrored, const BoundChange& change, const BoundChange& mirrored_change,
           const BoundChange& diagonal, int threads) {
    const int item = item_size(source);
    const int source_axes = static_cast<int>(source.ndim()) - static_cast<int>(target.ndim()) + target_axes;
    if (source_axes < 1 || target_axes < 1 || source_axes > 2 || target_axes > 2)
        throw nb::value_error("source and target differ in their leading axes");
    need_item(item, In(target));
    Move job{};
    job.item = item;
    from.need_in(source, source_axes, range_of(larges), range_of(smalls), false);
    if (own) to.need_in(In(target), target_axes, range_of(larges), range_of(smalls), false);
    if (mirrored) to.need_in(In(target), target_axes, range_of(larges), range_of(smalls), true);
    job.source = from.rows(source);
    job.target = to.rows(In(target));
    job.lower = from.lower;
    const bool along = from.lower == to.lower;
    job.straight = along ? own : mirrored;
    job.transposed = along ? mirrored : own;
    job.on_straight = take(along ? change : mirrored_change, item);
    job.on_transposed = take(along ? mirrored_change : change, item);
    job.on_diagonal = take(diagonal, item);
    job.diagonal = Move::Diagonal::copy;
    job.piece = true;
    job.rows = range_of(from.lower ? larges : smalls);
    job.columns = range_of(from.lower ? smalls : larges);
    job.batch =
        batch_of(source, static_cast<std::size_t>(source_axes), In(target), static_cast<std::size_t>(target_axes));
    Outcome outcome;
    return move(job, threads, outcome);
}

using Offsets = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig>;

bool cells(const In& source, int source_axes, const Out& target, int target_axes, const Offsets& from,
           const Offsets& to, const std::vector<std::pair<const BoundChange*, std::int64_t>>& changes, int threads) {
    const int item = item_size(source);
    need_axes(source, static_cast<std::size_t>(source_axes));
    need_axes(In(target), static_cast<std::size_t>(target_axes));
    need_item(item, In(target));
    if (from.size() != to.size()) throw nb::value_error("offsets differ in number");
    std::vector<Cells::List> lists;
    std::int64_t done = 0;
    for (const auto& [change, count] : changes) {
        if (change == nullptr || count < 0 || done + count > static_cast<std::int64_t>(from.size()))
            throw nb::value_error("changes are of more cells than there are");
        lists.push_back({from.data() + done, to.data() + done, count, &take(*change, item)});
        done += count;
    }
    const Range sources = reach_of(source, source_axes), targets = reach_of(In(target), target_axes);
    for (std::size_t k = 0; k < from.size(); ++k) {
        const bool constant = source.size() == 0;  // from nowhere
        if (!constant) need_inside(sources, from.data()[k]);
        need_inside(targets, to.data()[k]);
    }
    Outcome outcome;
    const Cells job{
        item,
        address(source),
        address(In(target)),
        lists.data(),
        static_cast<int>(lists.size()),
        std::max<std::int64_t>(done, 1),
        batch_of(source, static_cast<std::size_t>(source_axes), In(target), static_cast<std::size_t>(target_axes))};
    if (job.batch.count > 0) run([&](Watch& watch) { active_target().cells(job, threads, watch, outcome); });
    return outcome.overflow;
}

}  // namespace

void bind_dense(nb::module_& m) {
    nb::class_<BoundChange>(m, "Change", "What happens to a number on its way; nothing, unless told.")
        .def(
            "__init__",
            [](BoundChange* self, int item, bool zero, const nb::bytes& flip, bool negate, const std::string& scale,
               double divisor, double multiplier) {
                if (item != 1 && item != 2 && item != 4 && item != 8 && item != 16)
                    throw nb::value_error("item must be 1, 2, 4, 8 or 16");
                BoundChange change{};
                change.item = item;
                change.constant = zero;
                change.negate = negate;
                if (flip.size() > 0) {
                    copy_bytes(change.flip, flip, item, "flip must have item bytes");
                    change.flips = true;
                }
                if (scale == "f4")
                    change.scale = Change::Scale::f4;
                else if (scale == "f8")
                    change.scale = Change::Scale::f8;
                else if (!scale.empty())
                    throw nb::value_error("scale must be 'f4', 'f8' or ''");
                change.divisor = divisor;
                change.multiplier = multiplier;
                new (self) BoundChange(change);
            },
            nb::arg("item"), nb::kw_only(), nb::arg("zero") = false, nb::arg("flip") = nb::bytes("", 0),
            nb::arg("negate") = false, nb::arg("scale") = "", nb::arg("divisor") = 1.0, nb::arg("multiplier") = 1.0);
    m.def("expand", &expand, nb::arg("half").noconvert(), nb::arg("out").noconvert(), nb::arg("n"), nb::arg("grow"),
          nb::arg("diagonal_stored"), nb::arg("straight"), nb::arg("transposed"), nb::arg("diagonal"),
          nb::arg("fill").none(), nb::arg("row"), nb::arg("threads"));
    m.def("pack", &pack, nb::arg("full").noconvert(), nb::arg("half").noconvert(), nb::arg("n"), nb::arg("grow"),
          nb::arg("diagonal_stored"), nb::arg("change"), nb::arg("diagonal"), nb::arg("threads"));
    m.def("convert", &convert, nb::arg("source").noconvert(), nb::arg("target").noconvert(), nb::arg("n"),
          nb::arg("source_grow"), nb::arg("target_grow"), nb::arg("source_diagonal"), nb::arg("target_diagonal"),
          nb::arg("change"), nb::arg("diagonal"), nb::arg("fill").none(), nb::arg("threads"));
    nb::class_<Lines>(m, "Lines", "Where the cells of one triangle are in an array, in bytes.")
        .def(nb::init<std::int64_t, std::int64_t, std::int64_t, std::int64_t, bool>(), nb::arg("start"),
             nb::arg("row_step"), nb::arg("column_step"), nb::arg("bend"), nb::arg("lower"));
    m.def("piece", &piece, nb::arg("source").noconvert(), nb::arg("origin"), nb::arg("target").noconvert(),
          nb::arg("to"), nb::arg("target_axes"), nb::arg("larges"), nb::arg("smalls"), nb::arg("own"),
          nb::arg("mirrored"), nb::arg("change"), nb::arg("mirrored_change"), nb::arg("diagonal"), nb::arg("threads"));
    m.def("cells", &cells, nb::arg("source").noconvert(), nb::arg("source_axes"), nb::arg("target").noconvert(),
          nb::arg("target_axes"), nb::arg("origins"), nb::arg("targets"), nb::arg("changes"), nb::arg("threads"));
    m.def("mirrored", &mirrored, nb::arg("full").noconvert(), nb::arg("n"), nb::arg("change"), nb::arg("threads"));
}

}  // namespace vech
