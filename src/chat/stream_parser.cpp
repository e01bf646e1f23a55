// See stream_parser.h. One buffer and one state: each step looks at the front of the buffer and either consumes what is
// certain whatever may follow, or waits for more. At the end of the turn the same steps run with nothing more to come.
#include "chat/stream_parser.h"

#include <cstddef>

#include "chat/fence_tracker.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";
constexpr std::string_view kCallOpen = "<tool_call>";
constexpr std::string_view kCallClose = "</tool_call>";
constexpr std::string_view kFunctionOpen = "<function=";
constexpr std::string_view kWhiteSpace = " \t\n\r";

std::size_t white_space_prefix(std::string_view text) {
  const std::size_t end = text.find_first_not_of(kWhiteSpace);
  return end == std::string_view::npos ? text.size() : end;
}
std::size_t without_trailing_white_space(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kWhiteSpace);
  return last == std::string_view::npos ? 0 : last + 1;
}
// `text` is the beginning of `tag`, and not all of it.
bool may_become(std::string_view text, std::string_view tag) {
  return text.size() < tag.size() && tag.starts_with(text);
}

}  // namespace

void append_text(std::vector<StreamEvent>& events, std::string_view text) {
  if (text.empty()) return;
  if (events.empty() || !std::holds_alternative<TextDelta>(events.back())) events.emplace_back(TextDelta{});
  std::get<TextDelta>(events.back()).text += text;
}
void append_thinking(std::vector<StreamEvent>& events, std::string_view text) {
  if (text.empty()) return;
  if (events.empty() || !std::holds_alternative<ThinkingDelta>(events.back())) events.emplace_back(ThinkingDelta{});
  std::get<ThinkingDelta>(events.back()).text += text;
}
void append_call_json(std::vector<StreamEvent>& events, std::string_view json) {
  if (json.empty()) return;
  if (events.empty() || !std::holds_alternative<ToolCallDelta>(events.back())) events.emplace_back(ToolCallDelta{});
  std::get<ToolCallDelta>(events.back()).json += json;
}

class StreamParser::State {
 public:
  explicit State(StreamParserOptions options)
      : options_(std::move(options)), at_(options_.thinking_opened ? At::ThinkingStart : At::Start) {}

  std::vector<StreamEvent> push(std::string_view text) {
    buffer_ += text;
    return run();
  }
  std::vector<StreamEvent> finish() {
    last_ = true;
    return run();
  }

 private:
  enum class At {
    Start,          // of the message, or after a call: a thought may open here
    ThinkingStart,  // white space of a thought's beginning
    Thinking,
    AfterThinking,  // white space between thought and text
    Text,
    Call,       // a scanner reads
    AfterCall,  // the closing tag, if the model wrote it
  };

  std::vector<StreamEvent> run() {
    events_.clear();
    while (step()) {
    }
    buffer_.erase(0, consumed_);
    consumed_ = 0;
    return std::move(events_);
  }

  // True: something was decided, look again. False: nothing more can be known now.
  bool step() {
    switch (at_) {
      case At::Start: return step_start();
      case At::ThinkingStart: return step_thinking_start();
      case At::Thinking: return step_thinking();
      case At::AfterThinking: return step_after_thinking();
      case At::Text: return step_text();
      case At::Call: return step_call();
      case At::AfterCall: return step_after_call();
    }
    return false;
  }

  [[nodiscard]] std::string_view rest() const { return std::string_view(buffer_).substr(consumed_); }
  // More may come, and it may turn `text` into `tag`.
  [[nodiscard]] bool wait_for(std::string_view text, std::string_view tag) const {
    return !last_ && may_become(text, tag);
  }

  void take_text(std::size_t count) {
    const std::string_view text = rest().substr(0, count);
    fence_.feed(text);
    append_text(events_, text);
    consumed_ += count;
  }

  bool step_start() {
    if (any_call_) consumed_ += white_space_prefix(rest());
    const std::size_t blank = white_space_prefix(rest());
    const std::string_view word = rest().substr(blank);
    if (word.empty()) return false;  // a message of white space only is nothing
    if (word.starts_with(kThinkOpen)) {
      consumed_ += blank + kThinkOpen.size();
      at_ = At::ThinkingStart;
      return true;
    }
    if (wait_for(word, kThinkOpen)) return false;
    at_ = At::Text;
    return true;
  }

  bool step_thinking_start() {
    const std::size_t blank = white_space_prefix(rest());
    const std::string_view word = rest().substr(blank);
    if (word.empty() && !last_) return false;
    // Some models open the thought again that the prompt has opened.
    if (options_.thinking_opened && !thought_opened_twice_) {
      if (wait_for(word, kThinkOpen)) return false;
      if (word.starts_with(kThinkOpen)) {
        thought_opened_twice_ = true;
        consumed_ += blank + kThinkOpen.size();
        return true;
      }
    }
    consumed_ += blank;
    at_ = At::Thinking;
    return true;
  }

