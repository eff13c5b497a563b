// dequantize: numbers of the matrix at any rows and columns, out of codes.
//
// Formula      level * scale (* side of the larger index * side of the smaller one), rounded after each; the diagonal
// as
//              it is held.
// Idea         A tile of the result is one of the lower triangle, or the transposed of one, whose codes are turned
//              while they are small. Some rows of it become numbers in L1, and go from there past the caches where
//              lines are whole.
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
    static constexpr int count = C::count;
    static constexpr std::int64_t item = sizeof(Real), room = line_bytes / item, together = 16;
    static constexpr int smallest = 32;  // tile

  public:
    Dequantizer(const Dequantize& job, bool streams)
        : job_(job), half_(job.half), decoder_(half_), streams_(streams), tile_(half_.tile), pitch_(room + tile_),
          bytes_(std::max(1, half_.encoding->bits / 8)) {}

    bool get_memory() {
        return numbers_.get_lines(tile_ * pitch_) && spread_.get_lines(tile_ * tile_) &&
               turned_.get_lines(tile_ * tile_ * bytes_);
    }

    // The rows of one row of tiles.
    void row_of_tiles(std::int64_t i, Watch& watch) {
        const Range rows{std::max(job_.rows.begin - i * tile_, std::int64_t{0}),
                         std::min(job_.rows.end - i * tile_, tile_)};
        for (auto j = job_.columns.begin / tile_; j * tile_ < job_.columns.end && !watch.stop(); ++j) {
            const auto from = std::max(job_.columns.begin, j * tile_), to = std::min(job_.columns.end, (j + 1) * tile_);
            wanted_ = {from - j * tile_, to - j * tile_};
            ends_ = to == job_.columns.end;
            to_ = job_.out + (i * tile_ - job_.rows.begin) * job_.stride + (from - job_.columns.begin) * item;
            if (i == j || (j > i && !job_.full)) {
                i == j ? square(i) : std::fill(numbers_.line(), numbers_.line() + tile_ * pitch_, Real{0});
                for (auto r = rows.begin; r < rows.end; ++r) put(r, numbers_.line() + room + r * pitch_);
                continue;
            }
            const auto codes = j < i ? codes_of(i, j) : turned(codes_of(j, i), half_.height(j));
            with_codes(*half_.encoding, decoder_.levels(), [&](auto code, const auto& level) {
                half_.sides == nullptr ? tile<false>(i, j, rows, codes, code, level)
                                       : tile<true>(i, j, rows, codes, code, level);
            });
        }
        if (streams_) finish_streams();
    }

  private:
    // Where codes of whole bytes lie: of so many columns side by side.
    struct Codes {
        const std::byte* at;
        std::int64_t row, strip, width;  // bytes from row to row, and from strip to strip
    };

    // Rows of a tile beside the diagonal.
    template <bool sided, class Code, class Level>
    void tile(std::int64_t i, std::int64_t j, Range rows, Codes codes, Code, const Level& level) {
        const auto at = half_.number(std::max(i, j), std::min(i, j)) * item;
        const bool affine = half_.zeros != nullptr;
        const auto mirror = static_cast<Real>(i < j ? half_.mirror : 1);
        const auto scale = in_all_lanes((affine ? Real{1} : mirror) * load<Real>(half_.scales + at));
        const auto zero = in_all_lanes(affine ? load<Real>(half_.zeros + at) : Real{0}), sign = in_all_lanes(mirror);
        if constexpr (sided) {
            std::fill(sides_, sides_ + tile_, Real{1});
            std::memcpy(sides_, half_.sides + j * tile_ * item,
                        static_cast<std::size_t>(std::min(tile_, half_.n - j * tile_) * item));
        }
        const auto* const next = half_.strip(std::max(i, j + 1), std::min(i, j + 1), 0);
        const auto step = half_.bytes(tile_);
        for (auto first = rows.begin; first < rows.end; first += together) {
            const auto last = std::min(first + together, rows.end);
            for (auto at_next = first * step; at_next < last * step; at_next += line_bytes)
                __builtin_prefetch(next + at_next);
            const auto row = [&](std::int64_t r, const auto& take) VECH_ALWAYS {
                const std::byte* from = codes.at + r * codes.row;
                const V own = in_all_lanes(sided ? load<Real>(half_.sides + (i * tile_ + r) * item) : Real{1});
                for (std::int64_t c = 0; c < tile_; c += codes.width, from += codes.strip)
                    for (std::int64_t k = 0; k < codes.width; k += count) {
                        V v = level(load<Code>(from + k * static_cast<std::int64_t>(sizeof(Code)) / count)) * scale;
                        if (affine) v = (v + zero) * sign;  // after the sum, whose zeros have signs
                        if constexpr (sided) {
                            const V side = load<V>(sides_ + c + k);
                            v = j < i ? v * own * side : v * side * own;
                        }
                        take(c + k, v);
                    }
            };
#if VECH_VECTOR == 64
            if constexpr (sizeof(Real) == 4)
                if (all_lines(first, last)) {
                    for (auto r = first; r < last; ++r) {
                        const Joint<std::uint32_t> joint(static_cast<int>(room - held_[r] / item));
                        auto* const to = to_ + r * job_.stride - held_[r];
                        Line before = waiting_[r];
                        row(r, [&](std::int64_t c, V v) VECH_ALWAYS {
                            const auto line = std::bit_cast<Line>(v);
                            joint.stream(to + c * item, before, line);
                            before = line;
                        });
                        waiting_[r] = before;
                    }
                    continue;
                }
#endif
            for (auto r = first; r < last; ++r) {
                Real* const to = numbers_.line() + room + (r - first) * pitch_;
                row(r, [&](std::int64_t c, V v) VECH_ALWAYS { store(to + c, v); });
            }
            for (auto r = first; r < last; ++r) put(r, numbers_.line() + room + (r - first) * pitch_);
        }
    }

    // Whether these rows of a whole tile go on from whole lines, and more of them is to come: then they go from
    // registers to where they belong, 1.0 of a fill's time and not 1.15 (AMD).
    bool all_lines(std::int64_t first, std::int64_t last) const {
        if (!streams_ || ends_ || wanted_.size() != tile_) return false;
        for (auto r = first; r < last; ++r)
            if (reinterpret_cast<std::uintptr_t>(to_ + r * job_.stride - held_[r]) % line_bytes != 0 ||
                held_[r] % item != 0)
                return false;
        return true;
    }

    // A row of a tile, as far as it is wanted. Where lines are streamed, they are whole: what a tile has beyond its
    // last one in a row waits for the next tile, before whose numbers there is room for it.
    VECH_INLINE void put(std::int64_t r, Real* row) {
        auto* numbers = reinterpret_cast<std::byte*>(row + wanted_.begin);
        std::int64_t bytes = wanted_.size() * item;
        std::byte* to = to_ + r * job_.stride;
        if (!streams_) return copy_vectors(to, numbers, bytes);
        Line* const waiting = waiting_ + r;
        const std::int64_t held = held_[r];
        store(numbers - line_bytes, *waiting);
        numbers -= held;
        to -= held;
        bytes += held;
        const auto beyond = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(to + bytes) % line_bytes);
        const bool waits = !ends_ && beyond < bytes;  // else there is no whole line, or no next tile
        const std::int64_t left = waits ? beyond : 0;
        held_[r] = static_cast<std::uint8_t>(left);
        stream_lines(to, numbers, bytes - left);
        *waiting = load<Line>(numbers + bytes - line_bytes);
    }

    Codes codes_of(std::int64_t i, std::int64_t j) {
        const auto width = half_.width(), rows = half_.stored(i);
        if (half_.encoding->bits >= 8) return {half_.strip(i, j, 0), width * bytes_, rows * width * bytes_, width};
        auto* const to = spread_.line();
        for (std::int64_t s = 0; s < half_.strips(); ++s)
            width == 64 ? spread<64>(*half_.encoding, half_.strip(i, j, s), rows, to + s * width, tile_)
                        : spread<32>(*half_.encoding, half_.strip(i, j, s), rows, to + s * width, tile_);
        return {to, tile_, width, width};
    }

    // Rows become columns; beyond those that are there the last one stands again.
    Codes turned(Codes codes, std::int64_t rows) {
        const auto with = [&]<class W>(W) {
            constexpr int down = std::min(VECH_VECTOR, smallest * static_cast<int>(sizeof(W))),
                          high = down / static_cast<int>(sizeof(W));
            auto* const to = reinterpret_cast<W*>(turned_.line());
            const std::byte* from[high];
            for (std::int64_t r = 0; r < tile_; r += high) {
                for (std::int64_t k = 0; k < high; ++k) from[k] = codes.at + std::min(r + k, rows - 1) * codes.row;
                for (std::int64_t s = 0; s < tile_; s += codes.width)
                    for (std::int64_t c = 0; c < codes.width; c += turned_columns<W>)
                        vech::VECH_NAMESPACE::turn<W, down>(
                            from, s / codes.width * codes.strip + c * bytes_, [&](int k, auto column) VECH_ALWAYS {
                                std::memcpy(to + (s + c + k) * tile_ + r, &column, sizeof column);
                            });
            }
        };
        bytes_ == 1 ? with(std::uint8_t{}) : with(std::uint16_t{});
        return {turned_.line(), tile_ * bytes_, tile_ * bytes_, tile_};
    }

    // A tile on the diagonal.
    void square(std::int64_t i) {
        Real* const to = numbers_.line() + room;
        const Real scale = decoder_.tile(i, i, to, pitch_);
        const auto mirror = static_cast<Real>(half_.mirror);
        const auto side = [&](std::int64_t r) {
            return half_.sides == nullptr ? Real{1} : load<Real>(half_.sides + (i * tile_ + r) * item);
        };
        for (std::int64_t r = 0; r < half_.height(i); ++r) {
            Real* const row = to + r * pitch_;
            for (std::int64_t c = 0; c < r; ++c) row[c] = row[c] * scale * side(r) * side(c);
            if (!job_.full) continue;
            for (std::int64_t c = 0; c < r; ++c) to[c * pitch_ + r] = mirror * row[c];
            row[r] = load<Real>(half_.diagonal + (i * tile_ + r) * item);
        }
    }

    const Dequantize& job_;
    const Quantized& half_;
    const Decoder<Real> decoder_;
    const bool streams_;
    const std::int64_t tile_, pitch_, bytes_;
    Memory<Real> numbers_;
    Memory<std::byte> spread_, turned_;
    Real sides_[Quantized::largest_tile];
    Range wanted_{};  // columns of the tile at hand
    bool ends_ = false;
    std::byte* to_ = nullptr;                          // where these go, of row 0
    Line waiting_[Quantized::largest_tile];            // of which the last bytes wait
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
