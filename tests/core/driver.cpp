// The kernels of every supported target against loops over (i, j), without Python: for processors that are emulated,
// and for the sanitizers. Prints what failed, and exits with how many did. See tools/driver.sh.
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "core/dispatch.hpp"

namespace vech {
namespace {

using std::int64_t;
int failures = 0, checks = 0;

void check(bool holds, const char* what, const char* which, int64_t n) {
    ++checks;
    if (holds) return;
    ++failures;
    std::printf("%s: %s, %s, n = %lld\n", active_target().name, what, which, static_cast<long long>(n));
}

// Small integers, different at different places, so that sums are exact.
template <class T>
T number(int64_t i, int64_t j) {
    const auto value = (i * 7 + j * 3) % 11 - 4;
    if constexpr (std::is_arithmetic_v<T>)
        return static_cast<T>(value);
    else
        return T(static_cast<typename T::value_type>(value), static_cast<typename T::value_type>((i + 2 * j) % 5));
}
template <class T>
std::byte* bytes(std::vector<T>& numbers) {
    return reinterpret_cast<std::byte*>(numbers.data());
}

// The half of a matrix in the order of its runs, and where cell (r, c) of it is.
template <class T>
std::vector<T> half_of(const Half& half) {
    std::vector<T> numbers;
    for (int64_t r = 0; r < half.n; ++r)
        for (auto c = half.first(r); c < half.last(r); ++c)
            numbers.push_back(number<T>(std::max(r, c), std::min(r, c)));
    return numbers;
}

template <class T>
void moves(const Half& half, const char* which) {
    const auto n = half.n;
    constexpr int item = sizeof(T);
    auto packed = half_of<T>(half);
    std::vector<T> full(static_cast<std::size_t>(n * n), T(1)), expected(full.size()), again(packed.size());
    const T one(9);
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
            expected[static_cast<std::size_t>(i * n + j)] =
                i == j && !half.diagonal ? one : number<T>(std::max(i, j), std::min(i, j));
    Watch watch(nullptr);
    Outcome outcome;
    Move expand{};
    expand.item = item;
    expand.n = n;
    expand.source = Rows::packed(bytes(packed), item, half);
    expand.target = Rows::full(bytes(full), n * item, item);
    expand.lower = half.grow;
    expand.straight = expand.transposed = true;
    expand.diagonal = half.diagonal ? Move::Diagonal::copy : Move::Diagonal::fill;
    std::memcpy(expand.fill, &one, sizeof one);
    expand.last = n;
    active_target().move(expand, 2, watch, outcome);
    check(full == expected, "expand", which, n);

    Move pack = expand;
    pack.source = expand.target;
    pack.target = Rows::packed(bytes(again), item, half);
    pack.transposed = false;
    pack.diagonal = half.diagonal ? Move::Diagonal::copy : Move::Diagonal::none;
    active_target().move(pack, 1, watch, outcome);
    check(again == packed, "pack", which, n);

    const Half other{n, !half.grow, half.diagonal};
    std::vector<T> turned(packed.size());
    Move convert = pack;
    convert.source = expand.source;
    convert.target = Rows::packed(bytes(turned), item, other);
    convert.straight = false;
    convert.transposed = true;
    active_target().move(convert, 2, watch, outcome);
    check(turned == half_of<T>(other), "convert", which, n);
}

template <class T>
T at(const Half& half, int64_t i, int64_t j) {
    return i == j && !half.diagonal ? T(0) : number<T>(std::max(i, j), std::min(i, j));
}

template <class T>
void products(const Half& half, int64_t columns, const char* which) {
    const auto n = half.n;
    auto packed = half_of<T>(half);
    const auto size = static_cast<std::size_t>(n * columns);
    std::vector<T> x(size), y(size), expected(size);
    for (std::size_t k = 0; k < size; ++k) x[k] = number<T>(static_cast<int64_t>(k), 1);
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
            for (int64_t c = 0; c < columns; ++c)
                expected[static_cast<std::size_t>(i * columns + c)] +=
                    at<T>(half, i, j) * x[static_cast<std::size_t>(j * columns + c)];
    Product job{};
    job.words = bytes(packed);
    job.x = bytes(x);
    job.y = bytes(y);
    job.half = half;
    job.columns = columns;
    job.complex = !std::is_arithmetic_v<T>;
    job.real = static_cast<int>(sizeof(T)) / (job.complex ? 2 : 1);
    job.diagonal = half.diagonal ? Product::Diagonal::stored : Product::Diagonal::zero;
    job.off = job.on = 1;
    std::vector<std::byte> work(static_cast<std::size_t>(job.work_bytes()) + 1);
    job.work = work.data();
    Watch watch(nullptr);
    (columns == 1 ? active_target().multiply : active_target().multiply_columns)(job, 2, watch);
    check(y == expected, columns == 1 ? "multiply" : "multiply_columns", which, n);
}

template <class T>
void outer_products(int64_t n, bool grow, const char* which) {
    const Half half{.n = n, .grow = grow, .diagonal = true};
    const auto size = static_cast<std::size_t>(half.length());
    std::vector<T> packed(size), expected(size), left(static_cast<std::size_t>(3 * n)), right(left.size());
    for (std::size_t k = 0; k < left.size(); ++k) {
        left[k] = number<T>(static_cast<int64_t>(k), 1);
        right[k] = number<T>(static_cast<int64_t>(k), 2);
    }
    for (int64_t r = 0; r < n; ++r)
        for (int64_t c = half.first(r); c < half.last(r); ++c)
            for (int64_t k = 0; k < 3; ++k)
                expected[static_cast<std::size_t>(half.origin(r) + c)] +=
                    left[static_cast<std::size_t>(k * n + r)] * right[static_cast<std::size_t>(k * n + c)];
    const Outer job{.words = bytes(packed),
                    .left = bytes(left),
                    .right = bytes(right),
                    .pairs = 3,
                    .half = half,
                    .real = sizeof(T)};
    Watch watch(nullptr);
    active_target().outer(job, 2, watch);
    check(packed == expected, "outer", which, n);
}

template <class T>
void tiles(int64_t rows, int64_t columns, bool below, const char* which) {
    const auto stride = columns + 3;
    std::vector<T> block(static_cast<std::size_t>((rows - 1) * stride + columns));
    std::vector<T> along(static_cast<std::size_t>(columns)), across(static_cast<std::size_t>(rows));
    for (std::size_t k = 0; k < along.size(); ++k) along[k] = number<T>(static_cast<int64_t>(k), 1);
    for (std::size_t k = 0; k < across.size(); ++k) across[k] = number<T>(static_cast<int64_t>(k), 2);
    auto to_rows = across, to_columns = along, expected_rows = across, expected_columns = along;
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
            const auto r = static_cast<std::size_t>(i), c = static_cast<std::size_t>(j);
            const T z = block[static_cast<std::size_t>(i * stride + j)] = number<T>(i + columns, j);
            if (below && j >= i) continue;
            expected_rows[r] += z * along[c];
            expected_columns[c] += z * across[r];
        }
    Tile job{};
    job.words = bytes(block);
    job.rows = rows;
    job.columns = columns;
    job.stride = stride;
    job.along = bytes(along);
    job.across = bytes(across);
    job.to_rows = bytes(to_rows);
    job.to_columns = bytes(to_columns);
    job.complex = !std::is_arithmetic_v<T>;
    job.real = static_cast<int>(sizeof(T)) / (job.complex ? 2 : 1);
    job.below = below;
    Watch watch(nullptr);
    active_target().multiply_tile(job, watch);
    check(to_rows == expected_rows && to_columns == expected_columns, "multiply_tile", which, rows);
}

// Takes the arrays over.
template <class T>
struct Sparse {
    std::vector<int64_t> indptr;
    std::vector<std::int32_t> indices;
    std::vector<T> data;

