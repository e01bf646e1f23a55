// The syntax tree of a template: built by the parser, then constant and shared by every thread that renders.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/body.h"
#include "jinja/operations.h"
#include "jinja/value.h"

namespace hearth::jinja {

// A variable's place in Syntax::names.
using NameId = std::uint32_t;
// Names that the evaluator itself sets; Syntax::names begins with them.
inline constexpr NameId kLoopName = 0;
inline constexpr NameId kCallerName = 1;
inline constexpr NameId kVarargsName = 2;
inline constexpr NameId kKwargsName = 3;

using FilterFunction = Value (*)(Evaluator& evaluator, const Value& input, Arguments& arguments);
using TestFunction = bool (*)(Evaluator& evaluator, const Value& input, Arguments& arguments);

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct ArgumentList {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr spread_list;  // *list
  ExpressionPtr spread_dict;  // **dict
};

enum class Comparison : std::uint8_t { Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, In, NotIn };

enum class ExpressionKind : std::uint8_t {
  Constant,         // constant
  Name,             // name
  NamespaceTarget,  // name . attribute, only as a target of set
  Tuple,            // parts
  List,             // parts
  Dict,             // parts: key, value, key, value
  Attribute,        // parts[0] . attribute
  Item,             // parts[0] [ parts[1] ]
  Slice,            // parts: object, start, stop, step; all but the object may be null
  Call,             // parts[0] ( arguments )
  Filter,           // parts[0] | attribute ( arguments ); parts[0] is null where a block is filtered
  Test,             // parts[0] is attribute ( arguments )
  Not,              // parts[0]
  Negate,
  Plus,
  And,  // parts[0], parts[1]
  Or,
  Binary,     // parts[0] arithmetic parts[1]
  Concat,     // parts
  Compare,    // parts[0] comparisons[0] parts[1] comparisons[1] parts[2] ...
  Condition,  // parts: test, value, otherwise (may be null)
};

struct Expression {
  ExpressionKind kind = ExpressionKind::Constant;
  Arithmetic arithmetic = Arithmetic::Add;
  int line = 0;
  int height = 1;  // of the tree below: bounds every recursion over it
  NameId name = 0;
  std::string attribute;
  Value constant;
  std::vector<ExpressionPtr> parts;
  std::vector<Comparison> comparisons;
  ArgumentList arguments;
  FilterFunction filter = nullptr;  // null: unknown, refused when reached
  TestFunction test = nullptr;
};

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

struct Branch {
  ExpressionPtr test;  // null: else
  Block body;
};

struct Parameter {
  NameId name = 0;
  std::string text;
  ExpressionPtr otherwise;  // may be null
};

enum class StatementKind : std::uint8_t {
  Text,
  Print,
  Set,
  SetBlock,
  If,
  For,
  Macro,
  CallBlock,
  FilterBlock,
  With,
  Scope,
  Break,
  Continue
};
enum class Recursive : bool { No, Yes };

struct Statement {
  StatementKind kind = StatementKind::Text;
  int line = 0;
  Recursive recursive = Recursive::No;
  // A macro or call block inside remembers the scope of this body, so it has to live as long as the render.
  bool scope_is_captured = false;
  // Macro, CallBlock: the body speaks of these.
  bool uses_caller = false;
  bool uses_varargs = false;
  bool uses_kwargs = false;
  NameId name = 0;        // Macro
  std::string name_text;  // Macro
  std::string text;       // Text
  ExpressionPtr target;   // Set, SetBlock, For
  ExpressionPtr
      expression;  // Print, Set, For (what is walked), CallBlock (the call), FilterBlock and SetBlock (the filter, or null)
  ExpressionPtr condition;            // For: the filter behind if, or null
  std::vector<Branch> branches;       // If
  std::vector<Parameter> parameters;  // Macro, CallBlock; With: names and values
  Block body;
  Block otherwise;  // For: else
};

struct Syntax {
  std::vector<std::unique_ptr<StringBody>> literals;  // frozen; constants in body point to them, so they die after it
  std::vector<std::string> names;
  Block body;
};

// Refuses (Syntax, Limit) what is no template.
[[nodiscard]] Syntax parse(std::string_view source);

}  // namespace hearth::jinja
