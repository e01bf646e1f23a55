// The evaluator: one render of one syntax tree. Made for it, used by one thread, thrown away after it.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/body.h"
#include "jinja/operations.h"
#include "jinja/syntax.h"

namespace hearth::jinja {

// Variables of one body; what is not here is looked up around it.
struct Scope {
  explicit Scope(Scope* around) : parent(around) {}
  [[nodiscard]] const Value* find(NameId name) const;
  void set(NameId name, Value value);
  Scope* parent;
  std::vector<std::pair<NameId, Value>> variables;
};

class Evaluator {
 public:
  Evaluator(const Syntax& syntax, Budget& budget) : syntax_(syntax), budget_(budget), root_(nullptr) {}
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  void set_variable(NameId name, Value value) { root_.set(name, std::move(value)); }
  [[nodiscard]] Text run();

  // For filters, methods and functions.
  [[nodiscard]] Budget& budget() { return budget_; }
  [[nodiscard]] Value call(const Value& function, Arguments& arguments);
  [[nodiscard]] Value string(Text text, Markup markup = Markup::No) {
    return Value::string(budget_, std::move(text), markup);
  }
  [[nodiscard]] Value list(std::vector<Value> items, Kind kind = Kind::List) {
    return ListBody::make(kind, budget_, std::move(items));
  }
  [[nodiscard]] Value make_namespace();

 private:
  enum class Flow { Next, Break, Continue };
  class Depth;
  class LocalScope;

  // evaluate_statements.cpp
  Flow execute(const Block& block, Scope& scope, Text& out);
  Flow execute(const Statement& statement, Scope& scope, Text& out);
  Flow execute_if(const Statement& statement, Scope& scope, Text& out);
  Flow execute_scope(const Statement& statement, Scope& scope, Text& out);
  Flow execute_filter_block(const Statement& statement, Scope& scope, Text& out);
  Flow execute_set_block(const Statement& statement, Scope& scope);
  Flow execute_for(const Statement& statement, Scope& scope, Text& out);
  // The for over `items`; depth counts recursive loops.
  Flow walk(const Statement& statement, const Value& items, int depth, Scope& scope, Text& out);
  [[nodiscard]] Value chosen(const Statement& statement, const Value& items, Scope& scope);
  void call_with_block(const Statement& statement, Scope& scope, Text& out);
  void assign(const Expression& target, Value value, Scope& scope);
  [[nodiscard]] Value make_macro(const Statement& statement, Scope& scope);
  [[nodiscard]] Value call_macro(const MacroBody& macro, Arguments& arguments);
  void bind_parameters(const Statement& statement, Arguments& arguments, Scope& scope);
  void bind_rest(const Statement& statement, Arguments& arguments, std::vector<char>& used, Scope& scope);
  [[nodiscard]] Value call_loop(const Value& loop, Arguments& arguments);

  // evaluate_expressions.cpp
  [[nodiscard]] Value evaluate(const Expression& expression, Scope& scope);
  [[nodiscard]] Value evaluate_inner(const Expression& expression, Scope& scope);
  [[nodiscard]] Value variable(NameId name, const Scope& scope) const;
  [[nodiscard]] Value make_list(const Expression& expression, Kind kind, Scope& scope);
  [[nodiscard]] Value make_dict(const Expression& expression, Scope& scope);
  [[nodiscard]] Value slice(const Expression& expression, Scope& scope);
  [[nodiscard]] Value call_expression(const Expression& expression, Scope& scope, Value caller);
  [[nodiscard]] Value filter(const Expression& expression, Scope& scope, const Value* block_text);
  [[nodiscard]] bool test(const Expression& expression, Scope& scope);
  [[nodiscard]] bool compare(const Expression& expression, Scope& scope);
  [[nodiscard]] bool compare(Comparison comparison, const Value& left, const Value& right);
  [[nodiscard]] Arguments evaluate_arguments(const ArgumentList& list, Scope& scope);

  const Syntax& syntax_;
  Budget& budget_;
  int depth_ = 0;
  Scope root_;
  // Kept until the end, because macros and namespaces can refer to one another in circles.
  std::vector<std::unique_ptr<Scope>> captured_;
  std::vector<Value> namespaces_;
};

class Evaluator::Depth {
 public:
  explicit Depth(Evaluator& evaluator) : evaluator_(evaluator) {
    if (evaluator_.depth_ >= kEvaluationDepthMax) refuse_limit("the template recurses too deep");
    evaluator_.budget_.spend();
    ++evaluator_.depth_;
  }
  ~Depth() { --evaluator_.depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  Evaluator& evaluator_;
};

}  // namespace hearth::jinja
