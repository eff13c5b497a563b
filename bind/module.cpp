#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>

#include "bind/arrays.hpp"

namespace vech {

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
void bind_table(nb::module_&);
void bind_text(nb::module_&);

namespace {

std::vector<std::string> names(bool supported_only) {
    std::vector<std::string> list;
    for (const auto* target : compiled_targets())
        if (!supported_only || target->supported()) list.emplace_back(target->name);
    return list;
}

void force_target() {
    const char* wanted = std::getenv("VECH_TARGET");
    if (wanted == nullptr || *wanted == '\0' || set_target(wanted)) return;
    std::string choices;
    for (const auto& name : names(true)) choices += (choices.empty() ? "" : ", ") + name;
    throw nb::import_error(
        ("VECH_TARGET is '" + std::string(wanted) + "', but this processor runs: " + choices).c_str());
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
    vech::bind_table(m);
    vech::bind_text(m);
}
