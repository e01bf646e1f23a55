// ByteWriter and ByteReader: plain values to little-endian bytes and back, one overload per kind of value.
// A struct takes part by a function fields(struct&) that returns std::tie of its members in the order of
// docs/link-format.md; both directions walk that one list, so they cannot disagree.
//
// The reader trusts nothing. After the first bad byte it yields empty values and keeps the first reason; the caller
// looks once, at the end. A count is compared with the bytes that are left before anything is allocated for it.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"

namespace hearth::link {

template <class T>
concept WireInteger = std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t> || std::same_as<T, std::uint32_t> ||
                      std::same_as<T, std::uint64_t> || std::same_as<T, std::int32_t>;

// The fewest bytes a value can take: how many of them can follow at most is read off this.
template <class T>
struct WireMinimum;
template <class T>
  requires std::is_arithmetic_v<T>
struct WireMinimum<T> : std::integral_constant<std::size_t, sizeof(T)> {};
template <class T>
  requires std::is_enum_v<T>
struct WireMinimum<T> : std::integral_constant<std::size_t, sizeof(T)> {};
template <>
struct WireMinimum<std::string> : std::integral_constant<std::size_t, 4> {};
template <class T>
struct WireMinimum<std::vector<T>> : std::integral_constant<std::size_t, 4> {};
template <class T>
struct WireMinimum<std::optional<T>> : std::integral_constant<std::size_t, 1> {};
template <class A, class B>
struct WireMinimum<std::pair<A, B>>
    : std::integral_constant<std::size_t, WireMinimum<A>::value + WireMinimum<B>::value> {};
template <class... T>
struct WireMinimum<std::tuple<T&...>> : std::integral_constant<std::size_t, (WireMinimum<T>::value + ... + 0)> {};
template <class T>
  requires requires(T& value) { fields(value); }
struct WireMinimum<T> : WireMinimum<decltype(fields(std::declval<T&>()))> {};

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

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool ok() const { return error_ == nullptr; }
  [[nodiscard]] const char* error() const { return error_; }  // REQUIRES: !ok()
  [[nodiscard]] std::size_t left() const { return bytes_.size(); }
  void reject(const char* reason) {
    if (ok()) error_ = reason;
    bytes_ = {};
  }

  template <WireInteger T>
  void get(T& value) {
    if (!need(sizeof(T))) return;
    using Unsigned = std::make_unsigned_t<T>;
    Unsigned bits = 0;
    for (std::size_t index = 0; index < sizeof(T); ++index) {
      const auto byte = static_cast<Unsigned>(static_cast<unsigned char>(bytes_[index]));
      bits = static_cast<Unsigned>(bits | static_cast<Unsigned>(byte << (8 * index)));
    }
    value = static_cast<T>(bits);
    bytes_.remove_prefix(sizeof(T));
  }
  void get(bool& value) {
    std::uint8_t byte = 0;
    get(byte);
    if (byte > 1) return reject("a flag is neither 0 nor 1");
    value = byte == 1;
  }
  void get(float& value) {
    std::uint32_t bits = 0;
    get(bits);
    if (ok()) value = std::bit_cast<float>(bits);
  }
  template <class T>
    requires std::is_enum_v<T>
  void get(T& value) {
    std::underlying_type_t<T> number = 0;
    get(number);
    if (!ok()) return;
    if (number > std::to_underlying(last_value(T{}))) return reject("an unknown enumeration value");
    value = static_cast<T>(number);
  }
  void get(std::string& value) {
    std::uint32_t length = 0;
    get(length);
    if (!need(length)) return;
    value.assign(bytes_.substr(0, length));
    bytes_.remove_prefix(length);
  }
  template <class T>
  void get(std::optional<T>& value) {
    bool present = false;
    get(present);
    value.reset();
    if (ok() && present) get(value.emplace());
  }
  template <class A, class B>
  void get(std::pair<A, B>& value) {
    get(value.first);
    get(value.second);
  }
  template <class T>
  void get(std::vector<T>& values) {
    values.clear();
    const std::size_t count = get_count(WireMinimum<T>::value);
    if (count == 0) return;
    values.resize(count);
    if constexpr (WireInteger<T> && std::endian::native == std::endian::little) {
      std::memcpy(values.data(), bytes_.data(), count * sizeof(T));
      bytes_.remove_prefix(count * sizeof(T));
    } else {
      for (T& value : values) {
        if (!ok()) return;
        get(value);
      }
    }
  }
  void get(std::map<std::string, std::uint64_t>& values) {
    values.clear();
    const std::size_t count = get_count(WireMinimum<std::string>::value + sizeof(std::uint64_t));
    for (std::size_t index = 0; index < count && ok(); ++index) {
      std::pair<std::string, std::uint64_t> entry;
      get(entry);
      if (!ok()) return;
      if (!values.empty() && entry.first <= values.rbegin()->first) return reject("map keys are not ascending");
      values.emplace_hint(values.end(), std::move(entry));
    }
  }
  template <class T>
    requires requires(T& value) { fields(value); }
  void get(T& value) {
    std::apply([this](auto&... field) { (get(field), ...); }, fields(value));
  }

 private:
  [[nodiscard]] bool need(std::size_t bytes) {
    if (ok() && bytes <= bytes_.size()) return true;
    reject("a value runs past the end of the frame");
    return false;
  }
  [[nodiscard]] std::size_t get_count(std::size_t bytes_each_min) {
    std::uint32_t count = 0;
    get(count);
    if (!ok()) return 0;
    if (count <= bytes_.size() / bytes_each_min) return count;
    reject("a count promises more than the frame holds");
    return 0;
  }

  std::string_view bytes_;  // what is left
  const char* error_ = nullptr;
};

}  // namespace hearth::link
