// Calls that begin with the name: NAME[ARGS]{...}, functions.NAME:0<|tool_call_argument_begin|>{...}, call:NAME{...},
// NAME(key='value'), NAME<arg_key>key</arg_key>..., and a channel's to=functions.NAME ... <|message|>{...}.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "chat/call_tags.h"
#include "chat/json_mender.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
// Names are short; what goes on longer without arguments is no call.
constexpr std::size_t kHeadBytesMax = 512;
constexpr std::size_t kSeparatorBytesMax = 64;  // longer than each below
// What stands between the opening, the name and the arguments.
constexpr std::array<std::string_view, 20> kSeparators = {"<｜tool▁sep｜>",
                                                          "<|tool_call_argument_begin|>",
                                                          "<|tool_call:name|>",
                                                          "<|tool_call:args|>",
                                                          "<|tool_sep|>",
                                                          "<tool_sep>",
                                                          "<tool_sep:opensource>",
                                                          "<|constrain|>",
                                                          "<|message|>",
                                                          "<|channel|>",
                                                          "[CALL_ID]",
                                                          "[ARGS]",
                                                          "```json",
                                                          "```",
                                                          "<arguments>",
                                                          "<parameters>",
                                                          "<name>",
                                                          "</name>",
                                                          "<tool_name>",
                                                          "</tool_name>"};
// What closes the fence or the element around the arguments.
constexpr std::array<std::string_view, 3> kEnclosing = {"```", "</arguments>", "</parameters>"};
constexpr std::array<std::string_view, 7> kWords = {"function", "json",      "commentary", "analysis",
                                                    "code",     "assistant", "call:"};

class NamedCallScanner final : public CallScanner {
 public:
  explicit NamedCallScanner(const CallContext& context) : context_(context), writer_(context) {}

  void push(std::string_view text, std::vector<StreamEvent>& events) override {
    seen_bytes_ += text.size();
    if (seen_bytes_ > kCallBytesMax) return give_up(events);
    if (tagged_) return push_tagged(text, events);
    pending_ += text;
    while (state_ != CallState::Rejected && state_ != CallState::Ended && step(events)) {
    }
  }

  void finish(TurnEnd end, std::vector<StreamEvent>& events) override {
    if (tagged_) {
      tagged_->finish(end, events);
      state_ = tagged_->state();
      return;
    }
    switch (state_) {
      case CallState::Undecided:
        last_ = true;
        static_cast<void>(step_head(events));
        if (state_ == CallState::Undecided) finish_head(end, events);
        return;
      case CallState::Streaming:
        if (!garbage_) {
          mender_->finish(end);
          writer_.fragment(mender_->take_output(), events);
          if (mender_->done()) context_.repairs->add(Repair::MissingClose);
        }
        if (garbage_) writer_.fragment(std::exchange(pending_, {}), events);
        static_cast<void>(writer_.end(!garbage_ && mender_->done(), events));
        break;
      case CallState::Tail: drop_cut_closer(); break;
      case CallState::Rejected:
      case CallState::Ended: break;
    }
    if (state_ != CallState::Rejected) state_ = CallState::Ended;
  }

  [[nodiscard]] CallState state() const override { return state_; }
  [[nodiscard]] std::string take_rest() override { return tagged_ ? tagged_->take_rest() : std::move(pending_); }

 private:
  bool step(std::vector<StreamEvent>& events) {
    switch (state_) {
      case CallState::Undecided: return step_head(events);
      case CallState::Streaming: return garbage_ ? step_garbage(events) : step_arguments(events);
      case CallState::Tail: return step_tail();
      case CallState::Rejected:
      case CallState::Ended: break;
    }
    return false;
  }

  // The head is short: it is read anew with each piece, and decided by its first terminator.
  bool step_head(std::vector<StreamEvent>& events) {
    std::size_t at = 0;
    tool_.reset();
    bool skip_word = false;  // an id
    while (at < pending_.size()) {
      if (at > kHeadBytesMax) return reject();
      const char c = pending_[at];
      const std::string_view rest = std::string_view(pending_).substr(at);
      if (kWhiteSpace.contains(c)) {
        ++at;
        continue;
      }
      if (c == '{' || c == '(') return begin_arguments(at, c, events);
      Match separator = Match::No;
      std::size_t bytes = 0;
      read_separator(rest, separator, bytes);
      if (separator == Match::Yes) {
        skip_word = rest.starts_with("[CALL_ID]");
        enclosed_ =
            enclosed_ || rest.starts_with("```") || rest.starts_with("<arguments>") || rest.starts_with("<parameters>");
        at += bytes;
        continue;
      }
      const Match key = match_tag(rest, rest.starts_with("<arg_key:") ? "<arg_key:opensource>" : "<arg_key>");
      if (key == Match::Yes) return begin_tagged(at, events);
      const Match end = call_end_at(rest);
      if (separator == Match::Maybe || key == Match::Maybe || end == Match::Maybe) break;
      if (end == Match::Yes) return end_without_arguments(at, events);
      const std::size_t stop = std::min(pending_.size(), pending_.find_first_of(" \t\n\r{(<[>`,", at));
      if (stop == at) return reject();
      if (stop == pending_.size()) break;  // the word may go on
      if (match_tag(std::string_view(pending_).substr(stop), "<|tool_call:name|>") == Match::Maybe && !last_) break;
      if (!take_word(std::string_view(pending_).substr(at, stop - at), std::exchange(skip_word, false), stop))
        return reject();
      at = stop;
    }
    return pending_.size() > kHeadBytesMax + kSeparatorBytesMax ? reject() : false;
  }

