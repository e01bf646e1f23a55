// See splice_text.h.
#include "chat/splice_text.h"

#include <algorithm>
#include <format>
#include <utility>

namespace hearth::chat {
namespace {

// Between a turn's opening and its first words, and between its last ones and its end, templates write a few marks of
// their own and a tool's name. More than this is somebody else's text.
constexpr std::size_t kReachBytes = 640;

struct Special {
  std::size_t begin = 0;
  std::string_view text;
  [[nodiscard]] std::size_t end() const { return begin + text.size(); }
};

struct Place {
  std::size_t begin = 0;  // of the opening
  std::size_t end = 0;    // of the turn: where its end mark begins
};

// The whole prompt as one text that knows which parts are plain (never a special text).
class Rendered {
 public:
  Rendered(const Prompt& prompt, const SpecialTexts& specials) : specials_(specials) {
    runs_ = &prompt.runs;
    for (const PromptSegment& segment : prompt.segments) {
      text_ += segment.text;
      ends_.push_back(text_.size());
      plain_.push_back(!segment.parse_special);
    }
  }

  [[nodiscard]] const std::string& text() const { return text_; }

  // The special texts that begin in [from, to), as the tokenizer will find them.
  [[nodiscard]] std::vector<Special> specials(std::size_t from, std::size_t to) const {
    std::vector<Special> found;
    for (std::size_t at = from; at < to;) {
      const std::size_t i = segment_at(at);  // a special text across segments was cut on purpose
      const auto index =
          plain_[i] ? std::nullopt : specials_.longest_at(std::string_view(text_).substr(0, ends_[i]), at);
      if (index) found.push_back({at, specials_[*index]});
      at += index ? specials_[*index].size() : 1;
    }
    return found;
  }
  // Whether the template and that message, and nobody else, wrote [from, to).
  [[nodiscard]] bool is_of_message(std::size_t from, std::size_t to, std::uint32_t message) const {
    auto run = std::ranges::upper_bound(*runs_, from, {}, &PromptRun::end);
    for (; run != runs_->end(); ++run) {
      const bool own = run->origin == PromptOrigin::Message && run->message == message;
      if (run->origin != PromptOrigin::Template && !own) return false;
      if (run->end >= to) return true;
    }
    return from >= to;
  }

 private:
  [[nodiscard]] std::size_t segment_at(std::size_t at) const {
    return static_cast<std::size_t>(std::ranges::upper_bound(ends_, at) - ends_.begin());
  }

