// ByteReader: little-endian bytes to plain values, the way back of ByteWriter.
//
// It trusts nothing. After the first bad byte it yields empty values and keeps the first reason; the caller looks once,
// at the end. A count is compared with the bytes that are left before anything is allocated for it.
#pragma once

#include <bit>
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

#include "link/byte_writer.h"
#include "link/wire_minimum.h"

namespace hearth::link {

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
