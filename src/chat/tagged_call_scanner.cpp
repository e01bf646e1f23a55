// The tagged way of writing a tool call: <function=NAME>, then <parameter=KEY> value </parameter> any number of times,
// then </function>; with other words in other families, and <arg_key>KEY</arg_key><arg_value>value</arg_value>, or an
// element per argument; also <NAME> as an element around them. Values are bare text: the tool's schema says which are texts, lists and objects (streamed as they come)
// and which are other JSON (known when they are complete). They come out as one JSON object.
#include <algorithm>
#include <array>
#include <cstddef>
#include <format>
#include <optional>
#include <utility>

#include "base/json.h"
#include "chat/call_tag.h"
#include "chat/json_mender.h"
#include "chat/tag_value.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
// Of <function name="N">, <invoke name="N" type="function"> and their kin: no arguments.
constexpr std::array<std::string_view, 5> kHeadAttributes = {"name", "key", "type", "id", "index"};

std::size_t white_space_prefix(std::string_view text) {
  return std::min(text.size(), text.find_first_not_of(kWhiteSpace));
}

class TaggedCallScanner final : public CallScanner {
 public:
  TaggedCallScanner(const CallContext& context, std::optional<NamedTool> tool, ArgumentsIn arguments_in)
      : context_(context),
        arguments_in_(arguments_in),
        writer_(context),
        tool_(tool),
        at_(tool ? At::Between : At::Head) {
    if (tool_) schema_ = context_.schema_of(*tool_);
  }

  void push(std::string_view text, std::vector<StreamEvent>& events) override {
    pending_ += text;
    seen_bytes_ += text.size();
    if (seen_bytes_ > kCallBytesMax) return give_up(events);
    run(events);
  }

  void finish(TurnEnd end, std::vector<StreamEvent>& events) override {
    last_ = true;
    cut_ = end == TurnEnd::Cut;
    if (value_ && end == TurnEnd::Finished) value_->turn_is_over();
    run(events);
    if (state_ == CallState::Undecided) {
      if (!tool_ || end == TurnEnd::Finished) {
        state_ = CallState::Rejected;
        return;
      }
      writer_.begin(*tool_, events);
      state_ = CallState::Streaming;
    }
    if (state_ != CallState::Streaming) return;
    if (mender_) {
      mender_->finish(end);
      writer_.fragment(mender_->take_output(), events);
      return end_call(mender_->done(), events);
    }
    const std::string_view rest = std::string_view(pending_).substr(white_space_prefix(pending_));
    if (end == TurnEnd::Finished && at_ == At::Between && rest.empty() && !broken_ && has_required()) {
      context_.repairs->add(Repair::MissingClose);
      writer_.fragment(keys_.empty() ? "{}" : "}", events);
      pending_.clear();
      return end_call(true, events);
    }
    if (at_ == At::Value) value_->flush(pending_, writer_, events);
    pending_.clear();
    end_call(false, events);
  }

  [[nodiscard]] CallState state() const override { return state_; }
  [[nodiscard]] std::string take_rest() override { return std::move(pending_); }

 private:
  enum class At { Head, Between, KeyText, BeforeValue, Value, Json, BehindJson, Behind };

  void run(std::vector<StreamEvent>& events) {
    while (state_ != CallState::Rejected && state_ != CallState::Ended && step(events)) {
    }
  }

  bool step(std::vector<StreamEvent>& events) {
    switch (at_) {
      case At::Head: return step_head();
      case At::Between: return step_between(events);
      case At::KeyText: return step_key_text(events);
      case At::BeforeValue: return step_before_value(events);
      case At::Value: return step_value(events);
      case At::Json: return step_json(events);
      case At::BehindJson: return step_behind_json(events);
      case At::Behind: return step_behind(events);
    }
    return false;
  }

  bool step_head() {
    CallTag tag;
    const Match match = read_call_tag(pending_, tag);
    if (match == Match::Maybe && (tag.word.empty() || may_be_call_word(tag.word) || is_function_word(tag.word) ||
                                  context_.begins_tool(tag.word)))
      return false;
    if (match != Match::Yes || tag.closing) return reject();
    const bool is_element = !is_function_word(tag.word);
    tool_ = is_element ? context_.tool_spelled(tag.word) : context_.tool_named(tag_name(tag));
    if (!tool_) return reject();
    schema_ = context_.schema_of(*tool_);
    if (is_element) call_word_ = tag.word;
    malformed_head_ = is_element || !tag.complete;
    return read_attributes(tag) || reject();
  }

