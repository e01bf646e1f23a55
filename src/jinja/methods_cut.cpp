// String methods that cut: strip, split, splitlines, partition, removeprefix and their kin.
#include <algorithm>
#include <format>
#include <limits>

#include "jinja/string_methods.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

enum class From { Left, Right };

template <Side kSide>
Value strip(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("strip", arguments, {"chars"});
  const std::string_view text = self.view();
  const Bounds kept =
      bound.given(0) ? strip_characters(text, require_text(bound[0]).view(), kSide) : strip_spaces(text, kSide);
  if (kept.begin == 0 && kept.end == text.size()) return self;
  return evaluator.string(self.text().slice(kept.begin, kept.end), self.markup());
}

class Splitter {
 public:
  Splitter(Evaluator& evaluator, const Value& self, std::int64_t cuts)
      : evaluator_(evaluator),
        self_(self),
        text_(self.view()),
        cuts_(cuts < 0 ? std::numeric_limits<std::int64_t>::max() : cuts) {}

  Value at_spaces() {
    std::size_t at = strip_spaces(text_, Side::Left).begin;
    while (at < text_.size()) {
      std::size_t end = cuts_ > 0 ? at : text_.size();
      while (end < text_.size() && !is_space(code_point_at(text_, end).value)) end += code_point_at(text_, end).bytes;
      push(at, end);
      --cuts_;
      at = end + strip_spaces(text_.substr(end), Side::Left).begin;
    }
    return take(From::Left);
  }
  // ... counted from the right.
  Value at_spaces_from_right() {
    std::size_t end = strip_spaces(text_, Side::Right).end;
    while (end > 0) {
      std::size_t begin = cuts_ > 0 ? end : 0;
      while (begin > 0) {
        std::size_t before = begin - 1;
        while (before > 0 && (static_cast<unsigned char>(text_[before]) & 0xC0) == 0x80) --before;
        if (is_space(code_point_at(text_, before).value)) break;
        begin = before;
      }
      push(begin, end);
      --cuts_;
      end = strip_spaces(text_.substr(0, begin), Side::Right).end;
    }
    return take(From::Right);
  }
  Value at_text(std::string_view separator) {
    std::size_t at = 0;
    for (; cuts_ > 0; --cuts_) {
      const std::size_t found = text_.find(separator, at);
      if (found == std::string_view::npos) break;
      push(at, found);
      at = found + separator.size();
    }
    push(at, text_.size());
    return take(From::Left);
  }
  Value at_text_from_right(std::string_view separator) {
    std::size_t end = text_.size();
    for (; cuts_ > 0 && end >= separator.size(); --cuts_) {
      const std::size_t found = text_.substr(0, end).rfind(separator);
      if (found == std::string_view::npos) break;
      push(found + separator.size(), end);
      end = found;
    }
    push(0, end);
    return take(From::Right);
  }
  void push(std::size_t begin, std::size_t end) {
    parts_.push_back(evaluator_.string(self_.text().slice(begin, end), self_.markup()));
  }
  Value take(From from) {
    if (from == From::Right) std::ranges::reverse(parts_);
    return evaluator_.list(std::move(parts_));
  }

 private:
  Evaluator& evaluator_;
  const Value& self_;
  std::string_view text_;
  std::int64_t cuts_;
  std::vector<Value> parts_;
};

template <From kFrom>
Value split(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  Splitter splitter(evaluator, self, bound.integer(1, -1));
  if (!bound.given(0)) return kFrom == From::Left ? splitter.at_spaces() : splitter.at_spaces_from_right();
  const std::string_view separator = require_text(bound[0]).view();
  if (separator.empty()) refuse("empty separator");
  return kFrom == From::Left ? splitter.at_text(separator) : splitter.at_text_from_right(separator);
}

Value splitlines(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("splitlines", arguments, {"keepends"});
  const bool keeps_ends = bound.flag(0, false);
  const std::string_view text = self.view();
  Splitter splitter(evaluator, self, -1);
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    std::size_t end = at + point.bytes;
    if (!is_line_end(point.value)) {
      at = end;
      continue;
    }
    if (point.value == '\r' && end < text.size() && text[end] == '\n') ++end;
    splitter.push(begin, keeps_ends ? end : at);
    begin = at = end;
  }
  if (begin < text.size()) splitter.push(begin, text.size());
  return splitter.take(From::Left);
}

template <From kFrom>
Value partition(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("partition", arguments, {"sep"});
  const std::string_view separator = require_text(bound[0]).view();
  if (separator.empty()) refuse("empty separator");
  const Text& text = self.text();
  const std::size_t found = kFrom == From::Left ? text.view().find(separator) : text.view().rfind(separator);
  const Value nothing = evaluator.string(Text());
  if (found == std::string_view::npos)
    return evaluator.list(
        kFrom == From::Left ? std::vector<Value>{self, nothing, nothing} : std::vector<Value>{nothing, nothing, self},
        Kind::Tuple);
  const std::size_t end = found + separator.size();
  return evaluator.list({evaluator.string(text.slice(0, found)), evaluator.string(text.slice(found, end)),
                         evaluator.string(text.slice(end, text.size()))},
                        Kind::Tuple);
}

Value removeprefix(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("removeprefix", arguments, {"prefix"});
  const std::string_view prefix = require_text(bound[0]).view();
  return self.view().starts_with(prefix)
             ? evaluator.string(self.text().slice(prefix.size(), self.text().size()), self.markup())
             : self;
}

Value removesuffix(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("removesuffix", arguments, {"suffix"});
  const std::string_view suffix = require_text(bound[0]).view();
  return self.view().ends_with(suffix)
             ? evaluator.string(self.text().slice(0, self.text().size() - suffix.size()), self.markup())
             : self;
}

constexpr NamedMethod kMethods[] = {
    {"strip", strip<Side::Both>},         {"lstrip", strip<Side::Left>},          {"rstrip", strip<Side::Right>},
    {"split", split<From::Left>},         {"rsplit", split<From::Right>},         {"splitlines", splitlines},
    {"partition", partition<From::Left>}, {"rpartition", partition<From::Right>}, {"removeprefix", removeprefix},
    {"removesuffix", removesuffix},
};

}  // namespace

StringMethod find_cutting_method(std::string_view name) {
  const auto* found = std::ranges::find(kMethods, name, &NamedMethod::name);
  return found == std::end(kMethods) ? nullptr : found->function;
}

}  // namespace hearth::jinja
