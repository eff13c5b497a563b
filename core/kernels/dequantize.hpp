// dequantize: numbers of the matrix at any rows and columns, out of codes.
//
// Formula      level * scale (* side of the row * side of the column), rounded after each; the diagonal as it is
//              held.
// Idea         A tile of the result is one of the lower triangle, or the transposed of one: decoded into L1, and
//              written from there by rows, past the caches where these begin at their lines.
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
        : job_(job), half_(job.half), decoder_(half_), streams_(streams), tile_(half_.tile),
          pitch_(half_.tile + line_bytes / item) {}

    bool get_memory() { return straight_.get_lines(tile_ * pitch_) && turned_.get_lines(tile_ * pitch_); }

    // The rows of one row of tiles.
    void row_of_tiles(std::int64_t i, Watch& watch) {
        const auto first = std::max(job_.rows.begin, i * tile_), last = std::min(job_.rows.end, (i + 1) * tile_);
        for (auto j = job_.columns.begin / tile_; j * tile_ < job_.columns.end && !watch.stop(); ++j) {
            auto* const numbers = reinterpret_cast<std::byte*>(tile_of(i, j));
            const auto from = std::max(job_.columns.begin, j * tile_), to = std::min(job_.columns.end, (j + 1) * tile_);
            for (auto r = first; r < last; ++r)
                row(r - i * tile_, numbers + ((r - i * tile_) * pitch_ + from - j * tile_) * item, (to - from) * item,
                    job_.out + (r - job_.rows.begin) * job_.stride + (from - job_.columns.begin) * item,
                    to == job_.columns.end);
        }
        if (streams_) finish_streams();
    }

  private:
    // Where lines are streamed, they are whole: what a tile has beyond its last one in a row waits for the next tile,
    // before whose numbers there is room for it.
    void row(std::int64_t r, std::byte* numbers, std::int64_t bytes, std::byte* to, bool ends) {
        if (!streams_) return copy_vectors(to, numbers, bytes);
        std::byte* const waiting = waiting_ + r * line_bytes;
        const std::int64_t held = held_[r];
        numbers -= held;
        to -= held;
        bytes += held;
        std::memcpy(numbers, waiting, static_cast<std::size_t>(held));
        const auto beyond = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(to + bytes) % line_bytes);
        const bool waits = !ends && beyond < bytes;  // else there is no whole line, or no next tile
        held_[r] = static_cast<std::uint8_t>(waits ? beyond : 0);
        stream_lines(to, numbers, bytes - held_[r]);
        std::memcpy(waiting, numbers + bytes - held_[r], held_[r]);
    }

    Real* tile_of(std::int64_t i, std::int64_t j) {
        constexpr std::int64_t room = line_bytes / item;
        Real* const straight = straight_.line() + room;
        Real* const turned = turned_.line() + room;
        if (j > i && !job_.full) {
            for (std::int64_t r = 0; r < tile_; ++r)
                std::fill(turned + r * pitch_, turned + r * pitch_ + tile_, Real{0});
            return turned;
        }
        lower(std::max(i, j), std::min(i, j), straight);
        if (j < i || !job_.full) return straight;
        const auto mirror = static_cast<Real>(half_.mirror);
        if (i == j) {
            for (std::int64_t r = 0; r < half_.height(i); ++r) {
                for (std::int64_t c = 0; c < r; ++c) straight[c * pitch_ + r] = mirror * straight[r * pitch_ + c];
                straight[r * pitch_ + r] = load<Real>(half_.diagonal + (i * tile_ + r) * item);
            }
            return straight;
        }
        turn(straight, turned, mirror);
        return turned;
    }

    // The tile (i, j) of the lower triangle; on the diagonal zeros but below it.
    void lower(std::int64_t i, std::int64_t j, Real* to) const {
        const Real scale = decoder_.tile(i, j, to, pitch_);
        const bool sided = half_.sides != nullptr;
        const auto wide = std::min(tile_, half_.n - j * tile_);
        for (std::int64_t r = 0; r < half_.height(i); ++r) {
            Real* const row = to + r * pitch_;
            for (std::int64_t c = 0; c < tile_; c += count) store(row + c, load<V>(row + c) * scale);
            if (!sided) continue;
            const auto own = load<Real>(half_.sides + (i * tile_ + r) * item);
            for (std::int64_t c = 0; c < wide; ++c)
                row[c] = row[c] * own * load<Real>(half_.sides + (j * tile_ + c) * item);
        }
    }

    // Rows of `from` become columns; what lies beyond those that are there is whatever it is.
    void turn(const Real* from, Real* to, Real mirror) const {
        constexpr int side = lanes<Word>;
        const std::byte* rows[side];
        for (std::int64_t r = 0; r < tile_; r += side) {
            for (int k = 0; k < side; ++k) rows[k] = reinterpret_cast<const std::byte*>(from + (r + k) * pitch_);
            for (std::int64_t c = 0; c < tile_; c += side)
                transpose_block<Word>(rows, c * item, reinterpret_cast<Word*>(to + c * pitch_ + r), pitch_);
        }
        if (mirror != 1)
            for (std::int64_t r = 0; r < tile_; ++r)
                for (std::int64_t c = 0; c < tile_; ++c) to[r * pitch_ + c] = -to[r * pitch_ + c];
    }

    const Dequantize& job_;
    const Quantized& half_;
    const Decoder<Real> decoder_;
    const bool streams_;
    const std::int64_t tile_, pitch_;
    Memory<Real> straight_, turned_;
    std::byte waiting_[Quantized::largest_tile * line_bytes];
    std::uint8_t held_[Quantized::largest_tile] = {};  // bytes of it
};

}  // namespace

Fault dequantize(const Dequantize& job, int threads, Watch& watch) {
    const auto with = [&]<class Real>(Real) {
        const auto tile = job.half.tile, item = static_cast<std::int64_t>(sizeof(Real));
        const auto first = job.rows.begin / tile, last = (job.rows.end + tile - 1) / tile;
        const bool streams =
            job.rows.size() * job.columns.size() * item >= streamed_bytes() && job.columns.size() >= tile;
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
