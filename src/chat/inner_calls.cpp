// See inner_calls.h.
#include "chat/inner_calls.h"

#include <algorithm>

namespace hearth::chat {

bool is_call_wrapper_word(std::string_view word) {
  return is_wrapper_word(word) && (word.starts_with("tool_call") || word.starts_with("function_call"));
}

void InnerCalls::text(std::string_view between) {
  if (!behind_tag_) return;
  for (const char c : between) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank && !in_word_) {
      behind_tag_ = behind_wrapper_;
      behind_wrapper_ = false;
    }
    in_word_ = !blank;
  }
}

bool InnerCalls::open(const CallTag& tag, bool element) {
  if (!tag.complete || tag.self_closing) return false;
  Open opened{.kind = Kind::Argument, .word = std::string(tag.word)};
  if (is_call_wrapper_word(tag.word)) {
    opened.kind = Kind::Wrapper;
  } else if (is_function_word(tag.word) && !tag_name(tag).empty()) {
    opened.kind = Kind::Function;
  } else if (tag.word == "arg_key") {
    opened.kind = Kind::Key;
  } else if (!element && tag.word != open_word_ && tag.word != "arg_value" &&
             (!is_parameter_word(tag.word) || tag_name(tag).empty())) {
    return false;
  }
  const bool argument = opened.kind == Kind::Argument || opened.kind == Kind::Key;
  if (argument && behind_tag_) {
    for (Open& one : open_) one.meant = one.meant || one.kind != Kind::Argument;
    opened.meant = true;
  }
  quotes_ = quotes_ || opened.kind == Kind::Argument;
  open_.push_back(std::move(opened));
  behind_tag_ = true;
  behind_wrapper_ = open_.back().kind == Kind::Wrapper || open_.back().kind == Kind::Key;
  in_word_ = false;
  return true;
}

std::size_t InnerCalls::matching(const CallTag& tag) const {
  const bool argument = !is_call_wrapper_word(tag.word) && !is_function_word(tag.word);
  for (std::size_t i = open_.size(); i-- > 0;) {
    if (open_[i].word == tag.word) return i;
    if (!argument && open_[i].kind == Kind::Argument) break;  // the text of an argument
  }
  return std::string::npos;
}

InnerCalls::Closes InnerCalls::closes(const CallTag& tag) const {
  const std::size_t at = matching(tag);
  if (at != std::string::npos) {
    return tag.word == open_word_ && !open_[at].meant ? Closes::Doubtful : Closes::Inner;
  }
  const bool meant = std::ranges::any_of(open_, [](const Open& one) { return one.meant; });
  if (tag.word == open_word_) return meant ? Closes::Doubtful : Closes::Nothing;
  return meant || quotes_ ? Closes::Text : Closes::Nothing;
}

bool InnerCalls::may_close(std::string_view word) const {
  return std::ranges::any_of(open_, [&](const Open& one) { return one.word.starts_with(word); });
}

void InnerCalls::close(const CallTag& tag) {
  const std::size_t at = matching(tag);
  if (at == std::string::npos) return;
  open_.resize(at);
  behind_tag_ = true;
  behind_wrapper_ = in_word_ = false;
}

}  // namespace hearth::chat
