// How a tool is shown to a model: the shape every template's tool listing expects. Pure.
#pragma once

#include "chat/conversation.h"

namespace hearth::chat {

[[nodiscard]] inline Json tool_definition(const Tool& tool) {
  Json::Object function{{"name", tool.name}, {"description", tool.description}};
  function.emplace_back("parameters",
                        tool.input_schema.is_object() ? tool.input_schema : Json::object({{"type", "object"}}));
  return Json::object({{"type", "function"}, {"function", std::move(function)}});
}

}  // namespace hearth::chat