  bool step_thinking() {
    const std::string_view text = rest();
    const std::size_t close = text.find(kThinkClose);
    if (close != std::string_view::npos) {
      append_thinking(events_, text.substr(0, without_trailing_white_space(text.substr(0, close))));
      consumed_ += close + kThinkClose.size();
      at_ = At::AfterThinking;
      return true;
    }
    if (last_) {
      append_thinking(events_, text);
      consumed_ += text.size();
      return false;
    }
    // The tag may have begun, and white space before it will not be shown.
    std::size_t certain = text.size();
    if (const std::size_t bracket = text.rfind('<');
        bracket != std::string_view::npos && may_become(text.substr(bracket), kThinkClose)) {
      certain = bracket;
    }
    certain = without_trailing_white_space(text.substr(0, certain));
    append_thinking(events_, text.substr(0, certain));
    consumed_ += certain;
    return false;
  }

  bool step_after_thinking() {
    const std::size_t blank = white_space_prefix(rest());
    consumed_ += blank;
    if (rest().empty()) return false;
    at_ = At::Text;
    return true;
  }

  bool step_text() {
    const std::string_view text = rest();
    const std::size_t bracket = text.find('<');
    if (bracket == std::string_view::npos) {
      // White space may stand before a call, where it is not shown.
      take_text(last_ ? text.size() : without_trailing_white_space(text));
      return false;
    }
    take_text(without_trailing_white_space(text.substr(0, bracket)));
    const std::size_t blank = white_space_prefix(rest());
    const std::string_view tag = rest().substr(blank);
    if (wait_for(tag, kCallOpen) || wait_for(tag, kFunctionOpen)) return false;
    const bool opens = tag.starts_with(kCallOpen);
    if (opens || tag.starts_with(kFunctionOpen)) {
      FenceTracker ahead = fence_;
      ahead.feed(rest().substr(0, blank));
      if (!ahead.inside()) {
        const std::size_t inner = opens ? kCallOpen.size() + white_space_prefix(tag.substr(kCallOpen.size())) : 0;
        const std::string_view body = tag.substr(inner);
        if (!last_ && (body.empty() || may_become(body, kFunctionOpen))) return false;
        if (body.starts_with('{')) return begin_call(make_json_call_scanner(options_), blank + inner);
        if (body.starts_with(kFunctionOpen)) return begin_call(make_xml_call_scanner(options_), blank + inner);
      }
    }
    take_text(blank + 1);  // a bracket like any other
    return true;
  }

  // `opening_bytes`: white space and tag before the scanner's first byte.
  bool begin_call(std::unique_ptr<CallScanner> scanner, std::size_t opening_bytes) {
    scanner_ = std::move(scanner);
    call_opening_bytes_ = opening_bytes;
    call_scanned_bytes_ = 0;
    at_ = At::Call;
    return true;
  }

  // While the call is undecided its bytes stay in the buffer: they may have to come out as text.
  bool step_call() {
    const std::string_view fresh = rest().substr(call_opening_bytes_ + call_scanned_bytes_);
    call_scanned_bytes_ += fresh.size();
    scanner_->push(fresh, events_);
    if (last_ && scanner_->state() == CallState::Undecided) return reject_call();
    switch (scanner_->state()) {
      case CallState::Undecided: return false;
      case CallState::Rejected: return reject_call();
      case CallState::Streaming:
      case CallState::Tail:
      case CallState::Ended: break;
    }
    consumed_ += call_opening_bytes_ + call_scanned_bytes_;
    call_opening_bytes_ = call_scanned_bytes_ = 0;
    if (scanner_->state() != CallState::Ended) {
      if (last_) scanner_->finish(events_);
      return false;
    }
    buffer_ = scanner_->take_rest();
    consumed_ = 0;
    scanner_.reset();
    fence_ = {};
    any_call_ = true;
    at_ = At::AfterCall;
    return true;
  }

  bool reject_call() {
    scanner_.reset();
    at_ = At::Text;
    // The first bracket goes out as text, so that the same call is not tried again; what follows is read anew.
    take_text(white_space_prefix(rest()) + 1);
    return true;
  }

  bool step_after_call() {
    consumed_ += white_space_prefix(rest());
    if (rest().empty() || wait_for(rest(), kCallClose)) return false;
    if (rest().starts_with(kCallClose)) {
      consumed_ += kCallClose.size();
    } else if (rest().starts_with('{')) {
      return begin_call(make_json_call_scanner(options_), 0);  // a second call within the same tags
    }
    at_ = At::Start;
    return true;
  }

  const StreamParserOptions options_;
  At at_;
  bool last_ = false;
  bool thought_opened_twice_ = false;
  bool any_call_ = false;  // has ended: white space that follows is not shown
  FenceTracker fence_;     // of the text since the last call
  std::string buffer_;
  std::size_t consumed_ = 0;  // of buffer_: [0, consumed_) is done with and goes at the end of run()
  std::unique_ptr<CallScanner> scanner_;
  std::size_t call_opening_bytes_ = 0;
  std::size_t call_scanned_bytes_ = 0;
  std::vector<StreamEvent> events_;
};

StreamParser::StreamParser(StreamParserOptions options) : state_(std::make_unique<State>(std::move(options))) {}
StreamParser::~StreamParser() = default;

std::vector<StreamEvent> StreamParser::push(std::string_view text) { return state_->push(text); }
std::vector<StreamEvent> StreamParser::finish(TurnEnd /*end*/) { return state_->finish(); }

}  // namespace hearth::chat
