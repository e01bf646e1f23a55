// See old_thoughts.h. Found by trial: a turn is rendered as the last one and as an old one, and the way of writing is
// used only where both come out the same.
#include "chat/old_thoughts.h"

#include <cstddef>
#include <initializer_list>

namespace hearth::chat {
namespace {

constexpr std::string_view kUser = "Zuserneedle";
constexpr std::string_view kThought = "Zthoughtneedle";
constexpr std::string_view kAnswer = "Zanswerneedle";
constexpr std::string_view kResult = "Zresultneedle";
constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

enum class Age { Last, Old };

class Trial {
 public:
  Trial(const TemplateEngine& engine, const Json& base) : engine_(engine), base_(base) {}

  // The turn of an assistant that calls a tool, between the user's words and the result; empty when it does not render.
  [[nodiscard]] std::string turn(Age age, const std::string& content, std::string_view thought) const {
    Json message = Json::object({{"role", "assistant"}, {"content", content}});
    if (!thought.empty()) message.set("reasoning_content", thought);
    const Json function = Json::object({{"name", "f"}, {"arguments", Json::object({{"a", "b"}})}});
    message.set("tool_calls",
                Json::Array{Json::object({{"id", "call00001"}, {"type", "function"}, {"function", function}})});
    Json messages = Json::Array{
        Json::object({{"role", "user"}, {"content", kUser}}), message,
        Json::object({{"role", "tool"}, {"content", kResult}, {"tool_call_id", "call00001"}, {"name", "f"}})};
    if (age == Age::Old) messages.push(Json::object({{"role", "user"}, {"content", "more"}}));
    Json variables = base_;
    variables.set("messages", std::move(messages));
    variables.set("add_generation_prompt", false);
    Result<std::string> rendered = engine_.render_text(variables);
    if (!rendered) return "";
    const auto size = static_cast<std::uint32_t>(rendered->size());
    const std::string text =
        marks_.resolved({.text = std::move(*rendered), .runs = {{.end = size, .source = jinja::kTemplateSource}}}).text;
    const std::size_t begin = text.find(kUser);
    const std::size_t end = text.find(kResult);
    return begin == std::string::npos || end == std::string::npos || end < begin ? "" : text.substr(begin, end - begin);
  }

  [[nodiscard]] const PromptMarks& marks() const { return marks_; }

 private:
  const TemplateEngine& engine_;
  const Json& base_;
  const PromptMarks marks_;
};

std::string with_marks(std::string text, const PromptMarks& marks) {
  for (const std::string_view tag : {kThinkOpen, kThinkClose}) {
    if (const std::size_t at = text.find(tag); at != std::string::npos) {
      text.replace(at, tag.size(), tag == kThinkOpen ? marks.think_open() : marks.think_close());
    }
  }
  return text;
}

}  // namespace

std::string OldThoughts::written(const PromptMarks& marks, std::string_view thought, bool has_text) const {
  return with_marks(opening, marks) + std::string(thought) + with_marks(has_text ? closing : closing_no_text, marks);
}

OldThoughts probe_old_thoughts(const TemplateEngine& engine, const Json& base_variables) {
  const Trial trial(engine, base_variables);
  const std::string answer(kAnswer);
  const std::string last = trial.turn(Age::Last, answer, kThought);
  const std::string old = trial.turn(Age::Old, answer, kThought);
  const std::size_t thought_at = last.find(kThought);
  const std::size_t answer_at = last.find(kAnswer);
  if (old.empty() || thought_at == std::string::npos || answer_at == std::string::npos || old == last) return {};
  const std::size_t open_at = last.rfind(kThinkOpen, thought_at);
  const std::size_t thought_end = thought_at + kThought.size();
  if (open_at == std::string::npos || answer_at < thought_end) return {};

  OldThoughts way;
  way.opening = last.substr(open_at, thought_at - open_at);
  way.closing = last.substr(thought_end, answer_at - thought_end);
  if (!way.closing.contains(kThinkClose)) return {};
  if (trial.turn(Age::Old, way.written(trial.marks(), kThought, true) + answer, "") != last) return {};
  // Before a call without text, templates count the thought as text and set line breaks of their own.
  const std::string last_no_text = trial.turn(Age::Last, "", kThought);
  for (way.closing_no_text = way.closing;; way.closing_no_text.pop_back()) {
    if (trial.turn(Age::Old, way.written(trial.marks(), kThought, false), "") == last_no_text) break;
    if (!way.closing_no_text.ends_with('\n')) return {};
  }
  way.stand_in = trial.turn(Age::Old, way.written(trial.marks(), kThought, true) + answer, kThoughtStandIn) == last &&
                 trial.turn(Age::Old, way.written(trial.marks(), kThought, false), kThoughtStandIn) == last_no_text;
  const std::string last_empty = trial.turn(Age::Last, answer, "");
  way.writes_empty = last_empty != trial.turn(Age::Old, answer, "") &&
                     trial.turn(Age::Old, way.written(trial.marks(), "", true) + answer, "") == last_empty;
  way.keeper = ThoughtKeeper::Content;
  return way;
}

}  // namespace hearth::chat
