// Older versions of what newer glibc has under new ones, which manylinux_2_28 lacks; with VECH_OLD_GLIBC alone.
// The linker sends calls here by --wrap. `hypot` and `pow` give the same numbers, and set errno besides.
#include <pthread.h>

#if defined(__x86_64__)
#define VECH_FIRST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define VECH_FIRST "GLIBC_2.17"
#endif

#define VECH_OLD(result, name, parameters, arguments)        \
    result old_##name parameters;                            \
    __asm__(".symver old_" #name ", " #name "@" VECH_FIRST); \
    result __wrap_##name parameters { return old_##name arguments; }

extern "C" {
VECH_OLD(double, hypot, (double x, double y), (x, y))
VECH_OLD(double, pow, (double x, double y), (x, y))
VECH_OLD(int, pthread_create, (pthread_t * thread, const pthread_attr_t* attributes, void* (*run)(void*), void* given),
         (thread, attributes, run, given))
VECH_OLD(int, pthread_join, (pthread_t thread, void** result), (thread, result))

char __libc_single_threaded = 0;  // of libstdc++, for counts of references: others may use them
}
