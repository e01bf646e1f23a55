// Plain values to and from a row of bytes, as they lie in memory: for formats of this machine's own files, which name their byte
// order. The link has its own reader, whose input is never trusted (link/byte_reader.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/check.h"

namespace hearth {

// `to` is a vector of bytes or a string.
template <class Container, class T>
void append_raw(Container& to, const T& value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(typename Container::value_type) == 1);
  const std::size_t before = to.size();
  to.resize(before + sizeof value);
  std::memcpy(to.data() + before, &value, sizeof value);
}

// REQUIRES: enough bytes; they are gone from `from` afterwards.
template <class T>
T take_raw(std::span<const std::uint8_t>& from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  CHECK(from.size() >= sizeof value);
  std::memcpy(&value, from.data(), sizeof value);
  from = from.subspan(sizeof value);
  return value;
}

}  // namespace hearth
