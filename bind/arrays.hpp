// Arrays as kernels see them: words of 1, 2, 4, 8 or 16 bytes behind byte strides. What all of them are asked is here.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <new>
#include <optional>
#include <string>

#include "core/dispatch.hpp"

namespace nb = nanobind;

namespace vech {

using In = nb::ndarray<nb::ro, nb::device::cpu>;
using Out = nb::ndarray<nb::device::cpu>;  // writable
template <class T, class... Shape>
using Array = nb::ndarray<T, Shape..., nb::c_contig, nb::device::cpu>;
using Line = nb::ndim<1>;
using Fill = std::optional<In>;  // the number of an implied diagonal

struct BoundChange : Change {
    int item;
};

// ---- what an array holds

inline int item_size(const In& array) {
    const auto item = static_cast<int>(array.itemsize());
    if (array.dtype().lanes != 1 || (item != 1 && item != 2 && item != 4 && item != 8 && item != 16))
        throw nb::type_error("numbers have 1, 2, 4, 8 or 16 bytes");
    return item;
}
inline bool is_of(const In& array, nb::dlpack::dtype_code code) {
    return array.dtype().code == static_cast<std::uint8_t>(code);
}
inline bool is_complex(const In& array) { return is_of(array, nb::dlpack::dtype_code::Complex); }

// Bytes of a number's real part, 4 or 8; 0 for numbers that no kernel computes with.
inline int real_size(const In& array) {
    const int bytes = is_complex(array) ? item_size(array) / 2 : item_size(array);
    const bool floating = is_complex(array) || is_of(array, nb::dlpack::dtype_code::Float);
    return floating && (bytes == 4 || bytes == 8) ? bytes : 0;
}

constexpr const char* no_kernel = "these numbers have no kernel";

// ---- where it holds it

inline std::int64_t stride_bytes(const In& array, std::size_t axis) {
    return array.stride(axis) * static_cast<std::int64_t>(array.itemsize());
}
inline std::byte* address(const In& array) {
    return const_cast<std::byte*>(static_cast<const std::byte*>(array.data()));
}
template <class Any>
std::int64_t extent(const Any& array, std::size_t axis) {
    return static_cast<std::int64_t>(array.shape(axis));
}

inline void need_axes(const In& array, std::size_t axes) {
    if (array.ndim() < axes) throw nb::value_error("an array has too few axes");
}
inline void need_item(int item, const In& array) {
    if (item_size(array) != item) throw nb::value_error("the arrays differ in item size");
}
// One axis of so many numbers side by side.
inline void need_line(const In& array, std::int64_t size, const char* what) {
    if (array.ndim() != 1 || extent(array, 0) != size || (size > 1 && array.stride(0) != 1))
        throw nb::value_error(what);
}
inline void need_line(const In& array, std::int64_t size, nb::dlpack::dtype dtype, const char* what) {
    if (array.dtype() != dtype) throw nb::value_error(what);
    need_line(array, size, what);
}

// The memory of an array whose numbers lie side by side in C order; of anything else none, and no error. It takes 40 ns
// where an `In` takes 75 (Zen 5).
class Plain {
  public:
    Plain(nb::handle array, bool written) {
        const int what = PyBUF_FORMAT | PyBUF_STRIDES | (written ? PyBUF_WRITABLE : 0);
        held_ = PyObject_GetBuffer(array.ptr(), &view_, what) == 0;
        if (!held_) PyErr_Clear();
    }
    Plain(const Plain&) = delete;
    Plain& operator=(const Plain&) = delete;
    ~Plain() {
        if (held_) PyBuffer_Release(&view_);
    }
    bool is(int item, std::initializer_list<std::int64_t> shape) const {
        if (!held_ || view_.itemsize != item || view_.ndim != static_cast<int>(shape.size())) return false;
        std::int64_t step = item;
        for (int axis = view_.ndim; axis-- > 0; step *= view_.shape[axis]) {
            if (view_.shape[axis] != shape.begin()[axis]) return false;
            if (view_.shape[axis] != 1 && view_.strides[axis] != step) return false;
        }
        return true;
    }
    // Whether both hold numbers of one type, and no byte in common.
    bool is_beside(const Plain& other) const {
        const auto *mine = begin(), *theirs = other.begin();
        const bool apart = mine + view_.len <= theirs || theirs + other.view_.len <= mine;
        return apart && view_.format != nullptr && other.view_.format != nullptr &&
               std::strcmp(view_.format, other.view_.format) == 0;
    }
    std::byte* begin() const { return static_cast<std::byte*>(view_.buf); }

