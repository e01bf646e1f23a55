// Value: what a template computes with, as Python has it: lists, dicts and namespaces are shared, everything else is a
// value. One render's values belong to one thread; only constants of a compiled template are shared, and those are frozen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "jinja/text.h"

namespace hearth::jinja {

class Budget;
struct Body;
struct StringBody;
struct ListBody;
struct DictBody;
struct UndefinedBody;
struct NamespaceBody;
struct LoopBody;
struct MacroBody;
struct MethodBody;
struct Builtin;

enum class Kind : std::uint8_t {
  None,
  Bool,
  Int,
  Float,
  Function,  // a Builtin
  // From here on a value has a body.
  Undefined,
  String,
  List,
  Tuple,
  Range,
  View,       // dict.keys() and its like: has a length and can be walked again, but has no elements by index
  Generator,  // what map and select give: can be walked once
  Dict,
  Namespace,
  Loop,
  Macro,
  Method,  // a method not called yet
  BigInt,  // a whole number over 64 bits, as its digits: it can be shown and compared, not computed with
};

// Markup is what `safe` and `escape` give: text that escapes what is added to it with +.
enum class Markup : bool { No, Yes };

class Value {
 public:
  Value() = default;
  Value(bool value) : kind_(Kind::Bool) { payload_.boolean = value; }
  Value(std::int64_t value) : kind_(Kind::Int) { payload_.integer = value; }
  Value(double value) : kind_(Kind::Float) { payload_.number = value; }
  Value(const Builtin* function) : kind_(Kind::Function) { payload_.function = function; }
  Value(Kind kind, Body* body, Markup markup = Markup::No);
  Value(const Value& other) : kind_(other.kind_), markup_(other.markup_), payload_(other.payload_) { keep(); }
  Value(Value&& other) noexcept : kind_(other.kind_), markup_(other.markup_), payload_(other.payload_) {
    other.kind_ = Kind::None;
  }
  Value& operator=(const Value& other) {
    Value copy(other);
    swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    Value taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Value() {
    if (has_body()) drop();
  }

  // A frozen string belongs to a compiled template: never counted, never freed by values.
  [[nodiscard]] static Value string(Budget& budget, Text text, Markup markup = Markup::No);
  [[nodiscard]] static Value string(Budget& budget, std::string_view text) { return string(budget, Text(text)); }
  [[nodiscard]] static Value frozen(StringBody& body);
  [[nodiscard]] static Value big_integer(Budget& budget, std::string_view digits);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is(Kind kind) const { return kind_ == kind; }
  [[nodiscard]] bool is_undefined() const { return kind_ == Kind::Undefined; }
  [[nodiscard]] bool is_string() const { return kind_ == Kind::String; }
  [[nodiscard]] bool is_markup() const { return kind_ == Kind::String && markup_ == Markup::Yes; }
  [[nodiscard]] Markup markup() const { return markup_; }
  // Bool, Int, Float: as Python's numbers, where True is 1.
  [[nodiscard]] bool is_number() const { return kind_ == Kind::Bool || kind_ == Kind::Int || kind_ == Kind::Float; }
  [[nodiscard]] bool is_integer() const { return kind_ == Kind::Bool || kind_ == Kind::Int; }
  // List, Tuple, Range, View, Generator: a ListBody.
  [[nodiscard]] bool is_listing() const { return kind_ >= Kind::List && kind_ <= Kind::Generator; }

  // REQUIRES, each: the matching kind.
  [[nodiscard]] bool boolean() const { return payload_.boolean; }
  [[nodiscard]] std::int64_t integer() const { return kind_ == Kind::Bool ? payload_.boolean : payload_.integer; }
  [[nodiscard]] double number() const {
    return kind_ == Kind::Float ? payload_.number : static_cast<double>(integer());
  }
  [[nodiscard]] const Builtin& function() const { return *payload_.function; }
  [[nodiscard]] const Text& text() const;  // of a BigInt: its digits
  [[nodiscard]] std::string_view view() const { return text().view(); }
  [[nodiscard]] ListBody& list() const;
  [[nodiscard]] DictBody& dict() const;
  [[nodiscard]] UndefinedBody& undefined() const;
  [[nodiscard]] NamespaceBody& names() const;
  [[nodiscard]] LoopBody& loop() const;
  [[nodiscard]] MacroBody& macro() const;
  [[nodiscard]] MethodBody& method() const;
  [[nodiscard]] const Body* body() const { return has_body() ? payload_.body : nullptr; }

  // Python's own name of the type: "str", "NoneType".
  [[nodiscard]] const char* type_name() const;

 private:
  [[nodiscard]] bool has_body() const { return kind_ >= Kind::Undefined; }
  void keep() const;
  void drop();
  void swap(Value& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(markup_, other.markup_);
    std::swap(payload_, other.payload_);
  }

  Kind kind_ = Kind::None;
  Markup markup_ = Markup::No;
  union Payload {
    bool boolean;
    std::int64_t integer;
    double number;
    const Builtin* function;
    Body* body;
  } payload_{.integer = 0};
};

}  // namespace hearth::jinja
