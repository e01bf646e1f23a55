// ByteWriter: plain values to little-endian bytes, one overload per kind of value (docs/link-format.md, "Values").
// A struct takes part by a function fields(struct&) that returns std::tie of its members in order (link/fields.h);
// ByteReader walks the same list, so the two directions cannot disagree.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"

namespace hearth::link {

template <class T>
concept WireInteger = std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t> ||
                      std::same_as<T, std::uint32_t> || std::same_as<T, std::uint64_t> || std::same_as<T, std::int32_t>;

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <WireInteger T>
  void put(T value) {
    using Unsigned = std::make_unsigned_t<T>;
    const auto bits = static_cast<Unsigned>(value);
    for (std::size_t index = 0; index < sizeof(T); ++index)
      out_.push_back(static_cast<char>(static_cast<unsigned char>(bits >> (8 * index))));
  }
  void put(bool value) { put(static_cast<std::uint8_t>(value ? 1 : 0)); }
  void put(float value) { put(std::bit_cast<std::uint32_t>(value)); }
  template <class T>
    requires std::is_enum_v<T>
  void put(T value) {
    put(std::to_underlying(value));
  }
  void put(const std::string& value) {
    put_count(value.size());
    out_ += value;
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class A, class B>
  void put(const std::pair<A, B>& value) {
    put(value.first);
    put(value.second);
  }
  template <class T>
  void put(const std::vector<T>& values) {
    put_count(values.size());
    if constexpr (WireInteger<T> && std::endian::native == std::endian::little) {  // a prompt: one copy, not a loop
      if (!values.empty()) out_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    } else {
      for (const T& value : values) put(value);
    }
  }
  void put(const std::map<std::string, std::uint64_t>& values) {
    put_count(values.size());
    for (const auto& [key, value] : values) {
      put(key);
      put(value);
    }
  }
  template <class T>
    requires requires(const T& value) { fields(value); }
  void put(const T& value) {
    std::apply([this](const auto&... field) { (put(field), ...); }, fields(value));
  }

 private:
  // What we send is bounded far below this by the front's body limit.
  void put_count(std::size_t count) {
    CHECK(count <= UINT32_MAX);
    put(static_cast<std::uint32_t>(count));
  }

  std::string& out_;
};

}  // namespace hearth::link