  private:
    Py_buffer view_;
    bool held_;
};

// A new array, or the one that was given where it is NumPy's own; else None.
struct Result {
    nb::object shape, dtype;

    nb::object memory(nb::handle given) const {
        static PyObject *const empty = kept("empty"), *const type = kept("ndarray");
        if (given.is_none()) return nb::handle(empty)(shape, dtype);
        return given.type().is(type) ? nb::borrow(given) : nb::none();
    }

  private:
    // Never given back: what is static ends after the interpreter.
    static PyObject* kept(const char* name) {
        return nb::object(nb::module_::import_("numpy").attr(name)).release().ptr();
    }
};

// ---- sizes

// Columns are int32, and products of two sides are bytes in 64 bits.
constexpr std::int64_t side_most = std::numeric_limits<std::int32_t>::max();
inline std::int64_t side(std::int64_t n) {
    if (n < 0 || n > side_most) throw nb::value_error("n is negative, or beyond the largest 32-bit index");
    return n;
}
inline Half half_of(std::int64_t n, bool grow, bool diagonal) { return {side(n), grow, diagonal}; }

// `count` rows or columns from `first` on, of n.
inline Range range_in(std::int64_t first, std::int64_t count, std::int64_t n, const char* what) {
    if (first < 0 || count > n || first > n - count) throw nb::index_error(what);
    return {first, first + count};
}

// ---- numbers beside arrays

inline void copy_bytes(std::uint8_t (&to)[16], const nb::bytes& from, int item, const char* what) {
    if (from.size() != static_cast<std::size_t>(item)) throw nb::value_error(what);
    std::memcpy(to, from.data(), from.size());
}
inline void copy_number(std::uint8_t (&to)[16], const In& from, int item) {
    if (from.size() != 1 || item_size(from) != item)
        throw nb::value_error("fill is one number of the half's item size");
    std::memcpy(to, from.data(), static_cast<std::size_t>(item));
}
inline const Change& take(const BoundChange& change, int item) {
    if (change.item != item) throw nb::value_error("a change is of another item size");
    return change;
}

// ---- to a kernel and back

inline bool signalled() noexcept {
    nb::gil_scoped_acquire held;
    return PyErr_CheckSignals() != 0;
}

// Runs a kernel without the GIL; Ctrl-C, or what else is raised when it asks, ends it.
template <class Kernel>
void run(int threads, Kernel&& kernel, Watch::Interrupted interrupted = signalled) {
    if (threads < 1) throw nb::value_error("threads must be at least 1");
    Watch watch(interrupted);
    {
        nb::gil_scoped_release released;
        kernel(watch);
    }
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
}

inline void raise_for(Fault fault, const char* malformed) {
    if (fault == Fault::malformed) throw nb::value_error(malformed);
    if (fault == Fault::changed)
        throw nb::value_error("indptr or indices changed while they were used: copy them first");
    if (fault == Fault::out_of_memory) throw std::bad_alloc();
}

// The array takes over a block from malloc.
inline nb::object owned(void* block, std::int64_t count, nb::dlpack::dtype dtype) {
    const nb::capsule owner(block, [](void* p) noexcept { std::free(p); });
    const auto size = static_cast<std::size_t>(count);
    return nb::cast(nb::ndarray<nb::numpy>(block, 1, &size, owner, nullptr, dtype));
}

// indptr, indices and data of n rows; they take over what the kernel found.
inline nb::tuple arrays_of(const Csr& csr, std::int64_t n, nb::dlpack::dtype dtype) {
    const auto indptr = owned(csr.indptr, n + 1, nb::dtype<std::int64_t>());
    const auto indices = owned(csr.indices, csr.nonzeros, nb::dtype<std::int32_t>());
    return nb::make_tuple(indptr, indices, owned(csr.data, csr.nonzeros, dtype));
}

}  // namespace vech