    Sparse(Csr& csr, int64_t n) {
        if (csr.indptr == nullptr) return;
        const auto* numbers = reinterpret_cast<const T*>(csr.data);
        indptr.assign(csr.indptr, csr.indptr + n + 1);
        indices.assign(csr.indices, csr.indices + csr.nonzeros);
        data.assign(numbers, numbers + csr.nonzeros);
        csr.release();
    }
    // Of what cell(r, c) gives, in the columns [first(r), last(r)), without zeros.
    template <class First, class Last, class Cell>
    Sparse(int64_t n, First&& first, Last&& last, Cell&& cell) : indptr{0} {
        for (int64_t r = 0; r < n; ++r) {
            for (int64_t c = first(r); c < last(r); ++c)
                if (cell(r, c) != T(0)) {
                    indices.push_back(static_cast<std::int32_t>(c));
                    data.push_back(cell(r, c));
                }
            indptr.push_back(static_cast<int64_t>(indices.size()));
        }
    }
    bool operator==(const Sparse&) const = default;
    Rowwise rows() const {
        return {static_cast<int64_t>(indptr.size()) - 1,
                {indptr.data(), true},
                indices.data(),
                reinterpret_cast<const std::byte*>(data.data()),
                static_cast<int64_t>(data.size()),
                sizeof(T)};
    }
};

template <class T>
void sparse(const Half& half, Gram::Number gram_number, const char* which) {
    const auto n = half.n;
    const auto thin = [&](int64_t i, int64_t j) { return (i * i + 3 * j) % 4 == 0 ? at<T>(half, i, j) : T(0); };
    const auto cell = [&](int64_t i, int64_t j) { return thin(std::max(i, j), std::min(i, j)); };
    const auto first = [&](int64_t r) { return half.first(r); };
    const auto last = [&](int64_t r) { return half.last(r); };
    const auto none = [](int64_t) { return int64_t{0}; };
    const auto all = [n](int64_t) { return n; };
    std::vector<T> packed;
    for (int64_t r = 0; r < n; ++r)
        for (auto c = half.first(r); c < half.last(r); ++c) packed.push_back(cell(r, c));
    Watch watch(nullptr);

    Scan scan{.words = bytes(packed), .item = sizeof(T), .half = half};
    std::memset(scan.keep, 0xff, sizeof(T));
    Csr csr;
    active_target().scan(scan, 2, watch, csr);
    const Sparse<T> found(csr, n), expected(n, first, last, cell), whole(n, none, all, cell);
    check(found == expected, "scan", which, n);

    const auto rows = expected.rows();
    check(active_target().fault(rows, half.grow ? Part::grow : Part::shrink) == -1, "fault", which, n);
    Csr mirrored;
    active_target().mirror({rows, half.grow, true, {}}, 2, watch, mirrored);
    check(Sparse<T>(mirrored, n) == whole, "mirror", which, n);
    Csr triangle;
    active_target().cut({whole.rows(), half.grow}, 2, watch, triangle);
    check(Sparse<T>(triangle, n) == expected, "cut", which, n);
    Asymmetry asymmetry;
    const bool complex = !std::is_arithmetic_v<T>;
    active_target().asymmetry(
        {whole.rows(), complex ? Symmetry::Number::complex : Symmetry::Number::real, false, false, 0}, 2, watch,
        asymmetry);
    check(asymmetry.row == -1 && asymmetry.fault == Fault::none, "asymmetry", which, n);

    for (const int64_t columns : {1, 7}) {
        const auto size = static_cast<std::size_t>(n * columns);
        std::vector<T> x(size), y(size), sums(size);
        for (std::size_t k = 0; k < size; ++k) x[k] = number<T>(static_cast<int64_t>(k), 1);
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j)
                for (int64_t c = 0; c < columns; ++c)
                    sums[static_cast<std::size_t>(i * columns + c)] +=
                        cell(i, j) * x[static_cast<std::size_t>(j * columns + c)];
        SparseProduct job{rows,
                          half.grow,
                          static_cast<int>(sizeof(T)) / (complex ? 2 : 1),
                          complex,
                          false,
                          false,
                          Product::Diagonal::stored,
                          columns,
                          bytes(x),
                          bytes(y)};
        check(active_target().multiply_sparse(job, 2, watch) == Fault::none && y == sums, "multiply_sparse", which, n);
    }

