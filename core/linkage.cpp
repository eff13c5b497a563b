#include "core/linkage.hpp"

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>
#include <vector>

namespace vech {

bool in_order(Link* links, std::int64_t count) try {
    std::stable_sort(links, links + count, [](const Link& a, const Link& b) { return a.height < b.height; });
    const auto nodes = static_cast<std::size_t>(2 * count + 1);
    std::vector<std::int64_t> above(nodes);
    std::vector<double> sizes(nodes, 1);
    std::iota(above.begin(), above.end(), 0);
    const auto root_of = [&](double leaf) {
        auto root = static_cast<std::size_t>(leaf);
        while (above[root] != static_cast<std::int64_t>(root)) root = static_cast<std::size_t>(above[root]);
        for (auto at = static_cast<std::size_t>(leaf); at != root;)
            at = static_cast<std::size_t>(std::exchange(above[at], static_cast<std::int64_t>(root)));
        return root;
    };
    for (std::int64_t k = 0; k < count; ++k) {
        const auto [a, b] = std::minmax({root_of(links[k].left), root_of(links[k].right)});
        const auto made = count + 1 + k;
        above[a] = above[b] = made;
        const double size = sizes[a] + sizes[b];
        sizes[static_cast<std::size_t>(made)] = size;
        links[k] = {static_cast<double>(a), static_cast<double>(b), links[k].height, size};
    }
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

}  // namespace vech