  const SpecialTexts& specials_;
  std::string text_;
  std::vector<std::size_t> ends_;
  std::vector<bool> plain_;
  const std::vector<PromptRun>* runs_ = nullptr;
};

bool holds(const std::vector<std::string>& sorted, std::string_view text) {
  return std::ranges::binary_search(sorted, text, std::less<>());
}

std::string_view without_blank_end(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

bool is_think_mark(std::string_view text) { return text == "<think>" || text == "</think>"; }

class Placer {
 public:
  Placer(const Rendered& rendered, const SpliceTurn& turn, std::string_view word, const SpecialTexts& specials)
      : rendered_(rendered),
        text_(rendered.text()),
        turn_(*turn.turn),
        word_(word),
        specials_(specials),
        number_(turn.message_number) {
    find_marks(turn);
  }

  std::optional<Place> place() {
    if (!all_marks_) return std::nullopt;
    const auto end = find_end();
    if (!end) return std::nullopt;
    const auto begin = turn_.opening_kind == TurnOpening::Suffix ? find_suffix() : find_tail();
    if (!begin) return std::nullopt;
    if (!rendered_.is_of_message(*begin, *end, number_)) return std::nullopt;
    // One turn: its end mark does not stand within it, unless the model itself writes such marks between its parts.
    const bool inner_end =
        std::ranges::any_of(rendered_.specials(*begin, *end), [&](const Special& s) { return s.text == end_text_; });
    if (inner_end && (!holds(turn_.specials, end_text_) || call_count() > 1)) return std::nullopt;
    return Place{*begin, *end};
  }

 private:
  void find_marks(const SpliceTurn& turn) {
    all_marks_ = !turn.marks.empty() || !turn.optional_mark.empty();
    first_ = std::string::npos;
    bool any = false;
    const auto take = [&](const std::string& mark) {
      const std::size_t at = text_.find(mark);
      if (at == std::string::npos) return false;
      first_ = std::min(first_, at);
      if (const std::size_t end = text_.rfind(mark) + mark.size(); end > last_) {
        last_ = end;
        last_call_ = at;
      }
      return any = true;
    };
    for (const std::string& mark : turn.marks) all_marks_ = take(mark) && all_marks_;
    static_cast<void>(take(turn.optional_mark));
    all_marks_ = all_marks_ && any;
    // Nobody else's mark between them, and no mark of another turn in reach is part of what we look at later.
    const std::string own = turn.optional_mark.substr(0, word_.size() + kTurnDigits);
    for (std::size_t at = first_; all_marks_ && (at = text_.find(word_, at)) < last_; at += word_.size()) {
      if (!std::string_view(text_).substr(at).starts_with(own)) all_marks_ = false;
    }
  }

  // Behind the last mark stand the special texts that end what the model wrote, then the one that ends the turn.
  std::optional<std::size_t> find_end() {
    const auto behind = rendered_.specials(last_, std::min(text_.size(), last_ + kReachBytes));
    const auto& written = turn_.trailing_specials;
    // Some templates put special texts around an argument's value; the last mark is a value, and the model's may be none.
    const auto quotes = rendered_.specials(last_call_, last_);
    const auto is_quote = [&](const Special& s) { return std::ranges::contains(quotes, s.text, &Special::text); };
    std::size_t first = 0;
    while (first < behind.size() && is_quote(behind[first])) ++first;
    if (behind.size() - first <= written.size()) return std::nullopt;
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (behind[first + i].text != written[i]) return std::nullopt;
    }
    const Special& end = behind[first + written.size()];
    if (text_.substr(last_, end.begin - last_).contains(word_)) return std::nullopt;
    end_text_ = end.text;
    return end.begin;
  }

  // The last place before the first mark where the opening's head stands: its special text and what follows it up to the
  // next one ("<|im_start|>assistant\n"); what comes behind that ("<think>\n") differs between a new turn and an old one.
  std::optional<std::size_t> find_suffix() const {
    const std::size_t words = turn_.opening.find_first_not_of(" \t\r\n");
    if (words == std::string::npos) return std::nullopt;
    const std::string_view opening = std::string_view(turn_.opening).substr(words);
    const auto first = specials_.longest_at(opening, 0);
    if (first && is_think_mark(specials_[*first])) return before_thought(words);
    std::size_t head_bytes = first ? specials_[*first].size() : 1;
    while (head_bytes < opening.size() && !specials_.longest_at(opening, head_bytes)) ++head_bytes;
    const auto at = last_before_first(without_blank_end(opening.substr(0, head_bytes)));
    if (!at || !std::string_view(text_).substr(0, *at).ends_with(turn_.opening.substr(0, words))) return std::nullopt;
    return *at - words;
  }

  // An opening that only opens a thought, where one turn of the template's holds several of the model's: what the template
  // writes of the old turn there is thinking marks and blanks.
  std::optional<std::size_t> before_thought(std::size_t blank_bytes) const {
    const auto marks = rendered_.specials(first_ - std::min(first_, kReachBytes), first_);
    const std::string_view text = text_;
    std::size_t at = first_;
    bool any = false;
    for (auto mark = marks.rbegin(); mark != marks.rend() && is_think_mark(mark->text); ++mark) {
      if (any && !is_blank_text(text.substr(mark->end(), at - mark->end()))) break;
      at = mark->begin;
      any = true;
    }
    const std::size_t blank = without_blank_end(text.substr(0, at)).size();
    const bool same_blanks = text.substr(blank, at - blank) == std::string_view(turn_.opening).substr(0, blank_bytes);
    return any && same_blanks ? std::optional(blank) : std::nullopt;
  }

  // The last special text of the opening's kind before the turn's first words.
  std::optional<std::size_t> find_tail() const {
    const std::string_view opening = turn_.opening;
    const std::size_t words = std::min(opening.find_first_not_of(" \t\r\n"), opening.size());
    const auto special = specials_.longest_at(opening, words);
    if (!special) return std::nullopt;
    return is_think_mark(specials_[*special]) ? before_thought(words) : last_before_first(specials_[*special]);
  }

  std::optional<std::size_t> last_before_first(std::string_view head) const {
    if (first_ < head.size()) return std::nullopt;
    const std::size_t at = text_.rfind(head, first_ - head.size());
    if (at == std::string::npos || first_ - at > kReachBytes) return std::nullopt;
    const std::string_view between = std::string_view(text_).substr(at, first_ - at);
    if (between.contains(word_)) return std::nullopt;
    return at;
  }

  [[nodiscard]] std::size_t call_count() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        turn_.message.blocks, [](const Block& block) { return std::holds_alternative<ToolUseBlock>(block); }));
  }

 public:
  static constexpr std::size_t kTurnDigits = 6;

 private:
  const Rendered& rendered_;
  const std::string& text_;
  const SampledTurn& turn_;
  const std::string_view word_;
  const SpecialTexts& specials_;
  const std::uint32_t number_;
  bool all_marks_ = false;
  std::size_t first_ = 0;      // where the first mark begins
  std::size_t last_ = 0;       // where the last one ends
  std::size_t last_call_ = 0;  // where that one begins: a call's stands twice, as key and as value
  std::string_view end_text_;
};

