// The renderer: a conversation into the exact text a model's own chat template gives, as segments to tokenise.
// Text of the conversation can never become a control token: the template engine knows who wrote each byte, and where one
// of the conversation is part of what spells a control token, that is cut into segments that are tokenised as plain text.
// The template itself sees the conversation as it is. Immutable after create(); render() may be called by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"
#include "chat/render_switches.h"

namespace hearth::chat {

struct PromptSegment {
  std::string text;
  bool parse_special = false;  // true for template text (and the conversation text between its control tokens)
  std::vector<std::int32_t> tokens = {};  // not empty: these stand here, and text is empty (turn_splice.h)
};

// A stretch of bytes of Prompt::text(), and who wrote it; it begins where the one before it ends.
enum class PromptOrigin { Template, System, Tools, Settings, Message };
struct PromptRun {
  std::size_t end = 0;
  PromptOrigin origin = PromptOrigin::Template;
  std::uint32_t message = 0;  // Message::number, with PromptOrigin::Message
};

struct Prompt {
  std::vector<PromptSegment> segments;
  std::vector<PromptRun> runs;  // as the template wrote it: without forced_call
  // Indices i: the end of segments[i] is a boundary where the next request may branch: end of tools + system, end of
  // each turn, start of the generation suffix. Ascending.
  std::vector<std::size_t> boundary_segments;
  bool thinking_opened = false;   // the prompt ends inside an opened thought
  std::string generation_suffix;  // what the template wrote to open the answer; the end of segments, or empty
  std::string prefill;            // text of a trailing assistant message that the answer continues; part of segments
  // With ToolChoice::Any or Named: the beginning of the call, written as this template writes calls. Not part of
  // segments: the caller puts it behind them, after ending an opened thought, and has the StreamParser read it first.
  // Empty where the template's way of calling is none that the StreamParser reads.
  std::vector<PromptSegment> forced_call;

  [[nodiscard]] std::string text() const;  // all segments joined: for debugging and tests
};

struct TemplateSource {
  std::string text;  // tokenizer.chat_template; empty: a plain ChatML template is used
  std::string bos_text;
  std::string eos_text;
  std::vector<std::string> special_texts;  // longest first
  RenderSwitches switches = {};
};

// InvalidInput where Renderer::create() would put the built-in template in the place of this one.
[[nodiscard]] Result<void> check_template(const TemplateSource& source);

class Renderer {
 public:
  // A template that cannot be compiled, or that fails (and does not refuse by raise_exception) on one message of the user:
  // a warning is logged and the built-in ChatML template serves instead.
  [[nodiscard]] static Result<std::shared_ptr<const Renderer>> create(TemplateSource source);
  virtual ~Renderer() = default;
  // InvalidInput quotes the template's own message (raise_exception).
  [[nodiscard]] virtual Result<Prompt> render(const Conversation& conversation) const = 0;
  // Whether this template knows a switch for thinking (enable_thinking) or opens thoughts itself.
  [[nodiscard]] virtual bool supports_thinking() const = 0;
};

}  // namespace hearth::chat
