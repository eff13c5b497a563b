#include "core/dispatch.hpp"

namespace vech {

#define VECH_DECLARE(target)      \
    namespace target {            \
    extern const Kernels kernels; \
    }
VECH_TARGETS(VECH_DECLARE)

const std::vector<const Kernels*>& compiled_targets() {
#define VECH_LIST(target) &target::kernels,
    static const std::vector<const Kernels*> list{VECH_TARGETS(VECH_LIST)};
    return list;
}

namespace {
const Kernels*& active() {
    static const Kernels* chosen = [] {
        for (const auto* target : compiled_targets())
            if (target->supported()) return target;
        return compiled_targets().back();
    }();
    return chosen;
}
}  // namespace

const Kernels& active_target() { return *active(); }

bool set_target(const std::string& name) {
    for (const auto* target : compiled_targets())
        if (name == target->name && target->supported()) {
            active() = target;
            return true;
        }
    return false;
}

}  // namespace vech