// Copies the prompt's segments with the places cut out and filled.
class Cutter {
 public:
  explicit Cutter(const Prompt& prompt) : prompt_(prompt) {
    out_.thinking_opened = prompt.thinking_opened;
    out_.generation_suffix = prompt.generation_suffix;
    out_.prefill = prompt.prefill;
    out_.forced_call = prompt.forced_call;
  }

  void copy_to(std::size_t end) {
    while (at_ < end && index_ < prompt_.segments.size()) {
      const PromptSegment& segment = prompt_.segments[index_];
      const std::size_t segment_end = begin_ + segment.text.size();
      const std::size_t stop = std::min(end, segment_end);
      if (stop > at_) {
        out_.segments.push_back({.text = segment.text.substr(at_ - begin_, stop - at_),
                                 .parse_special = segment.parse_special,
                                 .tokens = {}});
        at_ = stop;
      }
      if (at_ == segment_end) leave_segment(Boundary::Kept);
    }
  }
  void fill(const SampledTurn& turn, std::size_t end) {
    if (turn.opening_kind == TurnOpening::Suffix) {
      // The turn's opening is where the next request may branch, as it was when the turn was asked for.
      mark_boundary();
      out_.segments.push_back({.text = turn.opening, .parse_special = true, .tokens = {}});
    } else if (out_.segments.empty() || !out_.segments.back().parse_special) {
      out_.segments.push_back({.text = turn.opening, .parse_special = true, .tokens = {}});
    } else {
      out_.segments.back().text += turn.opening;  // there was no cut before it when the turn was asked for
    }
    out_.segments.push_back({.text = "", .parse_special = false, .tokens = turn.tokens});
    while (at_ < end && index_ < prompt_.segments.size()) {
      const std::size_t segment_end = begin_ + prompt_.segments[index_].text.size();
      at_ = std::min(end, segment_end);
      if (at_ == segment_end) leave_segment(at_ == end ? Boundary::Kept : Boundary::Dropped);
    }
  }
  Prompt finish() && { return std::move(out_); }

 private:
  enum class Boundary { Kept, Dropped };
  void leave_segment(Boundary boundary) {
    const auto& marked = prompt_.boundary_segments;
    while (next_boundary_ < marked.size() && marked[next_boundary_] < index_) ++next_boundary_;
    if (boundary == Boundary::Kept && next_boundary_ < marked.size() && marked[next_boundary_] == index_)
      mark_boundary();
    begin_ += prompt_.segments[index_].text.size();
    ++index_;
  }
  void mark_boundary() {
    if (out_.segments.empty()) return;
    const std::size_t last = out_.segments.size() - 1;
    if (out_.boundary_segments.empty() || out_.boundary_segments.back() != last) out_.boundary_segments.push_back(last);
  }

  const Prompt& prompt_;
  Prompt out_;
  std::size_t at_ = 0;     // of the whole text: copied or skipped so far
  std::size_t index_ = 0;  // of the segment at_ is in
  std::size_t begin_ = 0;  // where that segment begins
  std::size_t next_boundary_ = 0;
};

}  // namespace

std::string splice_mark(std::string_view word, std::size_t turn, std::size_t part) {
  return part == kOptionalPart ? std::format("{}{:06}tz", word, turn) : std::format("{}{:06}p{}z", word, turn, part);
}

bool is_blank_text(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::size_t begin_of_tail(std::string_view text, const SpecialTexts& specials) {
  std::optional<Special> last;
  for (std::size_t at = 0; at < text.size();) {
    const auto index = specials.longest_at(text, at);
    if (index) last = Special{at, specials[*index]};
    at += index ? specials[*index].size() : 1;
  }
  if (!last || !is_blank_text(text.substr(last->end()))) return std::string_view::npos;
  return is_think_mark(last->text) ? without_blank_end(text.substr(0, last->begin)).size() : last->begin;
}

std::optional<Prompt> splice(const Prompt& prompt, const std::vector<SpliceTurn>& turns, std::string_view word,
                             const SpecialTexts& specials, std::vector<bool>& placed) {
  const Rendered rendered(prompt, specials);
  std::vector<std::pair<Place, const SampledTurn*>> places;
  std::size_t last_end = 0;
  placed.assign(turns.size(), false);
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const auto place = Placer(rendered, turns[i], word, specials).place();
    if (!place || place->begin < last_end || place->end < place->begin) continue;
    last_end = place->end;
    placed[i] = true;
    places.emplace_back(*place, turns[i].turn.get());
  }
  if (places.size() != turns.size()) return std::nullopt;
  Cutter cutter(prompt);
  for (const auto& [place, turn] : places) {
    cutter.copy_to(place.begin);
    cutter.fill(*turn, place.end);
  }
  cutter.copy_to(rendered.text().size());
  return std::move(cutter).finish();
}

}  // namespace hearth::chat