    Gram gram{};
    gram.n = gram.columns = n;
    gram.count = rows.nonzeros;
    gram.indptr = expected.indptr.data();
    gram.indices = expected.indices.data();
    gram.left = gram.right = rows.data;
    gram.number = gram_number;
    gram.grow = half.grow;
    gram.most = n * n;
    GramResult result;
    active_target().gram(gram, 2, watch, result);
    const auto product = [&](int64_t i, int64_t j) {
        T sum(0);
        for (auto k = std::max(half.first(i), half.first(j)); k < std::min(half.last(i), half.last(j)); ++k)
            sum += cell(i, k) * cell(j, k);
        if constexpr (!std::is_arithmetic_v<T>)
            if (i == j) sum = T(sum.real());
        return sum;
    };
    const auto from = [&](int64_t r) { return half.grow ? 0 : r; };
    const auto until = [&](int64_t r) { return half.grow ? r + 1 : n; };
    check(Sparse<T>(result, n) == Sparse<T>(n, from, until, product), "gram", which, n);
}

// Small integers, which codes hold exactly in units of one: to codes and back, and products.
template <class T>
void quantized(const Half& half, const Encoding& encoding, int64_t tile, const char* which) {
    const auto n = half.n;
    auto numbers = half_of<T>(half);
    std::vector<T> diagonal;
    for (int64_t r = 0; r < n; ++r) diagonal.push_back(number<T>(r, r));
    Quantized codes{};
    codes.encoding = &encoding;
    codes.levels = encoding.levels;
    for (std::size_t k = 0; k + 1 < codes.levels.size(); ++k)
        codes.between[k] = (codes.levels[k] + codes.levels[k + 1]) / 2;
    codes.n = n;
    codes.tile = tile;
    codes.real = sizeof(T);
    codes.mirror = 1;
    std::vector<std::byte> held(static_cast<std::size_t>(codes.code_bytes()));
    std::vector<T> scales(static_cast<std::size_t>(codes.tiles()), T(1)), zeros(scales.size(), T(-4));
    codes.codes = held.data();
    codes.scales = bytes(scales);
    codes.zeros = encoding.family == Encoding::Family::affine ? bytes(zeros) : nullptr;
    codes.diagonal = bytes(diagonal);

    Watch watch(nullptr);
    std::vector<double> squares(scales.size()), sums(static_cast<std::size_t>(n));
    const Quantize job{.half = codes,
                       .source = Rows::packed(bytes(numbers), sizeof(T), half),
                       .turned = !half.grow,
                       .rows = {0, n},
                       .columns = {0, n},
                       .scales = Quantize::Scales::given,
                       .seed = -1,
                       .tiles = squares.data(),
                       .sums = sums.data()};
    QuantizeResult result;
    check(active_target().quantize(job, watch, result) == Fault::none, "quantize", which, n);
    check(result.fault == Quantize::Fault::none && result.largest == 0, encoding.name, which, n);

    std::vector<T> full(static_cast<std::size_t>(n * n)), expected(full.size());
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
            expected[static_cast<std::size_t>(i * n + j)] = number<T>(std::max(i, j), std::min(i, j));
    const Dequantize whole{codes, bytes(full), n * static_cast<int64_t>(sizeof(T)), {0, n}, {0, n}, true};
    check(active_target().dequantize(whole, 2, watch) == Fault::none && full == expected, "dequantize", which, n);

    for (const int64_t columns : {1, 5}) {
        const auto size = static_cast<std::size_t>(n * columns);
        std::vector<T> x(size), y(size), sum(size);
        for (std::size_t k = 0; k < size; ++k) x[k] = number<T>(static_cast<int64_t>(k), 1);
        for (int64_t r = 0; r < n; r += tile)  // so that x is whole in units of 1 / 127 of its largest
            for (int64_t c = 0; c < columns; ++c) x[static_cast<std::size_t>(r * columns + c)] = T(127);
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j)
                for (int64_t c = 0; c < columns; ++c)
                    sum[static_cast<std::size_t>(i * columns + c)] +=
                        expected[static_cast<std::size_t>(i * n + j)] * x[static_cast<std::size_t>(j * columns + c)];
        const QuantizedProduct product{codes, bytes(x), bytes(y), columns, 1, 1};
        check(active_target().multiply_quantized(product, 2, watch) == Fault::none && y == sum, "multiply_quantized",
              which, n);
        check(active_target().multiply_coarse(product, 2, watch) == Fault::none && y == sum, "multiply_coarse", which,
              n);
    }
}

