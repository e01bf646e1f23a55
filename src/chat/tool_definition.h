// How a tool is shown to a model: the shape every template's tool listing expects. Pure.
#pragma once

#include <string>

#include "chat/conversation.h"

namespace hearth::chat {

[[nodiscard]] inline Json tool_definition(const Tool& tool) {
  Json::Object function{{"name", tool.name}, {"description", tool.description}};
  function.emplace_back("parameters",
                        tool.input_schema.is_object() ? tool.input_schema : Json::object({{"type", "object"}}));
  return Json::object({{"type", "function"}, {"function", std::move(function)}});
}

// What a change of tools is in words, where nobody looks the tool up.
[[nodiscard]] inline std::string tool_change_sentence(const ToolChangeBlock& change) {
  const bool added = change.change == ToolChangeBlock::Change::Added;
  return (added ? "Tool now available: " : "Tool no longer available: ") +
         (change.definition.is_null() ? change.name : change.definition.dump());
}

}  // namespace hearth::chat