  // Arguments as attributes of the call's own tag: as if each had a tag of its own. False: they cannot be read whole.
  bool read_attributes(const CallTag& tag) {
    const TagAttributes attributes = tag_attributes(tag);
    std::string arguments;
    if (attributes.whole) {
      for (const TagAttributes::One& one : attributes.all) {
        const bool is_head = is_function_word(tag.word) && std::ranges::contains(kHeadAttributes, one.key);
        if (!is_head && schema_.declares(one.key)) arguments += std::format("<{0}>{1}</{0}>", one.key, one.value);
      }
    } else if (!attributes.all.empty() && (tag.self_closing || !call_word_.empty())) {
      return false;
    }
    malformed_head_ = malformed_head_ || !arguments.empty();
    empty_ = tag.self_closing && arguments.empty();
    if (tag.self_closing && !arguments.empty()) arguments += "</function>";
    // The tag is a view of what is erased here.
    pending_.replace(0, tag.bytes, arguments);
    at_ = At::Between;
    return true;
  }

  bool step_between(std::vector<StreamEvent>& events) {
    if (empty_) return end_whole(0, events);
    const std::size_t blank = white_space_prefix(pending_);
    if (blank == pending_.size()) return false;
    const std::string_view rest = std::string_view(pending_).substr(blank);
    if (rest.front() == '}' && arguments_in_ == ArgumentsIn::Json && !keys_.empty()) {
      // Cut behind it: the tag and the brace may have been the value's.
      const bool is_last = rest.find_first_not_of("} \t\r\n") == std::string_view::npos;
      if (is_last && !last_) return false;
      return is_last && cut_ ? reject_or_break(events) : end_whole(blank + 1, events);
    }
    if (rest.front() == '{' && keys_.empty()) {
      pending_.erase(0, blank);
      begin(events);
      const CallWriting own = context_.dialect->writing;
      if (own == CallWriting::Tagged || own == CallWriting::Elements) context_.repairs->add(Repair::ForeignForm);
      mender_.emplace(schema_, Notation::Json, *context_.repairs, Around::Call);
      at_ = At::Json;
      return true;
    }
    CallTag tag;
    const Match match = read_call_tag(rest, tag);
    if (match == Match::Maybe) return false;
    if (match == Match::Yes) {
      if (is_parameter_word(tag.word) && !tag.closing) {
        const Match all = holds_all_arguments(tag, rest.substr(tag.bytes));
        if (all == Match::Maybe) return false;
        if (all == Match::No) return begin_parameter(tag, blank, events);
        context_.repairs->add(Repair::MalformedTag);
        in_element_ = true;
        pending_.erase(0, blank + tag.bytes);
        return true;
      }
      if (tag.word == "arg_key" && !tag.closing) {
        pending_.erase(0, blank + tag.bytes);
        at_ = At::KeyText;
        return true;
      }
      if (tag.word == "arg_key" || tag.word == "arg_value" || (is_parameter_word(tag.word) && tag.closing)) {
        if (lost_closer_ && tag.closing && tag.word != "arg_key") return reject_or_break(events);
        context_.repairs->add(Repair::MalformedTag);
        pending_.erase(0, blank + tag.bytes);
        return true;
      }
      if (tag.closing && (is_function_word(tag.word) || tag.word == call_word_))
        return end_whole(blank + tag.bytes, events);
      if (tag.closing && !element(tag) && is_wrapper_word(tag.word)) {
        if (!is_inner_word(tag.word)) return end_whole(blank, events);
        pending_.erase(0, blank + tag.bytes);
        return true;
      }
      if (!tag.closing && element(tag)) return begin_parameter(tag, blank, events);
      if (!tag.closing && (is_function_word(tag.word) || tag.word == "tool_call") && writer_.begun())
        return end_whole(blank, events);
      if (!tag.closing && is_wrapper_word(tag.word)) {
        in_element_ = in_element_ || is_inner_word(tag.word);
        pending_.erase(0, blank + tag.bytes);
        return true;
      }
    }
    const Match end = call_end_at(rest);
    if (end == Match::Maybe) return false;
    if (end == Match::Yes && (writer_.begun() || rest.front() != '`')) return end_whole(blank, events);
    return reject_or_break(events);
  }

