// Splits work into units that threads take one after the other, and lets the caller stop all of them.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

namespace vech {

// Asks the caller, a few dozen times a second and on the caller's own thread, whether to go on.
class Watch {
  public:
    using Interrupted = bool (*)() noexcept;
    explicit Watch(Interrupted interrupted);

    // True once the work should end. Cheap: call it about once per megabyte.
    bool stop() noexcept { return stopped_.load(std::memory_order_relaxed) || asks(); }
    void end() noexcept { stopped_ = true; }

  private:
    bool asks() noexcept;

    Interrupted interrupted_;
    std::atomic<bool> stopped_{false};
    const void* caller_;
    std::int64_t asked_;  // nanoseconds
};

// Of parallel_for, what is the same for every body, and so compiled once.
void run_units(std::int64_t units, int threads, Watch& watch, void (*body)(const void*, std::int64_t), const void* of);

// Runs body(unit) for every unit in [0, units), each once, on `threads` threads of which the caller is one.
// Units should be about a megabyte: large enough to pay for the counter, small enough to stop and to balance. Larger
// ones ask watch.stop() themselves.
// Which thread runs a unit is chance: a body's result must not depend on it.
template <class Body>
void parallel_for(std::int64_t units, int threads, Watch& watch, const Body& body) {
    run_units(
        units, threads, watch, [](const void* of, std::int64_t unit) { (*static_cast<const Body*>(of))(unit); },
        std::addressof(body));
}

}  // namespace vech
