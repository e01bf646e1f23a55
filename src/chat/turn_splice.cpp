// See turn_splice.h. A mark is ASCII letters and digits, so that no filter of a template changes it: a random word, then
// which turn and which part of it the mark stands for.
#include "chat/turn_splice.h"

#include <algorithm>
#include <format>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "chat/splice_text.h"

namespace hearth::chat {
namespace {

struct KnownTurn {
  std::size_t message = 0;  // its index
  TurnMemory::Found turn;
};

bool is_thought(const Block& block) { return std::holds_alternative<ThinkingBlock>(block); }

// The turns the memory knows, and the hash of all that was said.
std::vector<KnownTurn> known_turns(const Conversation& conversation, TurnMemory& memory, OldThinking old_thinking,
                                   std::uint64_t& said) {
  std::vector<KnownTurn> known;
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    const Message& message = conversation.messages[i];
    const bool last = i + 1 == conversation.messages.size();  // an assistant's message at the end is to be continued
    const bool left_alone = old_thinking == OldThinking::AsTemplate && std::ranges::any_of(message.blocks, is_thought);
    if (message.role == Role::Assistant && !last && !left_alone) {
      if (auto turn = memory.find(message, said, conversation.tools)) known.push_back({i, std::move(turn)});
    }
    said = said_hash(said, message);
  }
  return known;
}

// The turn's blocks with marks for all they say. `marks`: those that must come out.
Message skeleton(const Message& message, std::string_view word, std::size_t turn, std::vector<std::string>& marks) {
  Message bare = {.role = message.role, .blocks = {}};
  bare.number = message.number;
  const auto mark = [&] { return splice_mark(word, turn, marks.size()); };
  bool any_text = false;
  for (const Block& block : message.blocks) {
    if (std::holds_alternative<TextBlock>(block) && !std::exchange(any_text, true)) {
      marks.push_back(mark());
      bare.blocks.emplace_back(TextBlock{marks.back()});
    } else if (const auto* call = std::get_if<ToolUseBlock>(&block)) {
      marks.push_back(mark());
      bare.blocks.emplace_back(ToolUseBlock{
          .id = call->id, .name = call->name, .input = Json::object({{marks.back(), marks.back()}}), .raw_input = {}});
    } else if (std::holds_alternative<ThinkingBlock>(block)) {
      // Templates may leave thoughts out: this mark may come out or not.
      bare.blocks.emplace_back(ThinkingBlock{.text = splice_mark(word, turn, kOptionalPart), .signature = {}});
    }
  }
  return bare;
}

// Where the answer will begin, read off the end of the prompt.
void find_opening(RememberingPrompt& out, const SpecialTexts& specials) {
  const Prompt& prompt = out.prompt;
  if (!prompt.prefill.empty() || !prompt.forced_call.empty()) return;
  if (!prompt.generation_suffix.empty()) {
    out.opening = prompt.generation_suffix;
    out.can_remember = true;
    return;
  }
  if (prompt.segments.empty() || !prompt.segments.back().parse_special) return;
  const std::string_view text = prompt.segments.back().text;
  const std::size_t begin = begin_of_tail(text, specials);
  if (begin == std::string_view::npos) return;
  out.opening_kind = TurnOpening::Tail;
  out.opening = text.substr(begin);
  out.can_remember = true;
}

}  // namespace

Result<RememberingPrompt> render_remembering(const Renderer& renderer, const SpecialTexts& specials, TurnMemory& memory,
                                             Conversation& conversation, OldThinking old_thinking) {
  RememberingPrompt out;
  std::vector<KnownTurn> known = known_turns(conversation, memory, old_thinking, out.said);
  // A turn whose place is in doubt is left to the template, and the others are tried once more without it.
  constexpr int kTriesMax = 2;
  for (int tries = 0; tries < kTriesMax && !known.empty(); ++tries) {
    const std::string word = random_id("Z", 18);
    std::vector<SpliceTurn> turns;
    std::vector<Message> whole;  // what the skeletons stand for
    for (std::size_t i = 0; i < known.size(); ++i) {
      turns.push_back({.turn = known[i].turn,
                       .marks = {},
                       .optional_mark = splice_mark(word, i, kOptionalPart),
                       .message_number = conversation.messages[known[i].message].number});
      Message& message = conversation.messages[known[i].message];
      whole.push_back(std::exchange(message, skeleton(message, word, i, turns.back().marks)));
    }
    Result<Prompt> rendered = renderer.render(conversation);
    for (std::size_t i = 0; i < known.size(); ++i) conversation.messages[known[i].message] = std::move(whole[i]);
    if (!rendered) break;  // a template that looks into what was said
    std::vector<bool> placed;
    auto spliced = splice(*rendered, turns, word, specials, placed);
    if (spliced) {
      out.prompt = std::move(*spliced);
      out.spliced_count = known.size();
      find_opening(out, specials);
      return out;
    }
    std::vector<KnownTurn> certain;
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (placed[i]) certain.push_back(known[i]);
    }
    known = std::move(certain);
  }
  TRY_ASSIGN(out.prompt, renderer.render(conversation));
  find_opening(out, specials);
  return out;
}

}  // namespace hearth::chat
