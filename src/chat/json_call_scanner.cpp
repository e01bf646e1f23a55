// The JSON way of writing a tool call: {"name": "Read", "arguments": {...}}, keys in any order, also wrapped as
// {"function": {...}} or with the tool's name as the key. The arguments pass through a JsonMender as they come; where they
// stand before the name, or in a text, they wait for it.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "base/json.h"
#include "chat/call_tags.h"
#include "chat/json_mender.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
constexpr std::size_t kKeyBytesMax = 256;
constexpr std::array<std::string_view, 4> kNameKeys = {"name", "tool_name", "function", "tool"};
constexpr std::array<std::string_view, 5> kArgumentKeys = {"arguments", "parameters", "args", "input", "tool_input"};
constexpr std::array<std::string_view, 4> kWrapperKeys = {"function", "function_call", "tool_call", "tool"};
// Members of the wrapper that are no arguments.
constexpr std::array<std::string_view, 6> kOtherKeys = {"id", "type", "index", "tool_call_id", "call_id", "role"};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class JsonCallScanner final : public CallScanner {
 public:
  JsonCallScanner(const CallContext& context, Announced announced)
      : context_(context), announced_(announced), writer_(context) {}

  void push(std::string_view text, std::vector<StreamEvent>& events) override {
    if (tagged_) return push_tagged(text, events);
    pending_ += text;
    seen_bytes_ += text.size();
    if (seen_bytes_ > kCallBytesMax) return give_up(events);
    while (state_ != CallState::Rejected && state_ != CallState::Ended && step(events)) {
    }
    pending_.erase(0, std::exchange(read_, 0));
  }

  void finish(TurnEnd end, std::vector<StreamEvent>& events) override {
    if (tagged_) {
      tagged_->finish(end, events);
      state_ = tagged_->state();
      return;
    }
    if (state_ == CallState::Tail || state_ == CallState::Ended) return;
    if (at_ == At::Garbage) {
      writer_.fragment(std::exchange(pending_, {}), events);
      return end_call(false, events);
    }
    if (state_ == CallState::Streaming) {
      mender_->finish(end);
      writer_.fragment(mender_->take_output(), events);
      if (mender_->done()) context_.repairs->add(Repair::MissingClose);
      return end_call(mender_->done(), events);
    }
    // What shows itself must have its arguments, unless the family writes so and was cut.
    const bool was_cut = end == TurnEnd::Cut && context_.writes_bare();
    if (!tool_ || (announced_ == Announced::No && !was_cut)) {
      state_ = CallState::Rejected;
      return;
    }
    const bool complete = at_ == At::After && (!others_.empty() || context_.schema_of(*tool_).required().empty());
    if (complete && end == TurnEnd::Finished) {
      context_.repairs->add(Repair::MissingClose);
      return end_of_object(events);
    }
    writer_.begin(*tool_, events);
    pending_.clear();
    end_call(false, events);
  }

  [[nodiscard]] CallState state() const override { return state_; }
  [[nodiscard]] std::string take_rest() override { return tagged_ ? tagged_->take_rest() : std::move(pending_); }

 private:
  enum class At { Open, Key, Colon, Value, InValue, After, Garbage };

  bool step(std::vector<StreamEvent>& events) {
    if (at_ == At::InValue) return step_in_value(events);
    if (at_ == At::Garbage) return step_garbage(events);
    while (read_ < pending_.size() && is_blank(pending_[read_])) ++read_;
    if (read_ == pending_.size()) return false;
    const char c = pending_[read_];
    switch (at_) {
      case At::Open: at_ = At::Key; return c == '{' ? take(1) : reject(events);
      case At::Key: return step_key(c, events);
      case At::Colon: return step_colon(c, events);
      case At::Value: return step_value(c, events);
      case At::After: return step_after(c, events);
      case At::InValue:
      case At::Garbage: break;
    }
    return false;
  }

  [[nodiscard]] std::string_view rest() const { return std::string_view(pending_).substr(read_); }
  bool take(std::size_t count) {
    read_ += count;
    return true;
  }
  // All of the rest goes to another reader, which gives back what it does not need.
  void give(JsonMender& mender) {
    mender.push(rest());
    pending_.clear();
    read_ = 0;
  }
  [[nodiscard]] std::string give_all() {
    pending_.erase(0, std::exchange(read_, 0));
    return std::exchange(pending_, {});
  }

  bool step_key(char c, std::vector<StreamEvent>& events) {
    if (c == '}') return close_brace(events);
    if (c == '{') {
      context_.repairs->add(Repair::DoubledBrace);
      return take(1);
    }
    if (c == ',') return take(1);
    if (c == '<' && holds_nothing()) return begin_tagged(events);
    const bool quoted = c == '"' || c == '\'';
    const std::string_view text = rest();
    const std::size_t end = quoted ? text.find(c, 1) : text.find_first_of("\":");
    if (end == std::string_view::npos) {
      if (text.size() > kKeyBytesMax) return reject(events);
      return false;
    }
    key_ = quoted ? text.substr(1, end - 1) : text.substr(0, end);
    const bool word = key_.find_first_of("{}[]<>,\n") == std::string::npos && !key_.empty();
    if (!word || end > kKeyBytesMax) return reject(events);
    if (!quoted || c == '\'') context_.repairs->add(Repair::BareKey);
    while (!key_.empty() && key_.back() == ' ') key_.pop_back();
    if (announced_ == Announced::No && state_ == CallState::Undecided && !may_be_call_key()) return reject(events);
    at_ = At::Colon;
    return take(text[end] == ':' ? end : end + 1);
  }

  bool step_colon(char c, std::vector<StreamEvent>& events) {
    at_ = At::Value;
    if (c == ':') return take(1);
    if (announced_ == Announced::No || !may_be_call_key()) return reject(events);
    const std::size_t value = c == ',' || c == ';' ? rest().find_first_not_of(kWhiteSpace, 1) : 0;
    if (value == std::string_view::npos) {
      at_ = At::Colon;
      return false;
    }
    if (rest()[value] != '"' && rest()[value] != '{') return reject(events);
    context_.repairs->add(Repair::MissingColon);
    return take(value);
  }

  // What shows itself as a call, without a marker, has a call's keys only: any other JSON is an answer's text.
  [[nodiscard]] bool may_be_call_key() const {
    const std::string_view key = key_;
    return std::ranges::contains(kNameKeys, key) || std::ranges::contains(kArgumentKeys, key) ||
           std::ranges::contains(kOtherKeys, key) || std::ranges::contains(kWrapperKeys, key);
  }
  [[nodiscard]] bool is_name() const { return !tool_ && std::ranges::contains(kNameKeys, std::string_view(key_)); }
  [[nodiscard]] bool is_arguments() const {
    if (!std::ranges::contains(kArgumentKeys, std::string_view(key_))) return false;
    const bool certain = key_ == "arguments" || key_ == "parameters";
    return certain || !tool_ || !context_.schema_of(*tool_).declares(key_);
  }

  // {<function=N>... and {"name": <function=N>...: the model went over to tags before it had named anything.
  [[nodiscard]] bool holds_nothing() const {
    return announced_ == Announced::Yes && state_ == CallState::Undecided && !tool_ && !arguments_ && others_.empty();
  }
  // {"name": N, "arguments": <parameter=K>...: behind the name.
  [[nodiscard]] bool lacks_arguments() const {
    return announced_ == Announced::Yes && state_ == CallState::Undecided && tool_ && !arguments_ && others_.empty();
  }
  bool begin_tagged(std::vector<StreamEvent>& events) {
    tagged_ = make_tagged_call_scanner(context_);
    push_tagged(give_all(), events);
    return false;
  }
  void push_tagged(std::string_view text, std::vector<StreamEvent>& events) {
    tagged_->push(text, events);
    if (state_ == CallState::Undecided && tagged_->state() != CallState::Undecided &&
        tagged_->state() != CallState::Rejected) {
      context_.repairs->add(Repair::ForeignForm);
    }
    state_ = tagged_->state();
  }

  bool step_value(char c, std::vector<StreamEvent>& events) {
    const bool undecided = state_ == CallState::Undecided;
    if (c == '<' && holds_nothing() && may_be_call_key()) return begin_tagged(events);
    if (c == '<' && lacks_arguments() && is_arguments()) {
      tagged_ = make_tagged_arguments_scanner(context_, *tool_, ArgumentsIn::Json);
      push_tagged(give_all(), events);
      return false;
    }
    if (undecided && c == '{') {
      if (tool_ && is_arguments() && !arguments_) return begin_arguments(events);
      if (!tool_ && std::ranges::contains(kWrapperKeys, std::string_view(key_))) {
        ++depth_;
        at_ = At::Key;
        return take(1);
      }
      if (const auto named = context_.tool_named(key_); named && !tool_ && others_.empty() && !arguments_) {
        tool_ = named;
        return begin_arguments(events);
      }
    }
    if (undecided && is_name() && c != '"' && c != '\'') return reject(events);
    if (is_name() && c == '"') {
      if (const std::size_t bytes = plain_text_bytes(); bytes > 0) {
        at_ = At::After;
        std::string name(rest().substr(0, bytes));
        return take(bytes) && take_member(std::move(name), events);
      }
    }
    mender_.emplace(ArgumentSchema(), Notation::Json, *context_.repairs, Around::Wrapper);
    at_ = At::InValue;
    return true;
  }

  // Of a text in quotes, if all of it is there and it has nothing to mend; 0 else.
  [[nodiscard]] std::size_t plain_text_bytes() const {
    const std::string_view text = rest();
    std::size_t end = 1;
    while (end < text.size() && text[end] != '"' && text[end] != '\\' && static_cast<unsigned char>(text[end]) >= 0x20)
      ++end;
    return end < text.size() && text[end] == '"' && end > 1 ? end + 1 : 0;
  }

  bool begin_arguments(std::vector<StreamEvent>& events) {
    writer_.begin(*tool_, events);
    state_ = CallState::Streaming;
    mender_.emplace(context_.schema_of(*tool_), Notation::Json, *context_.repairs, Around::Wrapper);
    at_ = At::InValue;
    return true;
  }

  bool step_in_value(std::vector<StreamEvent>& events) {
    give(*mender_);
    if (state_ == CallState::Streaming) {
      writer_.fragment(mender_->take_output(), events);
      if (mender_->broken()) {
        pending_ = mender_->take_rest();
        at_ = At::Garbage;
        if (mender_->next_call_follows()) end_call(false, events);
        return state_ == CallState::Streaming;
      }
      if (!mender_->done()) return false;
      pending_ = mender_->take_rest();
      end_call(true, events);
      at_ = At::After;
      return true;
    }
    if (mender_->broken()) {
      pending_ = mender_->take_rest();
      return reject(events);
    }
    if (!mender_->done()) return false;
    pending_ = mender_->take_rest();
    at_ = At::After;
    return take_member(mender_->take_output(), events);
  }

  bool take_member(std::string value, std::vector<StreamEvent>& events) {
    if (state_ == CallState::Tail) return true;
    if (is_name() && value.starts_with('"')) {
      if (value.contains('\\')) {
        const Result<Json> name = Json::parse(value);
        if (name && name->is_string()) tool_ = context_.tool_named(name->as_string());
      } else {
        tool_ = context_.tool_named(std::string_view(value).substr(1, value.size() - 2));
      }
      if (!tool_) return reject(events);
    } else if (is_arguments() && !arguments_) {
      arguments_ = std::move(value);
    } else if (!std::ranges::contains(kOtherKeys, std::string_view(key_)) ||
               (tool_ && context_.schema_of(*tool_).declares(key_))) {
      others_.emplace_back(std::exchange(key_, {}), std::move(value));
    }
    if (tool_ && arguments_) write_arguments(events);
    return state_ != CallState::Ended;
  }

  // Arguments that are there in full: an object, a text holding one, or nothing.
  void write_arguments(std::vector<StreamEvent>& events) {
    std::string text = *arguments_;
    if (text.starts_with('"')) {
      if (const Result<Json> inner = Json::parse(text); inner && inner->is_string()) {
        text = inner->as_string();
        context_.repairs->add(Repair::ArgumentsInString);
      }
    }
    if (text == "null" || text.find_first_not_of(kWhiteSpace) == std::string::npos) text = "{}";
    writer_.begin(*tool_, events);
    JsonMender mender(context_.schema_of(*tool_), Notation::Json, *context_.repairs);
    if (text.starts_with('{')) {
      mender.push(text);
      mender.finish(TurnEnd::Cut);
    }
    if (mender.done()) {
      writer_.fragment(mender.take_output(), events);
    } else {
      writer_.fragment(text, events);
    }
    end_call(mender.done(), events);
  }

  bool step_after(char c, std::vector<StreamEvent>& events) {
    if (c == '}') return close_brace(events);
    if (c == ',') {
      at_ = At::Key;
      return take(1);
    }
    if (state_ == CallState::Tail) {
      state_ = CallState::Ended;
      return false;
    }
    const Match end = call_end_at(rest());
    if (end == Match::Maybe) return false;
    if (end == Match::Yes) {
      end_of_object(events);
      return false;
    }
    if (c != '"') return reject(events);
    context_.repairs->add(Repair::MissingComma);
    at_ = At::Key;
    return true;
  }

  bool close_brace(std::vector<StreamEvent>& events) {
    take(1);
    at_ = At::After;
    if (depth_ > 0) {
      --depth_;
      return true;
    }
    end_of_object(events);
    if (state_ != CallState::Rejected) state_ = CallState::Ended;
    return false;
  }

  void end_of_object(std::vector<StreamEvent>& events) {
    if (state_ == CallState::Tail) {
      state_ = CallState::Ended;
      return;
    }
    if (!tool_ || (announced_ == Announced::No && !arguments_)) {
      state_ = CallState::Rejected;
      return;
    }
    std::string members;
    for (const auto& [key, value] : others_) {
      members += members.empty() ? "{" : ",";
      append_json_string(members, key);
      members += ":" + value;
    }
    if (!members.empty()) context_.repairs->add(Repair::FlatArguments);
    arguments_ = members.empty() ? "{}" : members + "}";
    write_arguments(events);
    state_ = CallState::Ended;
  }

  void end_call(bool whole, std::vector<StreamEvent>& events) {
    static_cast<void>(writer_.end(whole, events));
    state_ = at_ == At::Garbage ? CallState::Ended : CallState::Tail;
  }

  // What cannot be mended is the honest, broken rest of the arguments, up to the call's closing text.
  bool step_garbage(std::vector<StreamEvent>& events) {
    const std::string_view text = rest();
    std::size_t end = 0;
    Match match = Match::No;
    for (; end < text.size(); ++end) {
      const char c = text[end];
      if (c != '<' && c != '[' && c != ']' && c != '`') continue;
      match = call_end_at(text.substr(end));
      if (match != Match::No) break;
    }
    writer_.fragment(text.substr(0, end), events);
    take(end);
    if (match == Match::Yes) end_call(false, events);
    return false;
  }

  bool reject(std::vector<StreamEvent>& events) {
    give_up(events);
    return false;
  }
  void give_up(std::vector<StreamEvent>& events) {
    if (state_ == CallState::Streaming) {
      static_cast<void>(writer_.end(false, events));
      state_ = CallState::Ended;
    } else {
      state_ = state_ == CallState::Tail ? CallState::Ended : CallState::Rejected;
    }
  }

  const CallContext& context_;
  const Announced announced_;
  CallWriter writer_;
  CallState state_ = CallState::Undecided;
  At at_ = At::Open;
  std::size_t seen_bytes_ = 0;
  int depth_ = 0;         // wrappers inside the outer brace
  std::string pending_;   // not yet read from read_ on
  std::size_t read_ = 0;  // 0 between two pushes
  std::string key_;
  std::optional<JsonMender> mender_;      // of the value being read
  std::optional<NamedTool> tool_;         // declared
  std::optional<std::string> arguments_;  // when they came before the name, or as no object
  std::vector<std::pair<std::string, std::string>> others_;
  std::unique_ptr<CallScanner> tagged_;  // reads all of it, where the call is written in tags
};

}  // namespace

std::unique_ptr<CallScanner> make_json_call_scanner(const CallContext& context, Announced announced) {
  return std::make_unique<JsonCallScanner>(context, announced);
}

}  // namespace hearth::chat
