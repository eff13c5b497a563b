#include "core/digest.hpp"

#include <bit>
#include <cstring>
#include <initializer_list>

namespace vech {
namespace {

constexpr std::uint64_t primes[] = {
    0, 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5};

template <class Word>
std::uint64_t little(const std::byte* bytes) noexcept {
    Word word;
    std::memcpy(&word, bytes, sizeof word);
    if constexpr (std::endian::native == std::endian::big)
        return sizeof word == 8 ? __builtin_bswap64(word) : __builtin_bswap64(word) >> 32;
    return word;
}

std::uint64_t round(std::uint64_t lane, std::uint64_t word) noexcept {
    return std::rotl(lane + word * primes[2], 31) * primes[1];
}

}  // namespace

std::uint64_t xxh64(const std::byte* bytes, std::size_t count) noexcept {
    const std::byte* const end = bytes + count;
    std::uint64_t sum = primes[5];
    if (count >= 32) {
        std::uint64_t a = primes[1] + primes[2], b = primes[2], c = 0, d = 0 - primes[1];
        for (; end - bytes >= 32; bytes += 32) {
            a = round(a, little<std::uint64_t>(bytes));
            b = round(b, little<std::uint64_t>(bytes + 8));
            c = round(c, little<std::uint64_t>(bytes + 16));
            d = round(d, little<std::uint64_t>(bytes + 24));
        }
        sum = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
        for (const std::uint64_t lane : {a, b, c, d}) sum = (sum ^ round(0, lane)) * primes[1] + primes[4];
    }
    sum += count;
    for (; end - bytes >= 8; bytes += 8)
        sum = std::rotl(sum ^ round(0, little<std::uint64_t>(bytes)), 27) * primes[1] + primes[4];
    if (end - bytes >= 4) {
        sum = std::rotl(sum ^ (little<std::uint32_t>(bytes) * primes[1]), 23) * primes[2] + primes[3];
        bytes += 4;
    }
    for (; bytes != end; ++bytes)
        sum = std::rotl(sum ^ (static_cast<std::uint64_t>(*bytes) * primes[5]), 11) * primes[1];
    sum = (sum ^ (sum >> 33)) * primes[2];
    sum = (sum ^ (sum >> 29)) * primes[3];
    return sum ^ (sum >> 32);
}

}  // namespace vech
