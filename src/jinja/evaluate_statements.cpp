// The evaluator's half for tags: loops, scopes, macros. Used by one thread.
#include <algorithm>
#include <format>

#include "jinja/evaluator.h"
#include "jinja/filters.h"

namespace hearth::jinja {

const Value* Scope::find(NameId name) const {
  for (const auto& [known, value] : variables)
    if (known == name) return &value;
  return nullptr;
}

void Scope::set(NameId name, Value value) {
  for (auto& [known, old] : variables) {
    if (known != name) continue;
    old = std::move(value);
    return;
  }
  variables.emplace_back(name, std::move(value));
}

// A scope of its own for a body, on the stack unless a macro inside may remember it.
class Evaluator::LocalScope {
 public:
  LocalScope(Evaluator& evaluator, const Statement& statement, Scope* parent) : local_(parent), scope_(&local_) {
    if (!statement.scope_is_captured) return;
    evaluator.budget_.allocate(sizeof(Scope));
    evaluator.captured_.push_back(std::make_unique<Scope>(parent));
    scope_ = evaluator.captured_.back().get();
  }
  Scope& operator*() { return *scope_; }
  Scope* operator->() { return scope_; }

 private:
  Scope local_;
  Scope* scope_;
};

Evaluator::~Evaluator() {
  for (const Value& space : namespaces_) space.names().members.clear();
  for (const auto& scope : captured_) scope->variables.clear();
  root_.variables.clear();
}

Text Evaluator::run() {
  Text out;
  execute(syntax_.body, root_, out);
  return out;
}

Value Evaluator::make_namespace() {
  budget_.allocate(sizeof(NamespaceBody));
  namespaces_.emplace_back(Kind::Namespace, new NamespaceBody);
  return namespaces_.back();
}

Evaluator::Flow Evaluator::execute(const Block& block, Scope& scope, Text& out) {
  for (const auto& statement : block) {
    try {
      const Flow flow = execute(*statement, scope, out);
      if (flow != Flow::Next) return flow;
    } catch (Refusal& refusal) {
      if (refusal.line == 0) refusal.line = statement->line;
      throw;
    }
  }
  return Flow::Next;
}

Evaluator::Flow Evaluator::execute(const Statement& statement, Scope& scope, Text& out) {
  const Depth depth(*this);
  switch (statement.kind) {
    case StatementKind::Text: out.append(statement.text); return Flow::Next;
    case StatementKind::Print: append_text(out, evaluate(*statement.expression, scope), budget_); return Flow::Next;
    case StatementKind::Set:
      assign(*statement.target, evaluate(*statement.expression, scope), scope);
      return Flow::Next;
    case StatementKind::SetBlock: return execute_set_block(statement, scope);
    case StatementKind::If: return execute_if(statement, scope, out);
    case StatementKind::For: return execute_for(statement, scope, out);
    case StatementKind::Macro: scope.set(statement.name, make_macro(statement, scope)); return Flow::Next;
    case StatementKind::CallBlock: call_with_block(statement, scope, out); return Flow::Next;
    case StatementKind::FilterBlock: return execute_filter_block(statement, scope, out);
    case StatementKind::With:
    case StatementKind::Scope: return execute_scope(statement, scope, out);
    case StatementKind::Break: return Flow::Break;
    case StatementKind::Continue: return Flow::Continue;
  }
  return Flow::Next;
}

Evaluator::Flow Evaluator::execute_if(const Statement& statement, Scope& scope, Text& out) {
  for (const Branch& branch : statement.branches)
    if (!branch.test || truthy(evaluate(*branch.test, scope))) return execute(branch.body, scope, out);
  return Flow::Next;
}

Evaluator::Flow Evaluator::execute_scope(const Statement& statement, Scope& scope, Text& out) {
  LocalScope inner(*this, statement, &scope);
  // The values of `with` are all computed outside of it.
  for (const Parameter& parameter : statement.parameters)
    inner->set(parameter.name, evaluate(*parameter.otherwise, scope));
  return execute(statement.body, *inner, out);
}

Evaluator::Flow Evaluator::execute_filter_block(const Statement& statement, Scope& scope, Text& out) {
  LocalScope inner(*this, statement, &scope);
  Text body;
  const Flow flow = execute(statement.body, *inner, body);
  if (flow != Flow::Next) return flow;
  const Value text = string(std::move(body));
  append_text(out, filter(*statement.expression, scope, &text), budget_);
  return Flow::Next;
}

Evaluator::Flow Evaluator::execute_set_block(const Statement& statement, Scope& scope) {
  LocalScope inner(*this, statement, &scope);
  Text body;
  const Flow flow = execute(statement.body, *inner, body);
  if (flow != Flow::Next) return flow;
  Value text = string(std::move(body));
  if (statement.expression) text = filter(*statement.expression, scope, &text);
  assign(*statement.target, std::move(text), scope);
  return Flow::Next;
}

Evaluator::Flow Evaluator::execute_for(const Statement& statement, Scope& scope, Text& out) {
  return walk(statement, elements(evaluate(*statement.expression, scope), budget_), 1, scope, out);
}

// The items for which the loop's own `if` holds.
Value Evaluator::chosen(const Statement& statement, const Value& items, Scope& scope) {
  std::vector<Value> kept;
  for (const Value& item : items.list().items) {
    LocalScope inner(*this, statement, &scope);
    assign(*statement.target, item, *inner);
    if (truthy(evaluate(*statement.condition, *inner))) kept.push_back(item);
  }
  return list(std::move(kept));
}

Evaluator::Flow Evaluator::walk(const Statement& statement, const Value& all, int depth, Scope& scope, Text& out) {
  const Value items = statement.condition ? chosen(statement, all, scope) : all;
  auto* loop = new LoopBody;
  const Value loop_value(Kind::Loop, loop);
  loop->items = items;
  loop->depth = depth;
  loop->statement = &statement;
  loop->scope = &scope;
  // Once the loop is over it cannot be called again: its scope is gone.
  struct Closing {
    LoopBody& loop;
    ~Closing() { loop.statement = nullptr; }
  } closing{*loop};
  const std::size_t count = items.list().items.size();
  LocalScope reused(*this, statement, &scope);
  for (std::size_t i = 0; i < count; ++i) {
    loop->index = i;
    Flow flow = Flow::Next;
    const auto once = [&](Scope& inner) {
      inner.variables.emplace_back(kLoopName, loop_value);
      assign(*statement.target, items.list().items[i], inner);
      flow = execute(statement.body, inner, out);
    };
    if (statement.scope_is_captured) {
      LocalScope fresh(*this, statement, &scope);
      once(*fresh);
    } else {
      reused->variables.clear();
      once(*reused);
    }
    if (flow == Flow::Break) break;
  }
  if (count > 0 || statement.otherwise.empty()) return Flow::Next;
  LocalScope inner(*this, statement, &scope);
  return execute(statement.otherwise, *inner, out);
}

void Evaluator::assign(const Expression& target, Value value, Scope& scope) {
  if (target.kind == ExpressionKind::Name) return scope.set(target.name, std::move(value));
  if (target.kind == ExpressionKind::NamespaceTarget) {
    const Value space = variable(target.name, scope);
    if (!space.is(Kind::Namespace)) refuse("cannot assign attribute on non-namespace object");
    budget_.spend();
    return space.names().set(target.attribute, std::move(value));
  }
  const Value parts = elements(value, budget_);
  const auto& items = parts.list().items;
  if (items.size() < target.parts.size())
    refuse(std::format("not enough values to unpack (expected {}, got {})", target.parts.size(), items.size()));
  if (items.size() > target.parts.size())
    refuse(std::format("too many values to unpack (expected {})", target.parts.size()));
  for (std::size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i], scope);
}

