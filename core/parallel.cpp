#include "core/parallel.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <vector>

namespace vech {
namespace {

const void* this_thread() {
    static thread_local const char mark{};
    return &mark;
}

std::int64_t now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

}  // namespace

Watch::Watch(Interrupted interrupted) : interrupted_(interrupted), caller_(this_thread()), asked_(now()) {}

bool Watch::asks() noexcept {
    constexpr std::int64_t between = 25'000'000;
    if (interrupted_ == nullptr || this_thread() != caller_) return false;
    const auto time = now();
    if (time - asked_ < between) return false;
    asked_ = time;
    if (interrupted_()) stopped_ = true;
    return stopped_;
}

void run_units(std::int64_t units, int threads, Watch& watch, void (*body)(const void*, std::int64_t), const void* of) {
    if (units == 1) {  // neither a counter nor, once it is done, a question
        if (!watch.stop()) body(of, 0);
        return;
    }
    std::atomic<std::int64_t> next{0}, busy{0};
    const auto work = [&] {
        for (std::int64_t unit; !watch.stop() && (unit = next.fetch_add(1, std::memory_order_relaxed)) < units;)
            body(of, unit);
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