// Matrices 8 I + small integers, so that all are definite: factors and eigenvalues by their products.
template <class T>
void small_matrices(int n, int64_t count, const char* which) {
    const int length = n * (n + 1) / 2;
    const auto size = static_cast<std::size_t>(count * length);
    const double eps = 64 * std::numeric_limits<T>::epsilon();
    std::vector<T> numbers(size), found(size), values(static_cast<std::size_t>(count * n)),
        vectors(static_cast<std::size_t>(count * n * n));
    std::vector<std::int32_t> cells(static_cast<std::size_t>(length));
    for (int k = 0; k < length; ++k) cells[static_cast<std::size_t>(k)] = k;
    const auto at = [&](auto& halves, int64_t m, int i, int j) -> T& {
        return halves[static_cast<std::size_t>(m * length + std::max(i, j) * (std::max(i, j) + 1) / 2 +
                                               std::min(i, j))];
    };
    for (int64_t m = 0; m < count; ++m)
        for (int i = 0; i < n; ++i)
            for (int j = 0; j <= i; ++j) at(numbers, m, i, j) = number<T>(i + m, j) + (i == j ? T(8 * n) : T(0));

    Watch watch(nullptr);
    SmallMatrices job{};
    job.n = n;
    job.real = sizeof(T);
    job.count = count;
    job.halves = bytes(numbers);
    job.stride = length * job.real;
    job.step = job.real;
    job.stored = length;
    job.places = job.order = cells.data();
    job.on = job.off = 1;
    const auto close = [&](auto&& cell) {
        double worst = 0;
        for (int64_t m = 0; m < count; ++m)
            for (int i = 0; i < n; ++i)
                for (int j = 0; j <= i; ++j) worst = std::max(worst, std::fabs(double(cell(m, i, j)) / (12 * n)));
        return worst < eps;
    };
    job.task = SmallMatrices::Task::cholesky;
    job.results = bytes(found);
    check(active_target().solve_small(job, 2, watch).matrix < 0, "cholesky", which, n);
    check(close([&](int64_t m, int i, int j) {
              double sum = -double(at(numbers, m, i, j));
              for (int k = 0; k <= j; ++k) sum += double(at(found, m, i, k)) * double(at(found, m, j, k));
              return sum;
          }),
          "cholesky", which, n);
    job.task = SmallMatrices::Task::inverse;
    check(active_target().solve_small(job, 1, watch).matrix < 0, "inverse", which, n);
    check(close([&](int64_t m, int i, int j) {
              double sum = i == j ? -1 : 0;
              for (int k = 0; k < n; ++k) sum += double(at(found, m, i, k)) * double(at(numbers, m, k, j));
              return sum;
          }),
          "inverse", which, n);
    job.task = SmallMatrices::Task::eigh;
    job.results = bytes(values);
    job.vectors = bytes(vectors);
    check(active_target().solve_small(job, 3, watch).matrix < 0, "eigh", which, n);
    check(close([&](int64_t m, int i, int j) {
              double sum = -double(at(numbers, m, i, j));
              for (int k = 0; k < n; ++k)
                  sum += double(values[static_cast<std::size_t>(m * n + k)]) *
                         double(vectors[static_cast<std::size_t>((m * n + i) * n + k)]) *
                         double(vectors[static_cast<std::size_t>((m * n + j) * n + k)]);
              return sum;
          }),
          "eigh", which, n);
    if (count == 0) return;
    at(numbers, count - 1, n - 1, n - 1) = -1;
    job.task = SmallMatrices::Task::cholesky;
    job.results = bytes(found);
    const auto first = active_target().solve_small(job, 2, watch);
    check(first.matrix == count - 1 && first.trouble == Trouble::not_definite && first.minor == n, "trouble", which, n);
}