Value Evaluator::make_macro(const Statement& statement, Scope& scope) {
  budget_.allocate(0);
  auto* macro = new MacroBody;
  macro->statement = &statement;
  macro->scope = &scope;
  return {Kind::Macro, macro};
}

void Evaluator::call_with_block(const Statement& statement, Scope& scope, Text& out) {
  append_text(out, call_expression(*statement.expression, scope, make_macro(statement, scope)), budget_);
}

Value Evaluator::call_macro(const MacroBody& macro, Arguments& arguments) {
  const Depth depth(*this);
  const Statement& statement = *macro.statement;
  LocalScope scope(*this, statement, macro.scope);
  bind_parameters(statement, arguments, *scope);
  Text out;
  execute(statement.body, *scope, out);
  return string(std::move(out));
}

void Evaluator::bind_parameters(const Statement& statement, Arguments& arguments, Scope& scope) {
  std::vector<char> used(arguments.named.size(), 0);
  for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
    const Parameter& parameter = statement.parameters[i];
    const auto named =
        std::ranges::find_if(arguments.named, [&](const auto& entry) { return entry.first == parameter.text; });
    if (i < arguments.positional.size()) {
      if (named != arguments.named.end())
        refuse(std::format("macro '{}' got two values for '{}'", statement.name_text, parameter.text));
      scope.set(parameter.name, arguments.positional[i]);
    } else if (named != arguments.named.end()) {
      used[static_cast<std::size_t>(named - arguments.named.begin())] = 1;
      scope.set(parameter.name, named->second);
    } else if (parameter.otherwise) {
      scope.set(parameter.name, evaluate(*parameter.otherwise, scope));
    } else {
      scope.set(parameter.name, UndefinedBody::make(UndefinedBody::Reason::Hint, "",
                                                    std::format("parameter '{}' was not provided", parameter.text)));
    }
  }
  bind_rest(statement, arguments, used, scope);
}

