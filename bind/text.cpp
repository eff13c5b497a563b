// read_entries.
#include "core/text.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <array>
#include <limits>
#include <utility>

#include "bind/arrays.hpp"

namespace vech {
namespace {

using Text = Array<const std::uint8_t, Line>;

constexpr std::array<std::pair<const char*, Field>, 5> fields{{{"real", Field::real},
                                                               {"integer", Field::integer},
                                                               {"natural", Field::natural},
                                                               {"complex", Field::complex},
                                                               {"pattern", Field::pattern}}};
constexpr std::array<const char*, 5> misprints{"", "shape", "place", "size", "room"};

Field field_of(const std::string& name) {
    for (const auto& [known, field] : fields)
        if (name == known) return field;
    throw nb::value_error("no such field");
}

// The number of entries read into the arrays from `start` on; where the line with a misprint begins, and the misprint.
nb::tuple bound_read_entries(const Text& text, const std::string& field, std::int64_t n_rows, std::int64_t n_columns,
                             const Out& rows, const Out& columns, const std::optional<Out>& numbers,
                             std::int64_t start) {
    Entries entries{};
    entries.field = field_of(field);
    entries.wide = item_size(In(rows)) == 8;
    entries.n_rows = n_rows;
    entries.n_columns = n_columns;
    const int item = entries.field == Field::complex ? 16 : 8;
    if (numbers.has_value() == (entries.field == Field::pattern)) throw nb::value_error("a pattern has no numbers");
    if (text.size() == 0 || text.data()[text.size() - 1] != '\n') throw nb::value_error("the text ends in a line");
    need_axes(In(rows), 1);
    const auto room = extent(In(rows), 0);
    const auto most = entries.wide ? std::numeric_limits<std::int64_t>::max() : side_most;
    if (!(entries.wide || item_size(In(rows)) == 4) || start < 0 || start > room)
        throw nb::value_error("rows have 4 or 8 bytes, and start is among them");
    if (n_rows < 0 || n_columns < 0 || n_rows > most || n_columns > most)
        throw nb::value_error("a size is negative, or beyond what rows and columns can hold");
    const auto into = [&](const Out& array, int size) {
        const In in(array);
        constexpr const char* what = "rows, columns and numbers differ in length, or have another item size";
        if (item_size(in) != size) throw nb::value_error(what);
        need_line(in, room, what);
        return static_cast<void*>(address(in) + start * size);
    };
    entries.room = room - start;
    entries.rows = into(rows, item_size(In(rows)));
    entries.columns = into(columns, item_size(In(rows)));
    entries.numbers = numbers ? into(*numbers, item) : nullptr;
    const auto* const begin = reinterpret_cast<const char*>(text.data());
    Reading reading;
    {
        nb::gil_scoped_release released;
        reading = read_entries(begin, begin + text.size(), entries);
    }
    return nb::make_tuple(reading.count, reading.at, misprints[static_cast<std::size_t>(reading.misprint)]);
}

}  // namespace

void bind_text(nb::module_& m) {
    m.def("read_entries", &bound_read_entries, nb::arg("text").noconvert(), nb::arg("field"), nb::arg("n_rows"),
          nb::arg("n_columns"), nb::arg("rows").noconvert(), nb::arg("columns").noconvert(),
          nb::arg("numbers").noconvert().none(), nb::arg("start"));
}

}  // namespace vech