  static void read_separator(std::string_view rest, Match& match, std::size_t& bytes) {
    for (const std::string_view text : kSeparators) {
      const Match one = match_tag(rest, text);
      if (one == Match::No || (match == Match::Yes && text.size() < bytes)) continue;
      if (one == Match::Maybe && match == Match::Yes) continue;
      match = one;
      bytes = text.size();
    }
  }

  bool take_word(std::string_view word, bool is_id, std::size_t stop) {
    if (is_id || std::ranges::contains(kWords, word)) return true;
    // Solar writes an id before the name.
    if (std::string_view(pending_).substr(stop).starts_with("<|tool_call:name|>")) return true;
    if (tool_) return false;
    if (word.starts_with("to=")) word.remove_prefix(3);
    if (word.ends_with(".call")) word.remove_suffix(5);  // as Llama calls its interpreter's tools
    tool_ = context_.tool_named(word);
    return tool_.has_value();
  }

  bool begin_arguments(std::size_t at, char c, std::vector<StreamEvent>& events) {
    if (!tool_) return reject();
    const bool gemma = c == '{' && (context_.dialect->writing == CallWriting::Gemma ||
                                    std::string_view(pending_).substr(0, at).contains("call:"));
    const Notation notation = c == '(' ? Notation::Python : gemma ? Notation::Gemma : Notation::Json;
    pending_.erase(0, at);
    writer_.begin(*tool_, events);
    mender_.emplace(context_.schema_of(*tool_), notation, *context_.repairs, Around::Call);
    state_ = CallState::Streaming;
    return true;
  }

  bool begin_tagged(std::size_t at, std::vector<StreamEvent>& events) {
    if (!tool_) return reject();
    tagged_ = make_tagged_arguments_scanner(context_, *tool_, ArgumentsIn::Tags);
    const std::string rest = pending_.substr(at);
    pending_.clear();
    push_tagged(rest, events);
    return false;
  }

  void push_tagged(std::string_view text, std::vector<StreamEvent>& events) {
    tagged_->push(text, events);
    state_ = tagged_->state();
  }

  bool end_without_arguments(std::size_t at, std::vector<StreamEvent>& events) {
    if (!tool_) return reject();
    pending_.erase(0, at);
    writer_.begin(*tool_, events);
    writer_.fragment("{}", events);
    static_cast<void>(writer_.end(true, events));
    state_ = CallState::Ended;
    return false;
  }

  void finish_head(TurnEnd end, std::vector<StreamEvent>& events) {
    if (end == TurnEnd::Cut && tool_) {
      writer_.begin(*tool_, events);
      static_cast<void>(writer_.end(false, events));
      pending_.clear();
      state_ = CallState::Ended;
    } else {
      state_ = CallState::Rejected;
    }
  }

  bool step_arguments(std::vector<StreamEvent>& events) {
    mender_->push(std::exchange(pending_, {}));
    writer_.fragment(mender_->take_output(), events);
    if (!mender_->broken() && !mender_->done()) return false;
    pending_ = mender_->take_rest();
    if (mender_->broken()) {
      garbage_ = true;
      if (mender_->next_call_follows()) give_up(events);
      return state_ == CallState::Streaming;
    }
    static_cast<void>(writer_.end(true, events));
    state_ = enclosed_ ? CallState::Tail : CallState::Ended;
    return enclosed_;
  }

  // What cannot be mended is the honest, broken rest, up to the call's closing text.
  bool step_garbage(std::vector<StreamEvent>& events) {
    std::size_t end = 0;
    Match match = Match::No;
    for (; end < pending_.size(); ++end) {
      const char c = pending_[end];
      if (c != '<' && c != '[' && c != ']' && c != '`') continue;
      match = call_end_at(std::string_view(pending_).substr(end));
      if (match != Match::No) break;
    }
    writer_.fragment(std::string_view(pending_).substr(0, end), events);
    pending_.erase(0, end);
    if (match != Match::Yes) return false;
    give_up(events);
    return false;
  }

  // The fence or the element around the arguments closes.
  bool step_tail() {
    const std::size_t begin = pending_.find_first_not_of(kWhiteSpace);
    if (begin == std::string::npos) return false;
    std::size_t closed = 0;
    for (const std::string_view closer : kEnclosing) {
      const Match match = match_tag(std::string_view(pending_).substr(begin), closer);
      if (match == Match::Maybe) return false;
      if (match == Match::Yes) closed = begin + closer.size();
    }
    pending_.erase(0, closed);
    state_ = CallState::Ended;
    return false;
  }

  void drop_cut_closer() {
    const std::string_view rest =
        std::string_view(pending_).substr(std::min(pending_.size(), pending_.find_first_not_of(kWhiteSpace)));
    if (std::ranges::any_of(kEnclosing, [&](std::string_view closer) { return closer.starts_with(rest); }))
      pending_.clear();
  }

  bool reject() {
    state_ = CallState::Rejected;
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
  CallWriter writer_;
  CallState state_ = CallState::Undecided;
  std::size_t seen_bytes_ = 0;
  std::string pending_;  // not yet read
  std::optional<NamedTool> tool_;
  bool last_ = false;      // nothing more comes
  bool enclosed_ = false;  // the arguments stand in a code fence or an element
  bool garbage_ = false;   // the arguments are broken
  std::optional<JsonMender> mender_;
  std::unique_ptr<CallScanner> tagged_;  // reads the arguments between tags
};

}  // namespace

std::unique_ptr<CallScanner> make_named_call_scanner(const CallContext& context) {
  return std::make_unique<NamedCallScanner>(context);
}

}  // namespace hearth::chat
