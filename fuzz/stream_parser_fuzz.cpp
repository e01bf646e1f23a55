// Fuzzes the stream parser in every dialect: where the text is cut never changes the events, calls begin and end in order,
// and the arguments of a whole call are a JSON object. The first byte of the input chooses the options (bit 0: the thought is
// opened; bit 1: the limit ended it) and the dialect, the second the cuts. fuzz/golden_seeds.cpp writes such inputs.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/utf8.h"
#include "chat/stream_parser.h"

namespace {

using namespace hearth;
using namespace hearth::chat;

constexpr std::string_view kTools[] = {"Read", "Bash", "Write", "everything"};
constexpr const char* kSchemas[] = {
    R"({"type":"object","properties":{"file_path":{"type":"string"},"limit":{"type":"integer"}},"required":["file_path"]})",
    R"({"type":"object","properties":{"command":{"type":"string"},"description":{"type":"string"}}})",
    R"({"type":"object","properties":{"file_path":{"type":"string"},"content":{"type":"string"}}})",
    R"({"type":"object","properties":{"text":{"type":"string"},"count":{"type":"integer"},"flag":{"type":"boolean"},
        "items":{"type":"array","items":{"type":"string"}},"nested":{"type":"object"},"maybe":{"type":["string","null"]}}})"};

void require(bool condition) {
  if (!condition) std::abort();
}

// Events with their fragments joined, as one text; also checks their order.
class Journal {
 public:
  void add(const std::vector<StreamEvent>& events) {
    for (const StreamEvent& event : events) std::visit([this](const auto& e) { add(e); }, event);
  }
  std::string text_;

 private:
  void grow(char kind, const std::string& text) {
    require(!in_call_ && !text.empty());
    if (kind_ != kind) text_ += std::string("\n") + kind;
    kind_ = kind;
    text_ += text;
  }
  void add(const ThinkingDelta& e) { grow('T', e.text); }
  void add(const TextDelta& e) { grow('X', e.text); }
  void add(const ToolCallBegin& e) {
    require(!in_call_ && std::ranges::contains(kTools, e.name));
    in_call_ = true;
    kind_ = 'C';
    text_ += "\nC" + e.name + " ";
    arguments_.clear();
  }
  void add(const ToolCallDelta& e) {
    require(in_call_);
    arguments_ += e.json;
    text_ += e.json;
  }
  void add(const ToolCallEnd& e) {
    require(in_call_);
    in_call_ = false;
    if (e.whole) {
      const Result<Json> value = Json::parse(arguments_);
      require(value.has_value() && value->is_object());
    }
    text_ += e.whole ? "\nwhole" : "\nbroken";
  }

  bool in_call_ = false;
  char kind_ = 0;
  std::string arguments_;
};

struct Setting {
  const Dialect* dialect = nullptr;
  bool opened = false;
  TurnEnd end = TurnEnd::Finished;
};

// `seed` 0: the whole text at once; else cut at random characters.
std::string parse(std::string_view text, const Setting& setting, std::uint64_t seed) {
  StreamParserOptions options;
  options.dialect = setting.dialect;
  options.thinking_opened = setting.opened;
  for (const std::string_view name : kTools) options.tool_names.emplace_back(name);
  for (const char* schema : kSchemas) options.tool_schemas.push_back(*Json::parse(schema));
  StreamParser parser(std::move(options));
  Journal journal;
  std::size_t begin = 0;
  for (std::size_t i = 1; seed != 0 && i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80 || mix_u64(seed, i) % 3 != 0) continue;
    journal.add(parser.push(text.substr(begin, i - begin)));
    begin = i;
  }
  journal.add(parser.push(text.substr(begin)));
  journal.add(parser.finish(setting.end));
  return journal.text_;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::span<const Dialect> dialects = all_dialects();
  const Setting setting{.dialect = &dialects[(data[0] >> 2) % dialects.size()],
                        .opened = (data[0] & 1) != 0,
                        .end = (data[0] & 2) != 0 ? TurnEnd::Cut : TurnEnd::Finished};
  const std::string text = replace_invalid_utf8({reinterpret_cast<const char*>(data) + 2, size - 2});
  require(parse(text, setting, 0) == parse(text, setting, 1 + data[1]));
  return 0;
}
