// Digest: what names and guards bytes that outlive the process: BLAKE3, 32 bytes. The one door to the library. Pure, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hearth {

using Digest = std::array<std::uint8_t, 32>;

// Everything that is added, in order, under a context: uses of one hash function that have different contexts never give the
// same digest. Texts that can have several lengths are the caller's to tell apart.
class Digester {
 public:
  explicit Digester(const char* context);  // a fixed text of ours
  ~Digester();
  Digester(const Digester&) = delete;
  Digester& operator=(const Digester&) = delete;

  Digester& add(std::span<const std::uint8_t> bytes);
  Digester& add(std::string_view text);
  Digester& add(std::uint64_t number);  // little-endian
  [[nodiscard]] Digest finish() const;

 private:
  static constexpr std::size_t kStateBytes = 1920;  // of the library's hasher; checked where it is made
  alignas(8) std::array<std::byte, kStateBytes> state_;
};

// Lower-case hexadecimal of the first `bytes` bytes.
[[nodiscard]] std::string hex_of(const Digest& digest, std::size_t bytes = 32);

}  // namespace hearth
