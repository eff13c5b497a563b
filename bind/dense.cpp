// pack, expand, convert and mirrored: each fills in one Move.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "bind/arrays.hpp"

namespace vech {
namespace {

// Leading axes of both arrays, neighbours merged where one stride serves both sides.
Batch batch_of(const In& source, std::size_t source_axes, const In& target, std::size_t target_axes) {
    Batch batch;
    const std::size_t axes = source.ndim() - source_axes;
    if (axes != target.ndim() - target_axes || axes > batch.shape.size())
        throw nb::value_error("source and target differ in their leading axes");
    for (std::size_t axis = 0; axis < axes; ++axis) {
        const auto size = extent(source, axis);
        if (size != extent(target, axis)) throw nb::value_error("source and target differ in their leading axes");
        if (__builtin_mul_overflow(batch.count, size, &batch.count))
            throw nb::value_error("there are too many matrices");
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
    if (extent(array, axis) != half.length()) throw nb::value_error("the half has another length than its layout");
    return Rows::packed(address(array), half.length() > 1 ? stride_bytes(array, axis) : item_size(array), half);
}

Rows full_rows(const In& array, std::int64_t rows, std::int64_t n) {
    const std::size_t axis = array.ndim() - 2;
    if (extent(array, axis) != rows || extent(array, axis + 1) != n)
        throw nb::value_error("the matrix has another shape than its half");
    return Rows::full(address(array), stride_bytes(array, axis), stride_bytes(array, axis + 1));
}

// Bytes from the first number of an array that its last `axes` axes reach, both ends included; none if they are empty.
struct Extent {
    std::int64_t begin = 0, end = 0;
    bool empty = false;

    Extent(const In& array, std::size_t axes) {
        for (std::size_t axis = array.ndim() - axes; axis < array.ndim(); ++axis) {
            const auto far = (extent(array, axis) - 1) * stride_bytes(array, axis);
            (far < 0 ? begin : end) += far;
            empty |= extent(array, axis) == 0;
        }
    }
    void need(std::int64_t offset) const {
        if (empty || offset < begin || offset > end) throw nb::index_error("a cell lies outside of its array");
    }
};

void set_diagonal(Move& move, bool source_has, bool target_has, const Fill& fill) {
    if (!target_has) return;
    if (source_has) {
        move.diagonal = Move::Diagonal::copy;
        return;
    }
    if (!fill) throw nb::value_error("an implied diagonal needs its number");
    copy_number(move.fill, *fill, move.item);
    move.diagonal = Move::Diagonal::fill;
}

// Where the cells (row, column) of one triangle are, from the first number of an array, in bytes: start + row *
// row_step + column * column_step + row (row - 1) / 2 * bend, row >= column if `lower`, else row <= column.
struct Lines {
    std::int64_t start, row_step, column_step, bend;
    bool lower;

    Rows rows(const In& array) const { return {address(array) + start, row_step, column_step, bend}; }
    // Throws unless these cells are in the array, or their mirror images: `larges` x `smalls`, or, where these are one
    // range, a triangle. Offsets are linear in the column and quadratic in the row, so that the outermost are on the
    // edges: at their ends, or where the row's own step turns.
    void need_in(const In& array, std::size_t axes, Range larges, Range smalls, bool mirrored) const {
        const Extent extent(array, axes);
        const bool by_row = lower != mirrored, square = larges.begin == smalls.begin;
        const auto need = [&](std::int64_t large, std::int64_t small) {
            extent.need(by_row ? offset(large, small) : offset(small, large));
        };
        const auto along = [&](Range range, bool with_column, auto&& at) {
            at(range.begin);
            at(range.end - 1);
            if (bend == 0) return;
            std::int64_t back = 0;
            if (__builtin_add_overflow(row_step, with_column ? column_step : 0, &back) ||
                __builtin_sub_overflow(0, back, &back))
                throw nb::index_error("a cell lies outside of its array");
            const auto turn = std::clamp(back / bend, range.begin, range.end - 1);
            for (auto k = std::max(turn - 1, range.begin); k < std::min(turn + 3, range.end); ++k) at(k);
        };
        for (const auto small : {smalls.begin, smalls.end - 1})
            if (!square || small == smalls.begin) along(larges, false, [&](std::int64_t large) { need(large, small); });
        for (const auto large : {larges.begin, larges.end - 1})
            if (!square || large == larges.end - 1)
                along(smalls, false, [&](std::int64_t small) { need(large, small); });
        if (square) along(larges, true, [&](std::int64_t both) { need(both, both); });
    }
    std::int64_t offset(std::int64_t r, std::int64_t c) const {
        std::int64_t rows = 0, columns = 0, bent = 0, sum = start;
        bool beyond = __builtin_mul_overflow(r, row_step, &rows) | __builtin_mul_overflow(c, column_step, &columns) |
                      __builtin_mul_overflow(r * (r - 1) / 2, bend, &bent);
        for (const auto part : {rows, columns, bent}) beyond |= __builtin_add_overflow(sum, part, &sum);
        if (beyond) throw nb::index_error("a cell lies outside of its array");
        return sum;
    }
};

// Kernels want columns side by side: where rows are, the transposed matrix has them.
void swap_if_rows_adjoin(Rows& full, int item, bool& swapped) {
    swapped = full.step != item && full.stride == item;
    if (swapped) std::swap(full.step, full.stride);
}

bool move(const Move& move, int threads, Outcome& outcome) {
    run(threads, [&](Watch& watch) { active_target().move(move, threads, watch, outcome); });
    return outcome.overflow;
}

// All of an expansion but where its arrays are.
Move expansion(int item, const Half& half, const BoundChange& straight, const BoundChange& transposed,
               const BoundChange& diagonal, const Fill& fill) {
    Move job{};
    job.item = item;
    job.n = half.n;
    job.lower = half.grow;
    job.straight = job.transposed = true;
    job.on_straight = take(straight, item);
    job.on_transposed = take(transposed, item);
    job.on_diagonal = take(diagonal, item);
    set_diagonal(job, half.diagonal, true, fill);
    job.last = half.n;
    return job;
}

bool expand(const In& half, const Out& out, std::int64_t n, bool grow, bool diagonal_stored,
            const BoundChange& straight, const BoundChange& transposed, const BoundChange& diagonal, const Fill& fill,
            std::int64_t row, int threads) {
    const int item = item_size(half);
    need_axes(half, 1);
    need_axes(In(out), 2);
    need_item(item, In(out));
    const Half order = half_of(n, grow, diagonal_stored);
    Move job = expansion(item, order, straight, transposed, diagonal, fill);
    job.source = half_rows(half, order);
    const auto rows = extent(In(out), out.ndim() - 2);
    job.target = full_rows(In(out), rows, n);
    const Range wanted = range_in(row, rows, n, "rows out of range");
    job.first = wanted.begin;
    job.last = wanted.end;
    bool swapped = false;
    if (rows == n) swap_if_rows_adjoin(job.target, item, swapped);
    if (swapped) std::swap(job.on_straight, job.on_transposed);
    job.target = job.target.at(-row * job.target.stride);
    job.batch = batch_of(half, 1, In(out), 2);
    Outcome outcome;
    return move(job, threads, outcome);
}

// All of packing but where its half is.
Move packing(int item, const Rows& full, const Half& half, const BoundChange& change, const BoundChange& diagonal) {
    Move job{};
    job.item = item;
    job.n = half.n;
    job.source = full;
    bool swapped = false;
    swap_if_rows_adjoin(job.source, item, swapped);
    job.lower = half.grow != swapped;
    job.straight = !swapped;
    job.transposed = swapped;
    job.on_straight = job.on_transposed = take(change, item);
    job.on_diagonal = take(diagonal, item);
    set_diagonal(job, true, half.diagonal, std::nullopt);
    job.last = half.n;
    return job;
}

bool pack(const In& full, const Out& half, std::int64_t n, bool grow, bool diagonal_stored, const BoundChange& change,
          const BoundChange& diagonal, int threads) {
    const int item = item_size(full);
    need_axes(full, 2);
    need_axes(In(half), 1);
    need_item(item, In(half));
    const Half order = half_of(n, grow, diagonal_stored);
    Move job = packing(item, full_rows(full, n, n), order, change, diagonal);
    job.target = half_rows(In(half), order);
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
    job.source = half_rows(source, half_of(n, source_grow, source_diagonal));
    job.target = half_rows(In(target), half_of(n, target_grow, target_diagonal));
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

// All of a comparison of two triangles but which matrices these are of.
Move comparison(int item, const Rows& full, std::int64_t n, const BoundChange& change) {
    Move job{};
    job.item = item;
    job.n = side(n);
    job.source = full;
    bool swapped = false;
    swap_if_rows_adjoin(job.source, item, swapped);
    job.lower = !swapped;
    job.target = job.source;
    job.transposed = true;
    job.compare = true;
    job.on_transposed = take(change, item);
    job.last = n;
    return job;
}

bool mirrored(const In& full, std::int64_t n, const BoundChange& change, int threads) {
    const int item = item_size(full);
    need_axes(full, 2);
    Move job = comparison(item, full_rows(full, n, n), n, change);
    job.batch = batch_of(full, 2, full, 2);
    Outcome outcome;
    move(job, threads, outcome);
    return !outcome.differs;
}

// Moves of one matrix whose arguments were looked at once. Between plain arrays `run` does them, into new memory if
// there is no other, and gives the result; else it gives None, and who asked looks at everything.
class Expansion {
  public:
    Expansion(int item, std::int64_t n, bool grow, bool diagonal_stored, const BoundChange& straight,
              const BoundChange& transposed, const BoundChange& diagonal, const Fill& fill, const nb::object& dtype)
        : half_(half_of(n, grow, diagonal_stored)), result_{nb::make_tuple(n, n), dtype},
          job_(expansion(item, half_, straight, transposed, diagonal, fill)) {}

    nb::object run(nb::handle half, nb::handle out, int threads) const {
        const std::int64_t n = half_.n, item = job_.item;
        const Plain from(half, false);
        if (!from.is(job_.item, {half_.length()})) return nb::none();
        nb::object full = result_.memory(out);
        const Plain to(full, true);
        if (!to.is(job_.item, {n, n}) || !to.is_beside(from)) return nb::none();
        Move job = job_;
        job.source = Rows::packed(from.begin(), item, half_);
        job.target = Rows::full(to.begin(), n * item, item);
        Outcome outcome;
        return move(job, threads, outcome) ? nb::none() : full;
    }

  private:
    Half half_;
    Result result_;
    Move job_;
};

// A number of so many bytes, as f takes it.
template <class F>
decltype(auto) with_number(int item, F&& f) {
    struct Wide {
        std::uint64_t low, high;
    };
    switch (item) {
        case 1: return f(std::uint8_t{});
        case 2: return f(std::uint16_t{});
        case 4: return f(std::uint32_t{});
        case 8: return f(std::uint64_t{});
        default: return f(Wide{});
    }
}

using Starts = Array<const std::int64_t, Line>;

class Packing {
  public:
    // `along` reads the triangle whose runs are rows of the matrix, else the other. `compares` looks first whether both
    // are the same in every bit, and `omitted` whether it is the diagonal, by the bits that `keep` has. `places` of the
    // half's numbers in the matrix spare a small one the kernels: 0.14 to 0.19 us for 0.4 to 0.7 at n = 8 (Zen 5).
    Packing(int item, std::int64_t n, bool grow, bool diagonal_stored, const BoundChange& change,
            const BoundChange& diagonal, bool along, bool compares, const Fill& omitted, const nb::bytes& keep,
            const std::optional<Starts>& places, const nb::object& dtype)
        : half_(half_of(n, grow, diagonal_stored)), result_{nb::int_(half_.length()), dtype}, compares_(compares),
          omits_(!diagonal_stored) {
        const Rows full = Rows::full(nullptr, n * item, item);
        job_ = packing(item, along ? full : Rows::full(nullptr, full.step, full.stride), half_, change, diagonal);
        if (compares) compare_ = comparison(item, full, n, BoundChange{{}, item});
        if (omits_ != omitted.has_value()) throw nb::value_error("a diagonal is stored, or is this number");
        if (omits_) copy_number(omitted_, *omitted, item);
        if (omits_) copy_bytes(keep_, keep, item, "keep must have item bytes");
        if (!places) return;
        if (extent(In(*places), 0) != half_.length()) throw nb::value_error("places differ in number from the half");
        for (std::int64_t k = 0; k < half_.length(); ++k) {
            const auto place = places->data()[k];
            if (place < 0 || place / n >= n) throw nb::index_error("a place lies outside of the matrix");
            places_.push_back(place * item);
        }
    }

    nb::object run(nb::handle full, nb::handle out, int threads) const {
        const std::int64_t n = half_.n;
        const int item = job_.item;
        const Plain from(full, false);
        if (!from.is(item, {n, n}) || (omits_ && !is_omitted(from.begin()))) return nb::none();
        nb::object half = result_.memory(out);
        const Plain to(half, true);
        if (!to.is(item, {half_.length()}) || !to.is_beside(from)) return nb::none();
        if (!places_.empty()) {
            if (compares_ && !is_mirrored(from.begin())) return nb::none();
            pick(from.begin(), to.begin());
            return half;
        }
        Outcome outcome;
        if (compares_) {
            Move compare = compare_;
            compare.source.base = compare.target.base = from.begin();
            move(compare, threads, outcome);
            if (outcome.differs) return nb::none();
        }
        Move job = job_;
        job.source.base = from.begin();
        job.target = Rows::packed(to.begin(), item, half_);
        return move(job, threads, outcome) ? nb::none() : half;
    }

  private:
    bool is_omitted(const std::byte* from) const {
        return with_number(job_.item, [&]<class W>(W) {
            unsigned char differs = 0;
            for (std::int64_t i = 0; i < half_.n; ++i, from += (half_.n + 1) * static_cast<std::int64_t>(sizeof(W)))
                for (std::size_t k = 0; k < sizeof(W); ++k)
                    differs |= (static_cast<std::uint8_t>(from[k]) ^ omitted_[k]) & keep_[k];
            return differs == 0;
        });
    }
    bool is_mirrored(const std::byte* from) const {
        return with_number(job_.item, [&]<class W>(W) {
            for (std::int64_t i = 1; i < half_.n; ++i)
                for (std::int64_t j = 0; j < i; ++j)
                    if (std::memcmp(from + (i * half_.n + j) * sizeof(W), from + (j * half_.n + i) * sizeof(W),
                                    sizeof(W)) != 0)
                        return false;
            return true;
        });
    }
    void pick(const std::byte* from, std::byte* to) const {
        with_number(job_.item, [&]<class W>(W) {
            for (const auto place : places_) {
                std::memcpy(to, from + place, sizeof(W));
                to += sizeof(W);
            }
        });
    }

    Half half_;
    Result result_;
    Move job_, compare_{};
    bool compares_, omits_;
    std::uint8_t omitted_[16] = {}, keep_[16] = {};
    std::vector<std::int64_t> places_;  // in bytes
};

Range range_of(const std::pair<std::int64_t, std::int64_t>& ends) {
    side(ends.first);
    side(ends.second);
    return {ends.first, std::max(ends.first, ends.second)};
}

// Cells whose larger index is in `larges` and smaller one in `smalls`: all of one triangle, or a rectangle beside it.
bool piece(const In& source, const Lines& from, const Out& target, const Lines& to, int target_axes,
           const std::pair<std::int64_t, std::int64_t>& larges, const std::pair<std::int64_t, std::int64_t>& smalls,
           bool own, bool mirrored, const BoundChange& change, const BoundChange& mirrored_change,
           const BoundChange& diagonal, int threads) {
    const int item = item_size(source);
    const int source_axes = static_cast<int>(source.ndim()) - static_cast<int>(target.ndim()) + target_axes;
    if (source_axes < 1 || target_axes < 1 || source_axes > 2 || target_axes > 2)
        throw nb::value_error("source and target differ in their leading axes");
    need_axes(source, static_cast<std::size_t>(source_axes));
    need_axes(In(target), static_cast<std::size_t>(target_axes));
    need_item(item, In(target));
    const Range large = range_of(larges), small = range_of(smalls);
    const bool triangle = large.begin == small.begin && large.end == small.end;
    if (!triangle && large.begin < small.end) throw nb::value_error("smalls reach into larges, and are others");
    if (!own && !mirrored) throw nb::value_error("neither own nor mirrored cells are wanted");
    if (threads < 1) throw nb::value_error("threads must be at least 1");
    if (large.size() == 0 || small.size() == 0) return false;
    Move job{};
    job.item = item;
    from.need_in(source, static_cast<std::size_t>(source_axes), large, small, false);
    if (own) to.need_in(In(target), static_cast<std::size_t>(target_axes), large, small, false);
    if (mirrored) to.need_in(In(target), static_cast<std::size_t>(target_axes), large, small, true);
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
    job.rows = from.lower ? large : small;
    job.columns = from.lower ? small : large;
    job.batch =
        batch_of(source, static_cast<std::size_t>(source_axes), In(target), static_cast<std::size_t>(target_axes));
    Outcome outcome;
    return move(job, threads, outcome);
}

bool cells(const In& source, int source_axes, const Out& target, int target_axes, const Starts& from, const Starts& to,
           const std::vector<std::pair<BoundChange, std::int64_t>>& changes, int threads) {
    const int item = item_size(source);
    need_axes(source, static_cast<std::size_t>(source_axes));
    need_axes(In(target), static_cast<std::size_t>(target_axes));
    need_item(item, In(target));
    const auto count_of_all = extent(In(from), 0);
    if (extent(In(to), 0) != count_of_all) throw nb::value_error("offsets differ in number");
    const Extent sources(source, static_cast<std::size_t>(source_axes)),
        targets(In(target), static_cast<std::size_t>(target_axes));
    std::vector<Cells::List> lists;
    std::int64_t done = 0;
    for (const auto& [change, count] : changes) {
        if (count < 0 || count > count_of_all - done) throw nb::value_error("changes are of more cells than there are");
        lists.push_back({from.data() + done, to.data() + done, count, &take(change, item)});
        for (std::int64_t k = done; k < done + count; ++k) {
            if (!change.constant) sources.need(from.data()[k]);  // else from nowhere
            targets.need(to.data()[k]);
        }
        done += count;
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
    run(threads, [&](Watch& watch) { active_target().cells(job, threads, watch, outcome); });
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
                const int real = change.scale == Change::Scale::f4 ? 4 : change.scale == Change::Scale::f8 ? 8 : item;
                if (item != real && item != 2 * real)
                    throw nb::value_error("a number of item bytes is not of that scale");
                change.divisor = divisor;
                change.multiplier = multiplier;
                change.multiply();
                new (self) BoundChange(change);
            },
            nb::arg("item"), nb::kw_only(), nb::arg("zero") = false, nb::arg("flip") = nb::bytes("", 0),
            nb::arg("negate") = false, nb::arg("scale") = "", nb::arg("divisor") = 1.0, nb::arg("multiplier") = 1.0);
    nb::class_<Expansion>(m, "Expansion", "expand of one half, all but its arrays looked at.")
        .def(nb::init<int, std::int64_t, bool, bool, const BoundChange&, const BoundChange&, const BoundChange&,
                      const Fill&, const nb::object&>(),
             nb::arg("item"), nb::arg("n"), nb::arg("grow"), nb::arg("diagonal_stored"), nb::arg("straight"),
             nb::arg("transposed"), nb::arg("diagonal"), nb::arg("fill").none(), nb::arg("dtype"))
        .def("run", &Expansion::run,
             nb::sig("def run(self, half: NDArray, out: NDArray | None, threads: int) -> NDArray | None"),
             nb::arg("half"), nb::arg("out").none(), nb::arg("threads"));
    nb::class_<Packing>(m, "Packing", "pack of one matrix, all but its arrays looked at.")
        .def(nb::init<int, std::int64_t, bool, bool, const BoundChange&, const BoundChange&, bool, bool, const Fill&,
                      const nb::bytes&, const std::optional<Starts>&, const nb::object&>(),
             nb::arg("item"), nb::arg("n"), nb::arg("grow"), nb::arg("diagonal_stored"), nb::arg("change"),
             nb::arg("diagonal"), nb::arg("along"), nb::arg("compares"), nb::arg("omitted").none(), nb::arg("keep"),
             nb::arg("places").noconvert().none(), nb::arg("dtype"))
        .def("run", &Packing::run,
             nb::sig("def run(self, full: NDArray, out: NDArray | None, threads: int) -> NDArray | None"),
             nb::arg("full"), nb::arg("out").none(), nb::arg("threads"));
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
          nb::arg("target_axes"), nb::arg("origins").noconvert(), nb::arg("targets").noconvert(), nb::arg("changes"),
          nb::arg("threads"));
    m.def("mirrored", &mirrored, nb::arg("full").noconvert(), nb::arg("n"), nb::arg("change"), nb::arg("threads"));
}

}  // namespace vech