  static bool is_inner_word(std::string_view word) {
    return word == "parameters" || word == "arguments" || word == "args";
  }
  // <parameter> without a name, or named as what holds them, and an object behind it: the arguments in JSON.
  [[nodiscard]] Match holds_all_arguments(const CallTag& tag, std::string_view behind) const {
    const std::string_view name = tag_name(tag);
    const bool may =
        name.empty() || ((is_inner_word(name) || name == "input") && schema_.declares_any() && !schema_.declares(name));
    if (!keys_.empty() || !may || tag.self_closing || !tag.complete) return Match::No;
    behind.remove_prefix(white_space_prefix(behind));
    if (behind.empty()) return last_ ? Match::No : Match::Maybe;
    return behind.front() == '{' ? Match::Yes : Match::No;
  }

  // An argument as an element of its own: a declared name, or any where the family writes so.
  [[nodiscard]] bool element(const CallTag& tag) const {
    return schema_.declares(tag.word) || (context_.dialect->writing == CallWriting::Elements &&
                                          !is_wrapper_word(tag.word) && !is_function_word(tag.word));
  }

  void begin(std::vector<StreamEvent>& events) {
    if (state_ == CallState::Streaming) return;
    if (malformed_head_) context_.repairs->add(Repair::MalformedTag);
    writer_.begin(*tool_, events);
    state_ = CallState::Streaming;
  }

  struct Opening {
    std::string key;
    std::string inline_value;  // stands in the tag itself
    std::size_t bytes = 0;     // of the tag and what is dropped behind it
    bool malformed = false;
  };

  // Empty: what follows must be known first.
  [[nodiscard]] std::optional<Opening> read_opening(const CallTag& tag, std::string_view behind) const {
    const bool named = is_parameter_word(tag.word);
    Opening opening{
        .key = std::string(named ? tag_name(tag) : tag.word), .bytes = tag.bytes, .malformed = !tag.complete};
    if (tag.self_closing) {
      read_self_closing(tag, opening);
      return opening;
    }
    const GarbledOpening garbled = named ? read_garbled_opening(tag) : GarbledOpening{};
    const bool is_other = opening.key != garbled.name && schema_.declares(opening.key);
    if (!is_other && schema_.declares(garbled.name)) {
      opening.key = garbled.name;
      opening.malformed = true;
      if (garbled.has_value && !read_value_in_tag(tag, garbled, behind, opening)) return std::nullopt;
    } else if (const std::size_t equals = opening.key.find('='); equals != std::string::npos) {
      opening.inline_value = opening.key.substr(equals + 1) + opening.inline_value;
      opening.key.resize(equals);
      opening.malformed = true;
    }
    return opening;
  }

  // <parameter name="K" value="V"/>, <parameter=K value="V"/>, <K value="V"/>
  void read_self_closing(CallTag tag, Opening& opening) const {
    tag.attributes.remove_suffix(tag.attributes.size() - tag.attributes.rfind('/'));
    const GarbledOpening garbled = is_parameter_word(tag.word) ? read_garbled_opening(tag) : GarbledOpening{};
    if (!schema_.declares(opening.key) && schema_.declares(garbled.name)) {
      opening.key = garbled.name;
      opening.malformed = true;
    }
    opening.inline_value = garbled.has_value ? garbled.value : tag_attribute(tag, "value");
    opening.inline_value += "</" + std::string(tag.word) + ">";
  }

  // The bracket that ends the tag is the closing tag's, the value's, or the opening's, behind which the call goes on at once.
  // False: what follows must be known first.
  bool read_value_in_tag(const CallTag& tag, const GarbledOpening& garbled, std::string_view behind,
                         Opening& opening) const {
    opening.inline_value = garbled.value;
    if (!tag.complete) return true;
    if (!garbled.closing.empty()) {
      opening.inline_value += std::string(garbled.closing) + ">";
      return true;
    }
    const std::size_t blank = white_space_prefix(behind);
    behind.remove_prefix(blank);
    CallTag next;
    const Match match = behind.empty() ? Match::Maybe : read_call_tag(behind, next);
    if (match == Match::Maybe && !last_) return false;
    const bool closes = match == Match::Yes && next.closing && next.word == tag.word;
    const bool ends =
        behind.empty() || closes ||
        (match == Match::Yes && (is_parameter_word(next.word) ||
                                 (next.closing && (is_function_word(next.word) || is_wrapper_word(next.word)))));
    if (ends) {
      opening.bytes += blank;
      if (!closes) opening.inline_value += "</" + std::string(tag.word) + ">";
    } else if (garbled.is_quoted) {
      opening.inline_value.clear();  // an attribute; the value stands where it belongs
    } else {
      opening.inline_value += '>';
    }
    return true;
  }

