// Fuzzes the stream parser: where the text is cut never changes the events, calls begin and end in order, and the
// arguments of a whole call are a JSON object. The first bytes of the input choose the options and the cuts.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
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
    require(!in_call_ && (e.name == "Read" || e.name == "Bash"));
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

// `seed` 0: the whole text at once; else cut at random characters.
std::string parse(std::string_view text, bool opened, std::uint64_t seed) {
  StreamParserOptions options;
  options.thinking_opened = opened;
  options.tool_names = {"Read", "Bash"};
  options.tool_schemas.push_back(
      Json::object({{"type", "object"}, {"properties", Json::object({{"path", Json::object({{"type", "string"}})}})}}));
  StreamParser parser(std::move(options));
  Journal journal;
  std::size_t begin = 0;
  for (std::size_t i = 1; seed != 0 && i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80 || mix_u64(seed, i) % 3 != 0) continue;
    journal.add(parser.push(text.substr(begin, i - begin)));
    begin = i;
  }
  journal.add(parser.push(text.substr(begin)));
  journal.add(parser.finish());
  return journal.text_;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool opened = (data[0] & 1) != 0;
  const std::string text = replace_invalid_utf8({reinterpret_cast<const char*>(data) + 2, size - 2});
  require(parse(text, opened, 0) == parse(text, opened, 1 + data[1]));
  return 0;
}
