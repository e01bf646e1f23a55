// See doubtful_end.h.
#include "chat/doubtful_end.h"

#include <algorithm>

namespace hearth::chat {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
// So much behind a call is some 8,000 tokens: a model that goes on longer repeats itself, and must be seen to.
constexpr std::size_t kBehindBytesMax = std::size_t{32} << 10;

bool begins_line(std::string_view text, std::size_t at) {
  const std::size_t last = text.substr(0, at).find_last_not_of(" \t");
  return last == std::string_view::npos || text[last] == '\n' || text[last] == '>';
}

}  // namespace

Match call_ends_at(std::string_view text, TextEnd end, std::string_view call_word) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(kWhiteSpace)));
  if (text.empty()) return end == TextEnd::Here ? Match::No : Match::Maybe;
  const Match closer = call_closer_at(text).match;
  if (closer == Match::Yes) return Match::Yes;
  CallTag tag;
  const Match match = read_call_tag(text, tag);
  if (match == Match::Yes) {
    const bool is_call = is_function_word(tag.word) || is_wrapper_word(tag.word) || tag.word == call_word;
    return tag.closing && is_call ? Match::Yes : Match::No;
  }
  const bool may =
      closer == Match::Maybe ||
      (match == Match::Maybe && (tag.word.empty() || may_be_call_word(tag.word) || call_word.starts_with(tag.word)));
  return may && end == TextEnd::Later ? Match::Maybe : Match::No;
}

bool DoubtfulEnd::is_own(std::string_view word) const {
  return word == open_word_ || (is_parameter_word(word) && is_parameter_word(open_word_));
}

void DoubtfulEnd::open(const CallTag& tag, bool begins_line) {
  if (tag.self_closing) return;
  if (tag.word == "arg_key") {
    key_read_ = true;
  } else if (is_own(tag.word)) {
    key_read_ = false;
    ++open_count_;
  } else if ((is_function_word(tag.word) || tag.word == call_word_) && begins_line) {
    in_call_ = true;
  }
}

// To `at`, past text that is no tag.
void DoubtfulEnd::go_on(std::string_view text, std::size_t at) {
  const std::string_view between = text.substr(at_, at - at_);
  code_.feed(between);
  is_first_ = is_first_ && between.find_first_not_of(kWhiteSpace) == std::string_view::npos;
  at_ = at;
}

DoubtfulEnd::Verdict DoubtfulEnd::look(std::string_view text, TextEnd end) {
  for (;;) {
    go_on(text, std::min(text.size(), text.find_first_of("<]", at_)));
    if (at_ > kBehindBytesMax) return Verdict::Ends;
    if (at_ == text.size()) return end == TextEnd::Here ? Verdict::Ends : Verdict::Wait;
    CallTag tag;
    const Match match = read_call_tag(text.substr(at_), tag);
    if (match == Match::Maybe && end == TextEnd::Later) return Verdict::Wait;
    if (match != Match::Yes) {
      go_on(text, at_ + 1);
      continue;
    }
    if (!tag.closing) {
      open(tag, begins_line(text, at_));
    } else if (is_function_word(tag.word) || is_wrapper_word(tag.word) || tag.word == call_word_) {
      in_call_ = false;
    } else if (is_own(tag.word)) {
      // A closing tag twice is a slip. One in code closes what stands in the same code: an answer that quotes the end of a
      // call, behind the call, says nothing about it.
      const std::size_t code = code_.code_id();
      const bool is_nothings = is_first_ || (code != 0 && code != own_code_);
      const bool is_opened = key_read_ || open_count_ > 0 || in_call_;
      const Match ends =
          is_opened || is_nothings ? Match::No : call_ends_at(text.substr(at_ + tag.bytes), end, call_word_);
      if (ends == Match::Yes) return Verdict::Text;
      if (ends == Match::Maybe) return Verdict::Wait;
      if (!key_read_ && open_count_ > 0) --open_count_;
      key_read_ = false;
    }
    go_on(text, at_ + tag.bytes);
  }
}

}  // namespace hearth::chat
