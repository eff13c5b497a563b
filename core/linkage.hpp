// What hierarchical clustering is given and gives back: see kernels/linkage.hpp.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/layout.hpp"

namespace vech {

// Two clusters that are joined, as SciPy's tables have them; of leaves until `in_order` has them by their numbers.
struct Link {
    double left, right, height, size;
};

struct Linkage {
    enum class Method : std::uint8_t { single, complete, average, weighted, ward, centroid, median };
    enum class Fault : std::uint8_t { none, out_of_memory, lost };  // lost: no cluster is nearest to one

    std::byte* words;  // distances, finite and not negative: read by `single`, used up by the others
    Half half;         // a strict one, which grows, for a chain of neighbours, and shrinks for a heap of them
    int real;          // bytes of a number: 4 or 8
    Method method;
    Link* links;             // n - 1
    std::int64_t found = 0;  // links so far
    Fault fault = Fault::none;

    static bool has_heap(Method method) { return method >= Method::centroid; }
};

// Links by height, equal ones as they come, and the clusters in them by their numbers: leaves, then links.
// False: no memory.
bool in_order(Link* links, std::int64_t count);

}  // namespace vech
