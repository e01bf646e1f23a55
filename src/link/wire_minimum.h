// WireMinimum<T>: the fewest bytes that a value of T takes in a frame, known when this is compiled.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace hearth::link {

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

}  // namespace hearth::link
