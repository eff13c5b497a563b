#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>
#include <stdexcept>

#include "bind/arrays.hpp"

namespace vech {

void bind_batches(nb::module_&);
void bind_dense(nb::module_&);
void bind_sparse(nb::module_&);
void bind_product(nb::module_&);
void bind_codes(nb::module_&);
void bind_digest(nb::module_&);
void bind_finish(nb::module_&);
void bind_gram(nb::module_&);
void bind_linkage(nb::module_&);
void bind_metrics(nb::module_&);
void bind_nearest(nb::module_&);
void bind_quantized(nb::module_&);
void bind_table(nb::module_&);
void bind_text(nb::module_&);

namespace {

std::vector<std::string> names(bool supported_only) {
    std::vector<std::string> list;
    for (const auto* target : compiled_targets())
        if (!supported_only || target->supported()) list.emplace_back(target->name);
    return list;
}

void use_target(const std::string& name, const std::string& called) {
    if (set_target(name)) return;
    std::string choices;
    for (const auto& supported : names(true)) choices += (choices.empty() ? "" : ", ") + supported;
    throw std::invalid_argument(called + " is '" + name + "', but this processor runs: " + choices);
}

void force_target() try {
    const char* wanted = std::getenv("VECH_TARGET");
    if (wanted != nullptr && *wanted != '\0') use_target(wanted, "VECH_TARGET");
} catch (const std::invalid_argument& unknown) {
    throw nb::import_error(unknown.what());
}

}  // namespace
}  // namespace vech

NB_MODULE(_core, m) {
    nb::set_leak_warnings(false);  // cached recipes keep their changes to the very end
    vech::force_target();
    m.attr("__version__") = VECH_VERSION;
    m.def("targets", [] {
        return nb::make_tuple(nb::tuple(nb::cast(vech::names(false))), nb::tuple(nb::cast(vech::names(true))),
                              std::string(vech::active_target().name));
    });
    m.def(
        "use_target",
        [](const std::string& name) {
            const std::string former = vech::active_target().name;
            vech::use_target(name, "name");
            return former;
        },
        nb::arg("name"), "Kernels of this target from now on, in every thread; gives the former one. For tests.");
    vech::bind_batches(m);
    vech::bind_dense(m);
    vech::bind_sparse(m);
    vech::bind_product(m);
    vech::bind_codes(m);
    vech::bind_digest(m);
    vech::bind_finish(m);
    vech::bind_gram(m);
    vech::bind_linkage(m);
    vech::bind_metrics(m);
    vech::bind_nearest(m);
    vech::bind_quantized(m);
    vech::bind_table(m);
    vech::bind_text(m);
}
