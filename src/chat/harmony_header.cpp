// See harmony_header.h.
#include "chat/harmony_header.h"

#include <array>

namespace hearth::chat {
namespace {

constexpr std::size_t kHeaderBytesMax = 512;
constexpr std::string_view kStart = "<|start|>";
constexpr std::string_view kAssistant = "assistant";
constexpr std::string_view kMessage = "<|message|>";
constexpr std::string_view kChannel = "<|channel|>";
constexpr std::string_view kRecipient = "to=";
constexpr std::string_view kBare = "commentary to=";  // behind <|call|> the tokens before it are forgotten
// <|start|> and <|channel|> end what came before, and stay for the next header.
constexpr std::array<std::string_view, 3> kEnds = {"<|end|>", "<|return|>", "<|call|>"};

}  // namespace

HarmonyHeader harmony_header_at(std::string_view text, TextEnd end, const CallContext& context) {
  HarmonyHeader header;
  const auto undecided = [&] {
    header.cut = text.size() < kHeaderBytesMax + kMessage.size();
    header.match = end == TextEnd::Later && header.cut ? Match::Maybe : Match::No;
    return header;
  };
  bool begins = false;
  for (const std::string_view opening : {kStart, kChannel, kRecipient, kMessage, kBare}) {
    const Match match = match_tag(text, opening);
    if (match == Match::Maybe) return undecided();
    begins = begins || match == Match::Yes;
  }
  if (!begins) return header;
  // <|start|>assistant and at once the answer.
  if (text.starts_with(kStart) && text.substr(kStart.size()).starts_with(kAssistant)) {
    const std::size_t behind = kStart.size() + kAssistant.size();
    if (behind < text.size() && text[behind] != '<' && text[behind] != ' ') {
      header.match = Match::Yes;
      header.bytes = behind;
      return header;
    }
  }
  const std::size_t message = text.find(kMessage);
  if (message == std::string_view::npos) return undecided();
  if (message + kMessage.size() > kHeaderBytesMax) return header;  // as where the text came in pieces
  const std::string_view words = text.substr(0, message);
  header.match = Match::Yes;
  header.bytes = message + kMessage.size();
  if (const std::size_t to = words.find(kRecipient); to != std::string_view::npos) {
    const std::size_t name = to + kRecipient.size();
    const std::string_view recipient = words.substr(name, words.find_first_of(" <\n", name) - name);
    if (context.tool_named(recipient)) {
      header.channel = HarmonyChannel::Call;
      header.bytes = 0;
      if (words.starts_with(kStart)) header.bytes = kStart.size();
      if (words.substr(header.bytes).starts_with(kAssistant)) header.bytes += kAssistant.size();
      return header;
    }
    if (recipient != kAssistant) header.match = Match::No;  // a call of nobody's: text
    return header;
  }
  const std::size_t channel = words.find(kChannel);
  const bool thought =
      channel != std::string_view::npos && words.substr(channel + kChannel.size()).starts_with("analysis");
  header.channel = thought ? HarmonyChannel::Thought : HarmonyChannel::Answer;
  return header;
}

MarkerMatch harmony_end_at(std::string_view text, TextEnd end, const CallContext& context) {
  MarkerMatch found;
  for (const std::string_view one : kEnds) {
    const Match match = match_tag(text, one);
    if (match == Match::Yes) return {.match = match, .bytes = one.size(), .kind = MarkerKind::ControlToken};
    if (match == Match::Maybe) found.match = match;
  }
  for (const std::string_view next : {kStart, kChannel}) {
    const Match match = match_tag(text, next);
    if (match == Match::Yes) found.match = harmony_header_at(text, end, context).match;
    if (match == Match::Maybe) found.match = match;
  }
  return found;
}

}  // namespace hearth::chat
