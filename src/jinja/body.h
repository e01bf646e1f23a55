// Bodies: what values share, counted by reference. A body belongs to the values that hold it; the strings of a compiled
// template are frozen, so that many threads may read them without counting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "jinja/budget.h"
#include "jinja/value.h"

namespace hearth::jinja {

class Evaluator;
struct Statement;
struct Scope;

inline constexpr std::uint32_t kFrozen = 0xFFFFFFFF;

struct Body {
  Body() = default;
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  virtual ~Body() = default;
  std::uint32_t references = 0;
};

struct StringBody final : Body {
  StringBody(Budget* budget_of_render, Text value);
  ~StringBody() override;
  const Text text;
  Budget* const budget;  // null when frozen
};

// A list and its kin. Lists only grow while they are built; afterwards they are constant (the sandbox is immutable).
struct ListBody final : Body {
  ListBody(Budget& budget_of_render, std::vector<Value> values);
  ~ListBody() override;
  [[nodiscard]] static Value make(Kind kind, Budget& budget, std::vector<Value> values);
  std::vector<Value> items;
  std::size_t next = 0;  // a generator's place
  int depth = 1;
  Budget& budget;
};

// Keys in the order they were first set.
struct DictBody final : Body {
  using Member = std::pair<Value, Value>;
  explicit DictBody(Budget& budget_of_render) : budget(budget_of_render) {}
  ~DictBody() override;
  [[nodiscard]] static Value make(Budget& budget);
  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] const Value* find(const Value& key) const;  // refuses what Python cannot hash
  void set(Value key, Value value);
  std::vector<Member> members;
  int depth = 1;
  Budget& budget;

 private:
  [[nodiscard]] std::size_t index_of(std::string_view key) const;
  [[nodiscard]] std::size_t index_of(const Value& key) const;
  // Only when there are many keys; views into the keys' bodies.
  std::unordered_map<std::string_view, std::size_t> index_;
};

// Why a value is undefined; the words are only made when someone asks.
struct UndefinedBody final : Body {
  enum class Reason { Variable, Attribute, Element, Unsafe, Hint };
  UndefinedBody(Reason why, std::string of, std::string what)
      : reason(why), object(std::move(of)), name(std::move(what)) {}
  [[nodiscard]] static Value make(Reason reason, std::string object, std::string name) {
    return {Kind::Undefined, new UndefinedBody(reason, std::move(object), std::move(name))};
  }
  [[nodiscard]] std::string message() const;
  Reason reason;
  std::string object;
  std::string name;
};

struct NamespaceBody final : Body {
  [[nodiscard]] const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
  std::vector<std::pair<std::string, Value>> members;
  bool being_shown = false;  // a namespace may hold itself
};

// The variable `loop` inside a for.
struct LoopBody final : Body {
  Value items;  // a List
  std::size_t index = 0;
  int depth = 1;
  const Statement* statement = nullptr;
  Scope* scope = nullptr;  // around the for
  Value last_changed;
  bool has_changed_once = false;
};

struct MacroBody final : Body {
  const Statement* statement = nullptr;  // Macro or CallBlock
  Scope* scope = nullptr;                // where it was defined
};

struct MethodBody final : Body {
  Value object;
  std::string name;
};

// The arguments of a call, a filter or a test.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
  Value caller;  // of a call block; none otherwise
};

struct Builtin {
  const char* name;
  Value (*call)(Evaluator& evaluator, Arguments& arguments);
};

}  // namespace hearth::jinja
