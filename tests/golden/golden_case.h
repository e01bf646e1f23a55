// The cases of the golden corpus: one JSON file per dialect, a list of what a model wrote and the message that must come of
// it. README.md in this folder says what the fields mean. Plain values, one thread.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "chat/dialect.h"
#include "chat/stream_parser.h"

namespace hearth::golden {

// The declared tools of a case: a list of tools.json, by its name.
struct ToolList {
  std::string list;
  std::vector<std::string> names;
  std::vector<Json> schemas;
};

struct Case {
  std::string name;
  const chat::Dialect* dialect = nullptr;
  const ToolList* tools = nullptr;
  bool opened_think = false;
  chat::TurnEnd ended = chat::TurnEnd::Finished;
  std::string raw;
  Json content;  // the expected blocks, without ids and signatures
  std::string stop_reason;
};

// Both read every file of `folder`; a file that cannot be read or a field that is not known is an error, not a gap.
[[nodiscard]] Result<std::vector<ToolList>> load_tools(const std::string& folder);
// The file is named after its dialect. The lists must outlive the cases.
[[nodiscard]] Result<std::vector<Case>> load_cases(const std::string& file, const std::vector<ToolList>& tools);

[[nodiscard]] chat::StreamParserOptions parser_options(const Case& golden);

}  // namespace hearth::golden
