// See prompt_cutter.h. A special text with a byte of the conversation in it is cut in two after its first character: then no
// segment holds it, and no tokenizer can find it. What is the template's alone stays whole, whatever lies beside it.
#include "chat/prompt_cutter.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace hearth::chat {
namespace {

enum class Writer { Template, Conversation, Both };

class Cutter {
 public:
  Cutter(const jinja::Rendered& rendered, const SpecialTexts& specials, const std::vector<std::string>& turn_openings)
      : text_(rendered.text), runs_(rendered.runs), specials_(specials), turn_openings_(turn_openings) {}

  CutPrompt cut(std::size_t suffix_begin) && {
    for (std::size_t at = 0; at < text_.size(); ++at) {
      if (at > plain_end_ || at == suffix_begin) leave_plain(at);
      if (at == suffix_begin) mark_boundary(at);
      if (specials_.may_begin(text_[at])) look_at(at);
    }
    leave_plain(text_.size());
    close(text_.size(), false);
    return std::move(out_);
  }

 private:
  void look_at(std::size_t at) {
    const std::optional<std::uint32_t> longest = specials_.longest_at(text_, at);
    if (!longest) return;
    const std::size_t end = at + specials_[*longest].size();
    const Writer writer = writer_of(at, end);
    // Plain text goes on over neighbours that spell special texts: files full of them make no more segments than needed.
    if (writer != Writer::Conversation) leave_plain(at);
    if (writer != Writer::Conversation) find_control(at);
    if (writer == Writer::Template) return;
    std::size_t cut = at + 1;
    while (cut < end && (static_cast<unsigned char>(text_[cut]) & 0xC0) == 0x80) ++cut;
    // A control token of the template's own at this place stays whole: the cut comes behind it.
    if (at < control_end_) cut = std::max(cut, control_end_);
    if (cut >= end) return;
    if (writer == Writer::Conversation) {
      if (!plain_) close(at, true);
      plain_end_ = std::max(plain_end_, end);
    }
    close(cut, plain_);
  }

  // The control token that the template's own text has here.
  void find_control(std::size_t at) {
    if (at < control_end_) return;
    const std::size_t run_end = runs_[run_].end;  // writer_of() was here
    const std::optional<std::uint32_t> own = specials_.longest_at(text_.substr(0, run_end), at);
    if (!own || runs_[run_].source != jinja::kTemplateSource) return;
    control_end_ = at + specials_[*own].size();
    if (std::ranges::contains(turn_openings_, specials_[*own])) mark_boundary(at);
  }

  // REQUIRES: rising `begin`.
  Writer writer_of(std::size_t begin, std::size_t end) {
    while (runs_[run_].end <= begin) ++run_;
    bool any_template = false;
    bool any_conversation = false;
    for (std::size_t i = run_;; ++i) {
      (runs_[i].source == jinja::kTemplateSource ? any_template : any_conversation) = true;
      if (runs_[i].end >= end) break;
    }
    return !any_conversation ? Writer::Template : any_template ? Writer::Both : Writer::Conversation;
  }

  void leave_plain(std::size_t at) {
    if (plain_ && at >= plain_end_) close(plain_end_, false);
  }
  // Ends the segment at `at`; the next one is plain or not.
  void close(std::size_t at, bool next_is_plain) {
    if (at > begin_) {
      out_.segments.push_back({.text = std::string(text_.substr(begin_, at - begin_)), .parse_special = !plain_});
      begin_ = at;
    }
    plain_ = next_is_plain;
  }
  void mark_boundary(std::size_t at) {
    close(at, plain_);
    if (out_.segments.empty()) return;
    const std::size_t last = out_.segments.size() - 1;
    if (out_.boundary_segments.empty() || out_.boundary_segments.back() != last) out_.boundary_segments.push_back(last);
  }

  const std::string_view text_;
  const std::vector<jinja::Run>& runs_;
  const SpecialTexts& specials_;
  const std::vector<std::string>& turn_openings_;
  CutPrompt out_;
  std::size_t run_ = 0;          // the run of the last place that was looked at
  std::size_t begin_ = 0;        // of the segment that is open
  bool plain_ = false;           // it is conversation text that spells special texts
  std::size_t plain_end_ = 0;    // where that ends
  std::size_t control_end_ = 0;  // of the last control token of the template's own
};

}  // namespace

CutPrompt cut_prompt(const jinja::Rendered& rendered, const SpecialTexts& specials,
                     const std::vector<std::string>& turn_openings, std::size_t suffix_begin) {
  return Cutter(rendered, specials, turn_openings).cut(suffix_begin);
}

bool is_template_text(const std::vector<jinja::Run>& runs, std::size_t begin, std::size_t end) {
  auto run = std::ranges::upper_bound(runs, begin, {}, &jinja::Run::end);
  for (; run != runs.end(); ++run) {
    if (run->source != jinja::kTemplateSource) return false;
    if (run->end >= end) return true;
  }
  return begin >= end;
}

}  // namespace hearth::chat
