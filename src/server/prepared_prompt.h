// From a conversation to the segments of its prompt: the steps that /v1/messages and /v1/messages/count_tokens share, so
// that what is counted is what is charged. Turns the model remembers stand in it as they were sampled. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"
#include "chat/renderer.h"
#include "chat/stream_parser.h"
#include "chat/turn_memory.h"
#include "link/messages.h"
#include "server/answer_shape.h"
#include "server/served_models.h"

namespace hearth::server {

// What an answer will be remembered under (chat::TurnMemory), and what stands before its first token.
struct TurnPlace {
  std::uint64_t said = 0;
  chat::TurnOpening opening_kind = chat::TurnOpening::Suffix;
  std::string opening;
};

struct PreparedPrompt {
  std::vector<link::Segment> segments;
  std::vector<std::size_t> boundary_segments;  // as chat::Prompt names them
  // Who wrote which bytes of the segments' text; empty where remembered turns stand in it.
  std::vector<chat::PromptRun> runs;
  chat::StreamParserOptions parser;
  AnswerShape shape;
  std::optional<TurnPlace> turn;  // none: the answer cannot be remembered
};

[[nodiscard]] Result<PreparedPrompt> prepare_prompt(const ServedModel& model, chat::Conversation conversation,
                                                    AnswerWishes wishes = {});

// Ascending positions in (0, token_count), read off where the segments end.
[[nodiscard]] std::vector<std::uint32_t> boundary_positions(const std::vector<std::size_t>& boundary_segments,
                                                            const std::vector<std::uint32_t>& segment_ends,
                                                            std::size_t token_count);

}  // namespace hearth::server
