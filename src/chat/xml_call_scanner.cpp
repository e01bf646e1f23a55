// The tagged way of writing a tool call: <function=NAME>, then <parameter=KEY> value </parameter> any number of times,
// then </function>. Values are bare text: the tool's schema says which are strings (streamed as they come) and which
// are JSON (known when they are complete). They come out as one JSON object.
#include <algorithm>
#include <cstddef>

#include "base/json.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kFunctionOpen = "<function=";
constexpr std::string_view kFunctionClose = "</function>";
constexpr std::string_view kParameterOpen = "<parameter=";
constexpr std::string_view kParameterClose = "</parameter>";
constexpr std::string_view kCallClose = "</tool_call>";
constexpr std::string_view kWhiteSpace = " \t\n\r";
// Names are short; a tag that stays open longer is no call.
constexpr std::size_t kNameBytesMax = 256;

enum class Match { No, Maybe, Yes };

Match match(std::string_view text, std::string_view tag) {
  if (text.starts_with(tag)) return Match::Yes;
  return tag.starts_with(text) ? Match::Maybe : Match::No;
}

std::string_view after_white_space(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin);
}

class XmlCallScanner final : public CallScanner {
 public:
  explicit XmlCallScanner(const StreamParserOptions& options) : options_(options) {}

  void push(std::string_view text, std::vector<StreamEvent>& events) override {
    pending_ += text;
    while (state_ != CallState::Ended && state_ != CallState::Rejected && step(events)) {
    }
  }

  void finish(std::vector<StreamEvent>& events) override {
    if (state_ != CallState::Streaming) return;
    if (const std::size_t close = pending_.find(kParameterClose, looked_);
        at_ == At::Value && close != std::string::npos &&
        after_white_space(std::string_view(pending_).substr(close + kParameterClose.size())).empty()) {
      end_value(close, events);
    }
    if (at_ == At::Value && is_string_) {
      std::string json;
      append_json_string(json, pending_);
      append_call_json(events, std::string_view(json).substr(1, json.size() - 2));
    } else if (at_ == At::Value) {
      append_call_json(events, pending_);
    }
    events.emplace_back(ToolCallEnd{.whole = false});
    state_ = CallState::Ended;
  }

  [[nodiscard]] CallState state() const override { return state_; }
  [[nodiscard]] std::string take_rest() override { return std::move(pending_); }

 private:
  enum class At { Name, Between, Key, ValueStart, Value };

  bool step(std::vector<StreamEvent>& events) {
    switch (at_) {
      case At::Name: return step_name();
      case At::Between: return step_between(events);
      case At::Key: return step_key(events);
      case At::ValueStart:
        if (pending_.empty()) return false;
        if (pending_.front() == '\n') pending_.erase(0, 1);
        at_ = At::Value;
        return true;
      case At::Value: return step_value(events);
    }
    return false;
  }

  bool step_name() {
    const std::size_t close = pending_.find('>');
    if (close == std::string::npos) {
      if (pending_.size() > kNameBytesMax) state_ = CallState::Rejected;
      return false;
    }
    name_ = pending_.substr(kFunctionOpen.size(), close - kFunctionOpen.size());
    const auto declared = std::ranges::find(options_.tool_names, name_);
    if (declared == options_.tool_names.end()) {
      state_ = CallState::Rejected;
      return false;
    }
    const auto index = static_cast<std::size_t>(declared - options_.tool_names.begin());
    if (index < options_.tool_schemas.size()) properties_ = options_.tool_schemas[index].find("properties");
    pending_.erase(0, close + 1);
    at_ = At::Between;
    return true;
  }

  bool step_between(std::vector<StreamEvent>& events) {
    const std::string_view tag = after_white_space(pending_);
    if (tag.empty()) return false;
    const auto take = [&](std::size_t count) { pending_.erase(0, pending_.size() - tag.size() + count); };
    if (match(tag, kParameterOpen) == Match::Yes) {
      begin_call(events);
      take(kParameterOpen.size());
      at_ = At::Key;
      return true;
    }
    if (match(tag, kFunctionClose) == Match::Yes || match(tag, kCallClose) == Match::Yes) {
      begin_call(events);
      take(tag.starts_with(kFunctionClose) ? kFunctionClose.size() : 0);
      append_call_json(events, any_parameter_ ? "}" : "{}");
      events.emplace_back(ToolCallEnd{.whole = true});
      state_ = CallState::Ended;
      return false;
    }
    if (may_be_a_tag(tag)) return false;
    return give_up(events);
  }

  static bool may_be_a_tag(std::string_view tag) {
    return match(tag, kParameterOpen) == Match::Maybe || match(tag, kFunctionClose) == Match::Maybe ||
           match(tag, kCallClose) == Match::Maybe;
  }