  bool begin_parameter(const CallTag& tag, std::size_t blank, std::vector<StreamEvent>& events) {
    const bool named = is_parameter_word(tag.word);
    const std::optional<Opening> opening = read_opening(tag, std::string_view(pending_).substr(blank + tag.bytes));
    if (!opening) return false;
    const std::string& key = opening->key;
    if (key.empty()) return reject_or_break(events);
    if (opening->malformed) context_.repairs->add(Repair::MalformedTag);
    if (!named && context_.dialect->writing != CallWriting::Elements) context_.repairs->add(Repair::MalformedTag);
    const bool assigned =
        tag.attributes.starts_with('=') || (named && context_.dialect->words.key_begin == "<parameter=");
    TagValueRules rules{.key = key, .open_word = std::string(tag.word), .call_word = call_word_};
    rules.arguments_in = arguments_in_;
    rules.dsml_type = tag_attribute(tag, "string");
    if (assigned) {
      rules.first_line_end = LineEnd::Drop;
      const CallWords& words = context_.dialect->words;
      const bool writes = words.key_begin != "<parameter=" || words.value_end.starts_with('\n');
      rules.last_line_end = writes ? LineEnd::Drop : LineEnd::DropIfFirst;
    }
    // The tag is a view of what is erased here.
    pending_.erase(0, blank + opening->bytes);
    begin_value(std::move(rules), events);
    pending_.insert(0, opening->inline_value);
    return true;
  }

  // <arg_key>KEY</arg_key>, also without its closing tag.
  bool step_key_text(std::vector<StreamEvent>& events) {
    const std::size_t end = pending_.find('<');
    if (end == std::string::npos) return false;
    CallTag tag;
    const Match match = read_call_tag(std::string_view(pending_).substr(end), tag);
    if (match == Match::Maybe) return false;
    if (match == Match::No) return reject_or_break(events);
    key_text_ = pending_.substr(0, end);
    const std::size_t begin = white_space_prefix(key_text_);
    key_text_ = key_text_.substr(begin, key_text_.find_last_not_of(kWhiteSpace) + 1 - begin);
    if (key_text_.empty()) return reject_or_break(events);
    const bool closes = tag.closing && tag.word != "arg_value";
    if (tag.word != "arg_key" || !tag.closing) context_.repairs->add(Repair::MalformedTag);
    pending_.erase(0, closes ? end + tag.bytes : end);
    at_ = At::BeforeValue;
    return true;
  }

  bool step_before_value(std::vector<StreamEvent>& events) {
    const std::size_t blank = white_space_prefix(pending_);
    const std::string_view rest = std::string_view(pending_).substr(blank);
    if (rest.empty()) return false;
    CallTag tag;
    const Match match = read_call_tag(rest, tag);
    if (match == Match::Maybe) return false;
    const bool opens = match == Match::Yes && tag.word == "arg_value" && !tag.closing;
    if (!opens) context_.repairs->add(Repair::MalformedTag);
    if (!opens && match == Match::Yes) return reject_or_break(events);
    pending_.erase(0, blank + (opens ? tag.bytes : 0));
    begin_value({.key = key_text_, .open_word = "arg_value"}, events);
    return true;
  }

  void begin_value(TagValueRules rules, std::vector<StreamEvent>& events) {
    begin(events);
    std::string json = keys_.empty() ? "{" : ",";
    append_json_string(json, rules.key);
    writer_.fragment(json + ":", events);
    if (std::ranges::contains(keys_, rules.key)) context_.repairs->add(Repair::DuplicateKey);
    keys_.push_back(rules.key);
    value_.emplace(std::move(rules), schema_, keys_, context_);
    at_ = At::Value;
  }

  bool step_value(std::vector<StreamEvent>& events) {
    const TagValue::Step step = value_->read(pending_, last_ ? TextEnd::Here : TextEnd::Later, writer_, events);
    if (step == TagValue::Step::Wait) return false;
    broken_ = broken_ || step == TagValue::Step::Broken;
    lost_closer_ = lost_closer_ || value_->ended_by_next_key();
    value_.reset();
    at_ = At::Between;
    return true;
  }

