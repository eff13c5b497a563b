// One description for pack, expand, convert and the check of symmetry: see kernels/move.hpp.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "core/change.hpp"
#include "core/layout.hpp"

namespace vech {

// Leading axes of both sides: matrix b of the batch lies at base + offset of both.
struct Batch {
    int axes = 0;
    std::int64_t count = 1;
    std::array<std::int64_t, 64> shape{}, source{}, target{};
};

// Steps through a batch: byte offsets of matrix `index` in source and target.
struct Walk {
    Walk(const Batch& batch, std::int64_t start) : index(start), batch_(batch) {
        for (int axis = batch.axes; axis-- > 0; start /= batch.shape[axis]) go(axis, start % batch.shape[axis]);
    }
    void next() {
        ++index;
        for (int axis = batch_.axes; axis-- > 0;) {
            if (at_[axis] + 1 < batch_.shape[axis]) return go(axis, 1);
            go(axis, -at_[axis]);
        }
    }
    std::int64_t index, source = 0, target = 0;

  private:
    void go(int axis, std::int64_t steps) {
        at_[axis] += steps;
        source += steps * batch_.source[axis];
        target += steps * batch_.target[axis];
    }
    const Batch& batch_;
    std::array<std::int64_t, 64> at_{};
};

struct Move {
    enum class Diagonal : std::uint8_t { none, copy, fill };

    int item;  // bytes of a number: 1, 2, 4, 8 or 16
    std::int64_t n;
    Rows source, target;
    bool lower;            // the cells taken are those of the source below its diagonal, else above
    bool straight;         // source (r, c) -> target (r, c)
    bool transposed;       // source (r, c) -> target (c, r)
    bool compare = false;  // only look whether the target already holds these bits
    Diagonal diagonal = Diagonal::none;
    Change on_straight, on_transposed, on_diagonal;
    std::uint8_t fill[16] = {};
    std::int64_t first = 0, last = 0;  // target rows wanted (both ways: expand)
    // Where the order of a half changes within it: only these source cells, a rectangle on one side of the diagonal or
    // a square on it, whose rows and columns are the same.
    bool piece = false;
    Range rows{}, columns{};
    Batch batch;
};

// Numbers from anywhere to anywhere, in every matrix of a batch: `count` of them by each change.
struct Cells {
    struct List {
        const std::int64_t *from, *to;  // byte offsets, ascending in the target where it can be
        std::int64_t count;
        const Change* change;
    };
    int item;
    std::byte *source, *target;
    const List* lists;
    int list_count;
    std::int64_t numbers;  // of the larger side, in one matrix
    Batch batch;
};

struct Outcome {
    std::atomic<bool> overflow{false};  // a finite number became infinite
    std::atomic<bool> differs{false};   // compare found other bits
};

}  // namespace vech
