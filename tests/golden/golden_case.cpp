// See golden_case.h.
#include "golden_case.h"

#include <algorithm>
#include <filesystem>
#include <format>

#include "base/file.h"

namespace hearth::golden {
namespace {

constexpr std::size_t kFileBytesMax = 16U << 20;  // the largest file of the corpus has a fraction of it

Result<Json> read_json(const std::string& path) {
  TRY_ASSIGN(const std::string text, read_file(path, kFileBytesMax));
  auto json = Json::parse(text);
  if (!json) return fail(ErrorKind::InvalidInput, std::format("{}: {}", path, json.error().message));
  return json;
}

std::string replaced(std::string text, const std::string& mark, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += by.size()) {
    text.replace(at, mark.size(), by);
  }
  return text;
}

// Marks stand for long texts in the raw output and in the expected message alike.
Json replaced(Json json, const std::string& mark, const std::string& by) {
  if (json.is_string()) return replaced(json.as_string(), mark, by);
  if (json.is_array()) {
    for (Json& item : json.as_array()) item = replaced(std::move(item), mark, by);
  } else if (json.is_object()) {
    for (auto& [key, value] : json.as_object()) value = replaced(std::move(value), mark, by);
  }
  return json;
}

void expand(Case& golden, const Json& marks) {
  for (const auto& [mark, filling] : marks.as_object()) {
    const std::string text = filling.string_at("text");
    std::string by;
    for (std::int64_t i = 0; i < filling.find("times")->as_integer(); ++i) by += text;
    golden.raw = replaced(std::move(golden.raw), mark, by);
    golden.content = replaced(std::move(golden.content), mark, by);
  }
}

Result<Case> read_case(const Json& json, const std::vector<ToolList>& tools) {
  Case golden;
  golden.name = json.string_at("name");
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorKind::InvalidInput, std::format("case \"{}\": {}", golden.name, what));
  };
  for (const auto& [key, value] : json.as_object()) {
    static constexpr std::string_view kKnown[] = {"name", "tools", "opened_think", "ended", "raw", "expand", "message"};
    if (std::ranges::find(kKnown, key) == std::end(kKnown)) return wrong("unknown field " + key);
  }
  const auto list = std::ranges::find(tools, json.string_at("tools"), &ToolList::list);
  if (list == tools.end()) return wrong("no such list of tools");
  golden.tools = &*list;
  if (const Json* opened = json.find("opened_think")) golden.opened_think = opened->as_boolean();
  const std::string ended = json.string_at("ended");
  if (ended != "eos" && ended != "max_tokens") return wrong("ended is eos or max_tokens");
  golden.ended = ended == "eos" ? chat::TurnEnd::Finished : chat::TurnEnd::Cut;
  golden.raw = json.string_at("raw");
  const Json* message = json.find("message");
  if (message == nullptr || message->find("content") == nullptr) return wrong("no expected message");
  golden.content = *message->find("content");
  golden.stop_reason = message->string_at("stop_reason");
  if (const Json* marks = json.find("expand")) expand(golden, *marks);
  return golden;
}

}  // namespace

Result<std::vector<ToolList>> load_tools(const std::string& folder) {
  TRY_ASSIGN(const Json json, read_json(folder + "/tools.json"));
  std::vector<ToolList> lists;
  for (const auto& [list, tools] : json.as_object()) {
    ToolList& entry = lists.emplace_back();
    entry.list = list;
    for (const Json& tool : tools.as_array()) {
      entry.names.push_back(tool.string_at("name"));
      entry.schemas.push_back(*tool.find("input_schema"));
    }
  }
  return lists;
}

Result<std::vector<Case>> load_cases(const std::string& file, const std::vector<ToolList>& tools) {
  const std::string dialect_name = std::filesystem::path(file).stem().string();
  const chat::Dialect* dialect = chat::find_dialect(dialect_name);
  if (dialect == nullptr) return fail(ErrorKind::InvalidInput, std::format("{}: no such dialect", file));
  TRY_ASSIGN(const Json json, read_json(file));
  std::vector<Case> cases;
  for (const Json& item : json.as_array()) {
    auto golden = read_case(item, tools);
    if (!golden) return fail(ErrorKind::InvalidInput, std::format("{}: {}", file, golden.error().message));
    golden->dialect = dialect;
    cases.push_back(std::move(*golden));
  }
  return cases;
}

chat::StreamParserOptions parser_options(const Case& golden) {
  chat::StreamParserOptions options;
  options.dialect = golden.dialect;
  options.thinking_opened = golden.opened_think;
  options.tool_names = golden.tools->names;
  options.tool_schemas = golden.tools->schemas;
  return options;
}

}  // namespace hearth::golden