  bool step_key(std::vector<StreamEvent>& events) {
    const std::size_t close = pending_.find('>');
    if (close == std::string::npos) return false;
    const std::string key = pending_.substr(0, close);
    pending_.erase(0, close + 1);
    std::string json = any_parameter_ ? "," : "{";
    any_parameter_ = true;
    append_json_string(json, key);
    json += ':';
    schema_ = properties_ == nullptr ? nullptr : properties_->find(key);
    is_string_ = schema_ != nullptr && allows_string(schema_->find("type"));
    if (is_string_) json += '"';
    append_call_json(events, json);
    at_ = At::ValueStart;
    return true;
  }

  static bool allows_string(const Json* type) {
    if (type == nullptr) return false;
    if (type->is_string()) return type->as_string() == "string";
    return type->is_array() && std::ranges::find(type->as_array(), Json("string")) != type->as_array().end();
  }

  // The value ends at a closing tag that another tag follows: a file's text may well hold "</parameter>" itself.
  bool step_value(std::vector<StreamEvent>& events) {
    const std::size_t close = pending_.find(kParameterClose, looked_);
    if (close == std::string::npos) {
      std::size_t certain = pending_.size();
      if (const std::size_t bracket = pending_.rfind('<');
          bracket != std::string::npos &&
          match(std::string_view(pending_).substr(bracket), kParameterClose) == Match::Maybe) {
        certain = bracket;
      }
      stream_value(certain, events);
      looked_ = std::max(looked_, pending_.size() - std::min(pending_.size(), kParameterClose.size()));
      return false;
    }
    const std::string_view next = after_white_space(std::string_view(pending_).substr(close + kParameterClose.size()));
    if (next.empty() || may_be_a_tag(next)) {
      stream_value(close, events);
      return false;
    }
    if (!next.starts_with(kParameterOpen) && !next.starts_with(kFunctionClose) && !next.starts_with(kCallClose)) {
      looked_ = close + 1;
      return true;
    }
    end_value(close, events);
    return true;
  }

  // Sends [0, certain) of a string value, less the newline that may belong to the closing tag.
  void stream_value(std::size_t certain, std::vector<StreamEvent>& events) {
    if (!is_string_) return;
    if (certain > 0 && pending_[certain - 1] == '\n') --certain;
    send_string(certain, events);
    pending_.erase(0, certain);
    looked_ = looked_ > certain ? looked_ - certain : 0;
  }

  void send_string(std::size_t count, std::vector<StreamEvent>& events) {
    std::string json;
    append_json_string(json, std::string_view(pending_).substr(0, count));
    append_call_json(events, std::string_view(json).substr(1, json.size() - 2));
  }

  void end_value(std::size_t close, std::vector<StreamEvent>& events) {
    const std::size_t end = close > 0 && pending_[close - 1] == '\n' ? close - 1 : close;
    if (is_string_) {
      send_string(end, events);
      append_call_json(events, "\"");
    } else {
      append_call_json(events, typed(pending_.substr(0, end)));
    }
    pending_.erase(0, close + kParameterClose.size());
    looked_ = 0;
    at_ = At::Between;
  }

  // What is no JSON is a string: the model meant something, and the client's own check will name the type.
  static std::string typed(const std::string& text) {
    if (text == "True") return "true";
    if (text == "False") return "false";
    if (text == "None") return "null";
    const Result<Json> value = Json::parse(text);
    if (value) return value->dump();
    std::string json;
    append_json_string(json, text);
    return json;
  }

  void begin_call(std::vector<StreamEvent>& events) {
    if (state_ == CallState::Streaming) return;
    events.emplace_back(ToolCallBegin{.name = name_});
    state_ = CallState::Streaming;
  }

  bool give_up(std::vector<StreamEvent>& events) {
    if (state_ == CallState::Undecided) {
      state_ = CallState::Rejected;
      return false;
    }
    events.emplace_back(ToolCallEnd{.whole = false});
    state_ = CallState::Ended;
    return false;
  }

  const StreamParserOptions& options_;
  CallState state_ = CallState::Undecided;
  At at_ = At::Name;
  std::string pending_;     // not yet sent, not yet decided
  std::size_t looked_ = 0;  // closing tags before this place in pending_ were part of the value
  std::string name_;
  const Json* properties_ = nullptr;  // of the tool's schema; lives in options_
  const Json* schema_ = nullptr;      // of the parameter being read
  bool any_parameter_ = false;
  bool is_string_ = false;
};

}  // namespace

std::unique_ptr<CallScanner> make_xml_call_scanner(const StreamParserOptions& options) {
  return std::make_unique<XmlCallScanner>(options);
}

}  // namespace hearth::chat
