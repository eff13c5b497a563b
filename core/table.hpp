// Rows of a table out of text: lines of numbers and missing numbers, exactly rounded; the rest is for who knows more.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/parallel.hpp"

namespace vech {

// What becomes of the cells of a column. The place of a label is told; a word is passed over unless it is a number.
enum class Column : std::uint8_t { number, passed, label, word };

struct Table {
    char separator;  // ' ' for any number of blanks: spaces and tabs
    char point;
    std::string_view comment;             // how a line begins that is passed over; empty for none
    std::vector<std::string_view> words;  // of a number that is missing, in small letters
    const Column* columns;
    std::int64_t n_columns, longest;  // letters of a cell, at most
    std::int64_t width, room;         // columns of numbers; rows
    double* numbers;                  // (room, width)
    std::int64_t* labels;             // (room, 2): where the label of a row begins and ends in the text; or null
};

struct TableReading {
    std::int64_t rows, lines;  // lines: rows, blank ones and comments
    std::int64_t at;  // where the first line begins that holds anything else; the end of the text where none does
};

// Reads whole lines of `text`, which ends in a '\n'. Blank lines count for nothing. With one thread, lines behind the
// one it stops at are not looked at.
TableReading read_table(std::string_view text, const Table& table, int threads, Watch& watch);

}  // namespace vech
