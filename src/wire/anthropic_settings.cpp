// The Messages decoder's settings: sampling, stop sequences, thinking, output_config, stream.
// A number a client can mean is taken; one it cannot mean is refused with its path, never clamped into something else
// (only max_tokens is clamped, since "as much as there is" is what a huge one means).
#include <algorithm>
#include <cmath>
#include <format>
#include <limits>
#include <utility>

#include "wire/anthropic_decode.h"

namespace hearth::wire::decode {
namespace {

// The largest integer that JavaScript's and Python's JSON agree on.
constexpr std::int64_t kIntegerMax = std::int64_t{1} << 53;
constexpr std::size_t kEffortBytesMax = 32;  // "low" to "xhigh"; new words may come

// An integer, also spelled 16.0 as some clients' JSON has it.
Result<std::optional<std::int64_t>> optional_integer(Json& object, std::string_view key, std::int64_t minimum,
                                                     const Path& path) {
  const Json* value = member(object, key);
  if (value == nullptr) return std::nullopt;
  const Path at = path.at(key);
  if (!value->is_number()) return at.wrong_type("an integer", *value);
  std::int64_t integer = 0;
  if (value->is_integer()) {
    integer = value->as_integer();
  } else {
    const double number = value->as_number();
    if (!(std::abs(number) <= static_cast<double>(kIntegerMax))) {
      return at.wrong(std::format("must be between {} and {}", minimum, kIntegerMax));
    }
    if (number != std::floor(number)) return at.wrong(std::format("must be an integer, got {}", number));
    integer = static_cast<std::int64_t>(number);
  }
  if (integer < minimum) return at.wrong(std::format("must be at least {}", minimum));
  if (integer > kIntegerMax) return at.wrong(std::format("must be at most {}", kIntegerMax));
  return integer;
}

Result<std::optional<float>> optional_fraction(Json& object, std::string_view key, double maximum, const Path& path) {
  const Json* value = member(object, key);
  if (value == nullptr) return std::nullopt;
  const Path at = path.at(key);
  if (!value->is_number()) return at.wrong_type("a number", *value);
  const double number = value->as_number();
  if (!(number >= 0 && number <= maximum)) return at.wrong(std::format("must be between 0 and {}", maximum));
  return static_cast<float>(number);
}

Result<void> read_sampling(Json& body, const Path& path, MessagesRequest& request) {
  // Anthropic stops at 1; models of the open kind are tuned for up to 2.
  TRY_ASSIGN(request.temperature, optional_fraction(body, "temperature", 2, path));
  TRY_ASSIGN(request.top_p, optional_fraction(body, "top_p", 1, path));
  TRY_ASSIGN(const auto top_k, optional_integer(body, "top_k", 0, path));
  // Over every vocabulary there is nothing left to cut.
  constexpr std::int64_t kTopKMax = std::numeric_limits<std::int32_t>::max();
  if (top_k) request.top_k = static_cast<std::int32_t>(std::min(*top_k, kTopKMax));
  TRY_ASSIGN(const auto seed, optional_integer(body, "seed", 0, path));
  if (seed) request.seed = static_cast<std::uint64_t>(*seed);
  return {};
}

Result<void> read_stop_sequences(Json& body, const Path& root, MessagesRequest& request) {
  Json* value = member(body, "stop_sequences");
  if (value == nullptr) return {};
  const Path path = root.at("stop_sequences");
  if (!value->is_array()) return path.wrong_type("an array of strings", *value);
  Json::Array& array = value->as_array();
  if (array.size() > kStopSequencesMax) {
    return path.wrong(std::format("holds {} sequences; at most {} are allowed", array.size(), kStopSequencesMax));
  }
  for (std::size_t i = 0; i < array.size(); ++i) {
    const Path at = path.at(i);
    if (!array[i].is_string()) return at.wrong_type("a string", array[i]);
    std::string& sequence = array[i].as_string();
    if (sequence.empty()) return at.wrong("must not be empty");
    if (sequence.size() > kStopSequenceBytesMax) {
      return at.wrong(std::format("is {} bytes long; at most {} are allowed", sequence.size(), kStopSequenceBytesMax));
    }
    request.stop_sequences.push_back(std::move(sequence));
  }
  return {};
}

Result<void> read_thinking(Json& body, const Path& root, MessagesRequest& request) {
  Json* thinking = member(body, "thinking");
  if (thinking == nullptr) return {};
  const Path path = root.at("thinking");
  if (!thinking->is_object()) return path.wrong_type("an object", *thinking);
  TRY_ASSIGN(const std::string type, required_string(*thinking, "type", path));
  chat::Conversation& conversation = request.conversation;
  if (type == "disabled") {
    conversation.thinking = chat::Thinking::Disabled;
  } else if (type == "enabled" || type == "adaptive") {
    conversation.thinking = chat::Thinking::Enabled;
    // Anthropic wants 1,024 to max_tokens - 1; here any budget is a wish, and none is no limit.
    TRY_ASSIGN(const auto budget, optional_integer(*thinking, "budget_tokens", 1, path));
    constexpr std::int64_t kBudgetMax = std::numeric_limits<std::uint32_t>::max();
    if (budget) conversation.thinking_budget_tokens = static_cast<std::uint32_t>(std::min(*budget, kBudgetMax));
  } else {
    return path.at("type").wrong(
        std::format("must be \"enabled\", \"adaptive\" or \"disabled\", got {}", quoted(type)));
  }
  return {};
}

Result<void> read_output_format(Json& holder, std::string_view key, const Path& root, MessagesRequest& request) {
  Json* format = member(holder, key);
  if (format == nullptr) return {};
  const Path path = root.at(key);
  if (!format->is_object()) return path.wrong_type("an object", *format);
  const Json* type = member(*format, "type");
  if (type == nullptr || !type->is_string()) return path.at("type").wrong("is required, and a string");
  if (type->as_string() != "json_schema") {
    return path.at("type").wrong(std::format("must be \"json_schema\", got {}", quoted(type->as_string())));
  }
  const Json* schema = member(*format, "schema");
  if (schema == nullptr) return path.at("schema").wrong("is required, and an object");
  if (!schema->is_object()) return path.at("schema").wrong_type("an object", *schema);
  request.output_format = std::move(*format);
  return {};
}

Result<void> read_output_config(Json& body, const Path& root, MessagesRequest& request) {
  // The name this had during its beta; clients of that age still send it.
  TRY(read_output_format(body, "output_format", root, request));
  Json* config = member(body, "output_config");
  if (config == nullptr) return {};
  const Path path = root.at("output_config");
  if (!config->is_object()) return path.wrong_type("an object", *config);
  TRY_ASSIGN(request.conversation.effort, optional_string(*config, "effort", path));
  if (request.conversation.effort.size() > kEffortBytesMax) {
    return path.at("effort").wrong("must be a word such as \"low\", \"medium\" or \"high\"");
  }
  return read_output_format(*config, "format", path, request);
}

// {"edits":[{"type":"clear_thinking_20251015","keep":"all" or {"type":"thinking_turns","value":N}}]}: which thoughts of
// earlier turns the client wants to be seen again. Other edits forget results of tools to make room; what is cached
// costs nothing, so they are not made.
Result<void> read_context_management(Json& body, const Path& root, MessagesRequest& request) {
  Json* management = member(body, "context_management");
  if (management == nullptr || !management->is_object()) return {};
  Json* edits = member(*management, "edits");
  if (edits == nullptr || !edits->is_array()) return {};
  const Path in_body = root.at("context_management");
  const Path path = in_body.at("edits");
  for (std::size_t i = 0; i < edits->as_array().size(); ++i) {
    Json& edit = edits->as_array()[i];
    if (!edit.is_object() || !edit.string_at("type").starts_with("clear_thinking_")) continue;
    const Path at = path.at(i);
    Json* keep = member(edit, "keep");
    request.conversation.thinking_turns_kept = 1;  // as Anthropic has it when nothing is said
    if (keep == nullptr) continue;
    const bool all = (keep->is_string() && keep->as_string() == "all") || keep->string_at("type") == "all";
    if (all) {
      request.conversation.thinking_turns_kept = chat::kAllTurns;
      continue;
    }
    if (!keep->is_object()) return at.at("keep").wrong("must be \"all\" or an object with the number of turns");
    TRY_ASSIGN(const auto value, optional_integer(*keep, "value", 0, at.at("keep")));
    constexpr std::int64_t kTurnsMax = chat::kAllTurns;
    if (value) request.conversation.thinking_turns_kept = static_cast<std::uint32_t>(std::min(*value, kTurnsMax));
  }
  return {};
}

}  // namespace

Result<std::uint32_t> read_max_tokens(Json& body, const Path& path) {
  TRY_ASSIGN(const auto count, optional_integer(body, "max_tokens", 1, path));
  if (!count) return path.at("max_tokens").wrong("is required: the most tokens the answer may have");
  constexpr std::int64_t kMaxTokensMax = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(*count, kMaxTokensMax));
}

Result<void> read_settings(Json& body, const Path& path, MessagesRequest& request) {
  TRY(read_sampling(body, path, request));
  TRY(read_stop_sequences(body, path, request));
  TRY(read_thinking(body, path, request));
  TRY(read_output_config(body, path, request));
  TRY(read_context_management(body, path, request));
  TRY_ASSIGN(request.stream, optional_boolean(body, "stream", path));
  return {};
}

}  // namespace hearth::wire::decode
