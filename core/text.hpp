// Entries of a sparse matrix out of text: "row column number" lines, numbers exactly rounded.
#pragma once
#include <cstdint>

namespace vech {

enum class Field { real, integer, natural, complex, pattern };

// What a line can have wrong: something else than its field asks for, a row or column that is none, a number that no
// word holds, or one entry more than there is room for.
enum class Misprint { none, shape, place, size, room };

// Where entries go: 0-based rows and columns, of 32 or 64 bits, and numbers of 8 or 16 bytes (none for a pattern).
struct Entries {
    Field field;
    bool wide;
    std::int64_t n_rows, n_columns, room;
    void* rows;
    void* columns;
    void* numbers;
};

struct Reading {
    std::int64_t count;  // entries written
    std::int64_t at;     // where the line with the misprint begins
    Misprint misprint;
};

// Reads whole lines, blank ones among them, up to `end`, before which there is a '\n'.
Reading read_entries(const char* text, const char* end, const Entries& entries) noexcept;

}  // namespace vech