// What no parameter took: caller, varargs, kwargs, or a refusal.
void Evaluator::bind_rest(const Statement& statement, Arguments& arguments, std::vector<char>& used, Scope& scope) {
  const auto named_caller =
      std::ranges::find_if(arguments.named, [](const auto& entry) { return entry.first == "caller"; });
  if (statement.uses_caller) {
    Value caller = arguments.caller;
    if (named_caller != arguments.named.end()) {
      caller = named_caller->second;
      used[static_cast<std::size_t>(named_caller - arguments.named.begin())] = 1;
    }
    if (caller.is(Kind::None)) caller = UndefinedBody::make(UndefinedBody::Reason::Hint, "", "No caller defined");
    scope.set(kCallerName, std::move(caller));
  } else if (!arguments.caller.is(Kind::None)) {
    refuse(std::format("macro '{}' was called with a call block, but has no caller", statement.name_text));
  }
  const std::size_t count = statement.parameters.size();
  if (statement.uses_varargs) {
    std::vector<Value> rest;
    for (std::size_t i = count; i < arguments.positional.size(); ++i) rest.push_back(arguments.positional[i]);
    scope.set(kVarargsName, list(std::move(rest), Kind::Tuple));
  } else if (arguments.positional.size() > count) {
    refuse(std::format("macro '{}' takes not more than {} argument(s)", statement.name_text, count));
  }
  const Value rest = DictBody::make(budget_);
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    const auto& [name, value] = arguments.named[i];
    if (!statement.uses_kwargs)
      refuse(std::format("macro '{}' takes no keyword argument '{}'", statement.name_text, name));
    rest.dict().set(Value::string(budget_, name), value);
  }
  if (statement.uses_kwargs) scope.set(kKwargsName, rest);
}

Value Evaluator::call_loop(const Value& loop_value, Arguments& arguments) {
  const LoopBody& loop = loop_value.loop();
  if (!loop.statement || loop.statement->recursive == Recursive::No)
    refuse("The loop must have the 'recursive' marker to be called recursively.");
  if (arguments.positional.size() != 1) refuse("loop() takes one argument");
  const Depth depth(*this);
  Text out;
  walk(*loop.statement, elements(arguments.positional.front(), budget_), loop.depth + 1, *loop.scope, out);
  return string(std::move(out));
}

}  // namespace hearth::jinja