void every_kernel() {
    for (int n = 1; n <= SmallMatrices::largest_side; ++n)
        for (const int64_t count : {0, 1, 7, 16, 33, 300}) {
            small_matrices<double>(n, count, "float64");
            small_matrices<float>(n, count, "float32");
        }
    for (const int64_t n : {0, 1, 2, 3, 5, 8, 16, 17, 31, 33, 64, 67, 130, 259})
        for (const bool grow : {true, false})
            for (const bool diagonal : {true, false}) {
                const Half half{n, grow, diagonal};
                moves<std::int8_t>(half, "1 byte");
                moves<std::int16_t>(half, "2 bytes");
                moves<std::int32_t>(half, "4 bytes");
                moves<std::int64_t>(half, "8 bytes");
                moves<std::complex<double>>(half, "16 bytes");
                products<float>(half, 1, "float32");
                products<double>(half, 1, "float64");
                products<std::complex<float>>(half, 1, "complex64");
                products<std::complex<double>>(half, 1, "complex128");
                products<float>(half, 19, "float32");
                products<double>(half, 5, "float64");
                if (diagonal) {
                    outer_products<float>(n, grow, "float32");
                    outer_products<double>(n, grow, "float64");
                }
                if (grow && diagonal && n > 0) {
                    tiles<float>(n, 2 * n, false, "float32");
                    tiles<float>(n, n, true, "float32, below");
                    tiles<double>(n, n / 2 + 1, false, "float64");
                    tiles<double>(n, n, true, "float64, below");
                    tiles<std::complex<double>>(n, n, false, "complex128");
                    tiles<std::complex<double>>(n, n, true, "complex128, below");
                }
                for (const auto& encoding : encodings)
                    for (const int64_t tile : {32, 64, 128}) {
                        const bool exact = encoding.most != 1;  // these have other levels than integers
                        if (exact) quantized<float>(half, encoding, tile, "float32");
                        if (exact && tile == 64) quantized<double>(half, encoding, tile, "float64");
                    }
                if (n > 67) continue;  // loops over three indices
                sparse<float>(half, Gram::Number::f4, "float32");
                sparse<double>(half, Gram::Number::f8, "float64");
                sparse<std::complex<double>>(half, Gram::Number::c8, "complex128");
            }
}

}  // namespace
}  // namespace vech

int main() {
    for (const auto* target : vech::compiled_targets())
        if (vech::set_target(target->name)) {
            vech::checks = 0;
            vech::every_kernel();
            std::printf("%s: %d checks\n", target->name, vech::checks);
        }
    return vech::failures > 100 ? 100 : vech::failures;
}
