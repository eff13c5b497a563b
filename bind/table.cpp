// read_table.
#include "core/table.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <vector>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Text = Array<const std::uint8_t, Line>;
using Matrix = Array<double, nb::ndim<2>>;
using Labels = Array<std::int64_t, nb::ndim<2>>;

char letter(const std::string& text) {
    if (text.size() != 1) throw nb::value_error("separator and point are one letter each");
    return text[0];
}

// The rows read from `start` on into the first of `numbers`, the lines that took, and where the first line begins that
// is none of theirs.
nb::tuple bound_read_table(const Text& text, std::int64_t start, const Text& columns, const std::string& separator,
                           const std::string& point, const std::string& comment, const std::vector<std::string>& words,
                           std::int64_t longest, const Matrix& numbers, const std::optional<Labels>& labels,
                           int threads) {
    const auto size = static_cast<std::int64_t>(text.size());
    if (start < 0 || start >= size || text.data()[size - 1] != '\n')
        throw nb::value_error("start is in the text, and the text ends in a line");
    constexpr auto last = static_cast<std::uint8_t>(Column::word);
    std::vector<Column> cells;
    for (std::size_t k = 0; k < columns.size(); ++k) {
        if (columns.data()[k] > last) throw nb::value_error("there is no such kind of column");
        cells.push_back(static_cast<Column>(columns.data()[k]));
    }
    Table table{};
    table.separator = letter(separator);
    table.point = letter(point);
    table.comment = comment;
    table.words.assign(words.begin(), words.end());
    table.columns = cells.data();
    table.n_columns = static_cast<std::int64_t>(cells.size());
    table.longest = longest;
    table.width = std::count(cells.begin(), cells.end(), Column::number);
    table.room = extent(numbers, 0);
    table.numbers = numbers.data();
    if (cells.empty() || extent(numbers, 1) != table.width) throw nb::value_error("numbers has another width");
    if (labels) {
        if (extent(*labels, 0) != table.room || extent(*labels, 1) != 2)
            throw nb::value_error("labels has another shape");
        table.labels = labels->data();
    }
    const std::string_view rest(reinterpret_cast<const char*>(text.data()) + start,
                                static_cast<std::size_t>(size - start));
    TableReading reading{};
    run(threads, [&](Watch& watch) { reading = read_table(rest, table, threads, watch); });
    for (std::int64_t k = 0; labels && k < 2 * reading.rows; ++k) table.labels[k] += start;
    return nb::make_tuple(reading.rows, reading.lines, start + reading.at);
}

}  // namespace

void bind_table(nb::module_& m) {
    m.def("read_table", &bound_read_table, nb::arg("text").noconvert(), nb::arg("start"),
          nb::arg("columns").noconvert(), nb::arg("separator"), nb::arg("point"), nb::arg("comment"), nb::arg("words"),
          nb::arg("longest"), nb::arg("numbers").noconvert(), nb::arg("labels").noconvert().none(), nb::arg("threads"));
}

}  // namespace vech
