// Splits work into units that threads take one after the other, and lets the caller stop all of them.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace vech {

// Asks the caller, a few dozen times a second and on the caller's own thread, whether to go on.
class Watch {
  public:
    using Interrupted = bool (*)() noexcept;
    explicit Watch(Interrupted interrupted) : interrupted_(interrupted) {}

    // True once the work should end. Cheap: call it about once per megabyte.
    bool stop() noexcept {
        if (stopped_.load(std::memory_order_relaxed)) return true;
        if (interrupted_ == nullptr || std::this_thread::get_id() != caller_) return false;
        const auto now = std::chrono::steady_clock::now();
        if (now - asked_ < std::chrono::milliseconds(25)) return false;
        asked_ = now;
        if (interrupted_()) stopped_ = true;
        return stopped_;
    }
    void end() noexcept { stopped_ = true; }

  private:
    Interrupted interrupted_;
    std::atomic<bool> stopped_{false};
    std::thread::id caller_ = std::this_thread::get_id();
    std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
};

// Runs body(unit) for every unit in [0, units), each once, on `threads` threads of which the caller is one.
// Units should be about a megabyte: large enough to pay for the counter, small enough to stop and to balance. Larger
// ones ask watch.stop() themselves.
// Which thread runs a unit is chance: a body's result must not depend on it.
template <class Body>
void parallel_for(std::int64_t units, int threads, Watch& watch, Body&& body) {
    std::atomic<std::int64_t> next{0}, busy{0};
    const auto work = [&] {
        for (std::int64_t unit; !watch.stop() && (unit = next.fetch_add(1, std::memory_order_relaxed)) < units;)
            body(unit);
    };
    const auto help = [&] {
        work();
        --busy;
    };
    std::vector<std::thread> helpers;
    const auto wanted = std::min<std::int64_t>(threads, units) - 1;
    if (wanted > 0) helpers.reserve(static_cast<std::size_t>(wanted));
    try {
        for (std::int64_t t = 0; t < wanted; ++t) {
            ++busy;
            helpers.emplace_back(help);
        }
    } catch (const std::exception&) {
        --busy;  // the system grants no more threads: those that run, the caller among them, do all units
    }
    work();
    while (busy > 0 && !watch.stop()) std::this_thread::sleep_for(std::chrono::microseconds(50));
    for (auto& helper : helpers) helper.join();
}

}  // namespace vech
