// dequantize: numbers of the matrix at any rows and columns, out of codes.
//
// Formula      level * scale (* side of the row * side of the column), rounded after each; the diagonal as it is held.
// Idea         A tile of the result is one of the lower triangle, or the transposed of one: decoded into L1, and
// written
//              from there by rows, past the caches where these begin at their lines.
// Bytes moved  the codes twice, the result once.
#pragma once
#include "core/kernels/decode.hpp"
#include "core/kernels/lines.hpp"
#include "core/kernels/region.hpp"
#include "core/kernels/transpose.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/quantized.hpp"
#include "core/sparse.hpp"

VECH_TARGET_BEGIN
namespace {

template <class Real>
class Dequantizer {
    using C = CodeLanes<Real>;
    using V = typename C::V;
    using Word = std::conditional_t<sizeof(Real) == 4, std::uint32_t, std::uint64_t>;
    static constexpr int count = C::count;
    static constexpr std::int64_t item = sizeof(Real);

  public:
    Dequantizer(const Dequantize& job, bool streams)
        : job_(job), half_(job.half), decoder_(half_), streams_(streams), tile_(half_.tile) {}

    bool get_memory() { return straight_.get_lines(tile_ * tile_) && turned_.get_lines(tile_ * tile_); }

    // The rows of one row of tiles.
    void row_of_tiles(std::int64_t i, Watch& watch) {
        if (job_.columns.size() == 0) return;
        for (auto j = job_.columns.begin / tile_; j * tile_ < job_.columns.end && !watch.stop(); ++j) {
            const Real* numbers = tile_of(i, j);
            const auto first = std::max(job_.rows.begin, i * tile_), last = std::min(job_.rows.end, (i + 1) * tile_);
            const auto from = std::max(job_.columns.begin, j * tile_), to = std::min(job_.columns.end, (j + 1) * tile_);
            for (auto r = first; r < last; ++r)
                write_lines(job_.out + (r - job_.rows.begin) * job_.stride + (from - job_.columns.begin) * item,
                            reinterpret_cast<const std::byte*>(numbers + (r - i * tile_) * tile_ + from - j * tile_),
                            (to - from) * item, streams_);
        }
        if (streams_) finish_streams();
    }

  private:
    Real* tile_of(std::int64_t i, std::int64_t j) {
        Real* const straight = straight_.line();
        Real* const turned = turned_.line();
        if (j > i && !job_.full) {
            std::fill(turned, turned + tile_ * tile_, Real{0});
            return turned;
        }
        lower(std::max(i, j), std::min(i, j), straight);
        if (j < i || !job_.full) return straight;
        const auto mirror = static_cast<Real>(half_.mirror);
        if (i == j) {
            for (std::int64_t r = 0; r < half_.height(i); ++r) {
                for (std::int64_t c = 0; c < r; ++c) straight[c * tile_ + r] = mirror * straight[r * tile_ + c];
                straight[r * tile_ + r] = load<Real>(half_.diagonal + (i * tile_ + r) * item);
            }
            return straight;
        }
        turn(straight, turned, half_.height(i));
        if (mirror != 1)
            for (std::int64_t k = 0; k < tile_ * tile_; ++k) turned[k] = -turned[k];
        return turned;
    }

    // The tile (i, j) of the lower triangle; on the diagonal zeros but below it.
    void lower(std::int64_t i, std::int64_t j, Real* to) const {
        const Real scale = decoder_.tile(i, j, to);
        const auto height = half_.height(i);
        for (std::int64_t k = 0; k < height * tile_; k += count) store(to + k, load<V>(to + k) * scale);
        if (half_.sides == nullptr) return;
        const auto wide = std::min(tile_, half_.n - j * tile_);
        for (std::int64_t r = 0; r < height; ++r) {
            const auto own = load<Real>(half_.sides + (i * tile_ + r) * item);
            for (std::int64_t c = 0; c < wide; ++c)
                to[r * tile_ + c] = to[r * tile_ + c] * own * load<Real>(half_.sides + (j * tile_ + c) * item);
        }
    }

    // Rows of `from` become columns; what lies beyond those that are there is whatever it is.
    void turn(const Real* from, Real* to, std::int64_t columns) const {
        constexpr int side = lanes<Word>;
        const std::byte* rows[side];
        for (std::int64_t r = 0; r < tile_; r += side) {
            for (int k = 0; k < side; ++k) rows[k] = reinterpret_cast<const std::byte*>(from + (r + k) * tile_);
            for (std::int64_t c = 0; c < columns; c += side)
                transpose_block<Word>(rows, c * item, reinterpret_cast<Word*>(to + c * tile_ + r), tile_);
        }
    }

    const Dequantize& job_;
    const Quantized& half_;
    const Decoder<Real> decoder_;
    const bool streams_;
    const std::int64_t tile_;
    Memory<Real> straight_, turned_;
};

}  // namespace

Fault dequantize(const Dequantize& job, int threads, Watch& watch) {
    const auto with = [&]<class Real>(Real) {
        const auto tile = job.half.tile, item = static_cast<std::int64_t>(sizeof(Real));
        const auto first = job.rows.begin / tile, last = (job.rows.end + tile - 1) / tile;
        const bool lines = bytes_to_line(job.out - job.columns.begin * item) == 0 && job.stride % line_bytes == 0;
        const bool streams = lines && job.rows.size() * job.columns.size() * item >= streamed_bytes;
        std::atomic<bool> lacking = false;
        parallel_for(std::max<std::int64_t>(last - first, 0), threads, watch, [&](std::int64_t unit) {
            Dequantizer<Real> dequantizer(job, streams);
            if (dequantizer.get_memory())
                dequantizer.row_of_tiles(first + unit, watch);
            else
                lacking = true;
        });
        return lacking ? Fault::out_of_memory : Fault::none;
    };
    return job.half.real == 4 ? with(float{}) : with(double{});
}

VECH_TARGET_END