  bool step_json(std::vector<StreamEvent>& events) {
    mender_->push(std::exchange(pending_, {}));
    writer_.fragment(mender_->take_output(), events);
    if (!mender_->done() && !mender_->broken()) return false;
    pending_ = mender_->take_rest();
    if (mender_->done() && in_element_) {
      at_ = At::BehindJson;
      return true;
    }
    end_call(mender_->done(), events);
    mender_.reset();
    return false;
  }

  // The element that the arguments stood in closes.
  bool step_behind_json(std::vector<StreamEvent>& events) {
    const std::size_t blank = white_space_prefix(pending_);
    const std::string_view rest = std::string_view(pending_).substr(blank);
    CallTag tag;
    const Match match = rest.empty() ? Match::Maybe : read_call_tag(rest, tag);
    if (match == Match::Maybe && !last_) return false;
    const bool closes = match == Match::Yes && tag.closing && (is_inner_word(tag.word) || is_parameter_word(tag.word));
    if (closes) pending_.erase(0, blank + tag.bytes);
    if (closes) return true;
    mender_.reset();
    end_call(true, events);
    return false;
  }

  bool end_whole(std::size_t count, std::vector<StreamEvent>& events) {
    pending_.erase(0, count);
    begin(events);
    at_ = At::Behind;
    return true;
  }

  // An argument's closing tag behind those of the call: the value it closes was taken to end before, it is not whole.
  bool step_behind(std::vector<StreamEvent>& events) {
    std::string_view rest = pending_;
    bool whole = !broken_;
    while (whole && !keys_.empty()) {
      rest.remove_prefix(white_space_prefix(rest));
      CallTag tag;
      const Match match = rest.empty() ? Match::Maybe : read_call_tag(rest, tag);
      const bool may = rest.empty() || tag.closing || tag.word.empty();
      if (match == Match::Maybe && may && !last_) return false;
      if (match != Match::Yes || !tag.closing) break;
      whole = !is_parameter_word(tag.word) && tag.word != "arg_value";
      if (!whole) pending_.erase(0, pending_.size() - rest.size() + tag.bytes);
      if (!whole || (!is_function_word(tag.word) && !is_wrapper_word(tag.word))) break;
      rest.remove_prefix(tag.bytes);
    }
    if (whole) writer_.fragment(keys_.empty() ? "{}" : "}", events);
    end_call(whole, events);
    return false;
  }

  void end_call(bool whole, std::vector<StreamEvent>& events) {
    static_cast<void>(writer_.end(whole, events));
    state_ = CallState::Ended;
  }

  [[nodiscard]] bool has_required() const {
    return std::ranges::all_of(schema_.required(),
                               [&](const std::string& key) { return std::ranges::contains(keys_, key); });
  }

  bool reject() {
    state_ = CallState::Rejected;
    return false;
  }
  bool reject_or_break(std::vector<StreamEvent>& events) {
    if (state_ == CallState::Undecided) return reject();
    end_call(false, events);
    return false;
  }
  void give_up(std::vector<StreamEvent>& events) { static_cast<void>(reject_or_break(events)); }

  const CallContext& context_;
  const ArgumentsIn arguments_in_;
  CallWriter writer_;
  std::optional<NamedTool> tool_;
  std::string call_word_;        // of an element that is the call: <Bash>...</Bash>
  bool malformed_head_ = false;  // counted when it turns out to be a call
  ArgumentSchema schema_;
  CallState state_ = CallState::Undecided;
  At at_;
  bool last_ = false, cut_ = false;  // cut: once last_
  bool empty_ = false;               // the function's own tag closes itself
  bool in_element_ = false;          // an element around all arguments is open
  bool broken_ = false;              // a value was no JSON
  bool lost_closer_ = false;         // of a value that the next one's opening ended
  std::size_t seen_bytes_ = 0;
  std::string pending_;  // not yet sent, not yet decided
  std::string key_text_;
  std::vector<std::string> keys_;     // so far
  std::optional<TagValue> value_;     // being read
  std::optional<JsonMender> mender_;  // of arguments in JSON between the tags
};

}  // namespace

std::unique_ptr<CallScanner> make_tagged_call_scanner(const CallContext& context) {
  return std::make_unique<TaggedCallScanner>(context, std::nullopt, ArgumentsIn::Tags);
}
std::unique_ptr<CallScanner> make_tagged_arguments_scanner(const CallContext& context, NamedTool tool,
                                                           ArgumentsIn arguments_in) {
  return std::make_unique<TaggedCallScanner>(context, tool, arguments_in);
}

}  // namespace hearth::chat
