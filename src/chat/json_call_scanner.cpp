// The JSON way of writing a tool call: {"name": "Read", "arguments": {...}}, keys in any order. The bytes of the
// arguments are streamed as they come; they are never rewritten, but for raw control characters inside strings, which
// JSON forbids and small models write.
#include <algorithm>
#include <format>
#include <optional>

#include "base/json.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {
namespace {

// Above any tool call seen; a model that never closes an object must not fill the memory.
constexpr std::size_t kCallBytesMax = 16U << 20;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class JsonCallScanner final : public CallScanner {
 public:
  explicit JsonCallScanner(const StreamParserOptions& options) : options_(options) {}

  void push(std::string_view text, std::vector<StreamEvent>& events) override {
    std::size_t i = 0;
    while (i < text.size() && state_ != CallState::Rejected && state_ != CallState::Ended) {
      if (consume(text[i], events)) ++i;
    }
    flush(events);
    if (state_ == CallState::Ended) rest_ = text.substr(i);
  }

  void finish(std::vector<StreamEvent>& events) override {
    flush(events);
    if (state_ != CallState::Streaming) return;
    events.emplace_back(ToolCallEnd{.whole = false});
    state_ = CallState::Ended;
  }

  [[nodiscard]] CallState state() const override { return state_; }
  [[nodiscard]] std::string take_rest() override { return std::move(rest_); }

 private:
  enum class At { Open, Key, KeyText, Colon, Value, StringValue, OtherValue, AfterValue };

  // False: the byte is not used up, look at it again in the new state.
  bool consume(char c, std::vector<StreamEvent>& events) {
    if (++seen_bytes_ > kCallBytesMax) return give_up(events);
    switch (at_) {
      case At::Open: at_ = At::Key; return c == '{' ? true : give_up(events);
      case At::Key:
        if (is_space(c)) return true;
        if (c == '}') return end_of_object(events);
        if (c != '"') return give_up(events);
        key_.clear();
        escaped_ = false;
        at_ = At::KeyText;
        return true;
      case At::KeyText: return consume_key(c);
      case At::Colon:
        if (is_space(c)) return true;
        at_ = At::Value;
        return c == ':' ? true : give_up(events);
      case At::Value:
        if (is_space(c)) return true;
        return begin_value(c, events);
      case At::StringValue: return consume_string(c, events);
      case At::OtherValue: return consume_other(c, events);
      case At::AfterValue:
        if (is_space(c)) return true;
        if (c == '}') return end_of_object(events);
        at_ = At::Key;
        return c == ',' ? true : give_up(events);
    }
    return true;
  }

  bool consume_key(char c) {
    if (!escaped_ && c == '"') {
      at_ = At::Colon;
      return true;
    }
    escaped_ = !escaped_ && c == '\\';
    key_.push_back(c);
    return true;
  }

  bool is_arguments() const { return key_ == "arguments" || key_ == "parameters"; }

  bool begin_value(char c, std::vector<StreamEvent>& events) {
    if (c == '}' || c == ',' || c == ']') return give_up(events);
    value_.clear();
    depth_ = 0;
    in_string_ = escaped_ = false;
    // Streamed only where it is an object: a string is unwrapped when it is there in full.
    if (state_ == CallState::Undecided && is_arguments() && c == '{' && name_ && !arguments_) begin_call(events);
    at_ = c == '"' ? At::StringValue : At::OtherValue;
    if (c != '"') return false;
    value_.push_back(c);
    return true;
  }

  bool consume_string(char c, std::vector<StreamEvent>& events) {
    append_string_byte(c);
    if (!escaped_ && c == '"') return end_of_value(events);
    escaped_ = !escaped_ && c == '\\';
    return true;
  }

  // Objects, arrays, numbers, words.
  bool consume_other(char c, std::vector<StreamEvent>& events) {
    if (in_string_) {
      append_string_byte(c);
      if (!escaped_ && c == '"') in_string_ = false;
      escaped_ = !escaped_ && c == '\\';
      return true;
    }
    // Never part of JSON outside a string: the model closes the tag with the object still open.
    if (c == '<') return give_up(events);
    if (depth_ == 0 && (c == ',' || c == '}' || c == ']' || is_space(c))) {
      (void)end_of_value(events);
      return false;
    }
    value_.push_back(c);
    if (c == '"') {
      in_string_ = true;
      escaped_ = false;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      if (--depth_ == 0) return end_of_value(events);
    }
    return true;
  }

  void append_string_byte(char c) {
    if (static_cast<unsigned char>(c) >= 0x20) {
      value_.push_back(c);
      return;
    }
    // A backslash before the raw character has begun the escape already.
    if (!escaped_) value_.push_back('\\');
    switch (c) {
      case '\n': value_.push_back('n'); break;
      case '\r': value_.push_back('r'); break;
      case '\t': value_.push_back('t'); break;
      default: value_ += std::format("u{:04x}", static_cast<unsigned>(c));
    }
  }

  // True: the byte that ended the value is used up.
  bool end_of_value(std::vector<StreamEvent>& events) {
    at_ = At::AfterValue;
    if (state_ == CallState::Tail) return true;
    if (state_ == CallState::Streaming) return end_call(events);
    if (key_ == "name") {
      Result<Json> name = Json::parse(value_);
      if (!name || !name->is_string()) return give_up(events);
      if (std::ranges::find(options_.tool_names, name->as_string()) == options_.tool_names.end())
        return give_up(events);
      name_ = name->as_string();
    } else if (is_arguments() && !arguments_) {
      arguments_ = value_;
    }
    if (!name_ || !arguments_) return true;
    begin_call(events);
    value_ = unwrapped(*arguments_);
    return end_call(events);
  }

  bool end_of_object(std::vector<StreamEvent>& events) {
    if (!name_) return give_up(events);
    if (state_ != CallState::Tail) {
      begin_call(events);
      value_ = "{}";
      (void)end_call(events);
    }
    state_ = CallState::Ended;
    return true;
  }

  // Arguments that are a string holding an object, or nothing at all, become that object.
  static std::string unwrapped(const std::string& arguments) {
    Result<Json> value = Json::parse(arguments);
    if (!value) return arguments;
    if (value->is_null()) return "{}";
    if (!value->is_string()) return arguments;
    if (value->as_string().empty()) return "{}";
    return value->as_string();
  }

  void begin_call(std::vector<StreamEvent>& events) {
    events.emplace_back(ToolCallBegin{.name = *name_});
    state_ = CallState::Streaming;
    streamed_ = 0;
  }

  bool end_call(std::vector<StreamEvent>& events) {
    flush(events);
    const Result<Json> parsed = Json::parse(value_);
    events.emplace_back(ToolCallEnd{.whole = parsed && parsed->is_object()});
    state_ = CallState::Tail;
    return true;
  }

  bool give_up(std::vector<StreamEvent>& events) {
    if (state_ == CallState::Streaming) {
      finish(events);
    } else {
      state_ = state_ == CallState::Tail ? CallState::Ended : CallState::Rejected;
    }
    return false;
  }

  void flush(std::vector<StreamEvent>& events) {
    if (state_ != CallState::Streaming || streamed_ == value_.size()) return;
    append_call_json(events, std::string_view(value_).substr(streamed_));
    streamed_ = value_.size();
  }

  const StreamParserOptions& options_;
  CallState state_ = CallState::Undecided;
  At at_ = At::Open;
  std::size_t seen_bytes_ = 0;
  std::string rest_;
  std::string key_;
  std::optional<std::string> name_;       // declared
  std::optional<std::string> arguments_;  // when they came before the name, or as no object
  // The value that is being read.
  std::string value_;
  std::size_t streamed_ = 0;  // of value_, while Streaming
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace

std::unique_ptr<CallScanner> make_json_call_scanner(const StreamParserOptions& options) {
  return std::make_unique<JsonCallScanner>(options);
}

}  // namespace hearth::chat
