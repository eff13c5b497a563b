// Small symmetric matrices by the million: see kernels/batches.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vech {

// What is asked of every matrix of a batch.
#define VECH_SMALL_TASKS(task) \
    task(cholesky) task(inverse) task(log) task(exp) task(power) task(eigh) task(slogdet) task(solve)

// Halves of real symmetric matrices of one side, of 4 or 8 bytes a number, and where their answers go, without gaps.
// Cells (i, j), i >= j, are counted row by row.
struct SmallMatrices {
#define VECH_TASK(name) name,
    enum class Task : std::uint8_t { VECH_SMALL_TASKS(VECH_TASK) };
#undef VECH_TASK
    static constexpr Task last_of_halves = Task::power;  // those up to here give halves
    static constexpr int largest_side = 16;
    static constexpr int most_cells = largest_side * (largest_side + 1) / 2;

    Task task;
    int n, real;
    std::int64_t count;
    const std::byte* halves;
    std::int64_t stride, step;   // bytes from half to half, from number to number
    int stored;                  // numbers of a half
    const std::int32_t* places;  // in a half, of each cell; -1: implied
    double off, on;              // stored number = true value x scale; of halves that come out where all are stored
    double implied;              // diagonal, where it is not stored

    std::byte* results;         // halves; or eigenvalues, solutions, signs
    const std::int32_t* order;  // the cells of the numbers of halves that are results
    std::byte* vectors;         // eigenvectors, or none; logarithms of determinants
    const std::byte* right;     // of solve: n rows of so many columns a matrix
    std::int64_t columns;
    double exponent;   // of power
    double tolerance;  // of power: what is below zero by at most so much of the largest modulus is zero

    int numbers() const { return n * (n + 1) / 2; }
};

// Why a matrix has no answer.
enum class Trouble : std::uint8_t { not_finite, not_definite, singular, beyond };

// The first matrix without one, if any.
struct FirstTrouble {
    std::int64_t matrix = -1;
    Trouble trouble{};
    int minor = 0;  // not_definite: the order of the leading minor that is not positive
};

}  // namespace vech
