// See claude_settings.h.
#include "cli/claude_settings.h"

#include <algorithm>
#include <format>

namespace hearth::cli {
namespace {

// Compaction starts at context - min(max output, 20000) - 13000: a small window needs a small answer.
std::uint32_t output_tokens_for(std::uint32_t context_tokens) {
  if (context_tokens >= 131072) return 16384;
  return std::clamp<std::uint32_t>(context_tokens / 4, 1024, 8192);
}

// Single quotes, with each inner one as '\''.
std::string shell_quoted(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:@").contains(c);
  });
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace

Environment claude_environment(const ClaudeTarget& target) {
  const std::string context = std::to_string(target.context_tokens);
  Environment environment = {
      {"ANTHROPIC_BASE_URL", target.base_url},
      // Without any token it says "not logged in", also where the server asks for none.
      {"ANTHROPIC_AUTH_TOKEN", target.api_key.empty() ? "local" : target.api_key},
      {"ANTHROPIC_MODEL", target.model_id},
      {"ANTHROPIC_DEFAULT_OPUS_MODEL", target.model_id},
      {"ANTHROPIC_DEFAULT_SONNET_MODEL", target.model_id},
      {"ANTHROPIC_DEFAULT_HAIKU_MODEL", target.model_id},
      {"ANTHROPIC_DEFAULT_FABLE_MODEL", target.model_id},
      // It takes unknown models for 200k or 1M tokens and would not compact in time.
      {"CLAUDE_CODE_MAX_CONTEXT_TOKENS", context},
      {"CLAUDE_CODE_AUTO_COMPACT_WINDOW", context},
      {"CLAUDE_CODE_MAX_OUTPUT_TOKENS", std::to_string(output_tokens_for(target.context_tokens))},
      // A block that changes from session to session at the head of the prompt, of no use here.
      {"CLAUDE_CODE_ATTRIBUTION_HEADER", "0"},
      // Half an hour of patience: a long prompt on a small machine takes its time.
      {"CLAUDE_STREAM_IDLE_TIMEOUT_MS", "1800000"},
      {"API_TIMEOUT_MS", "3000000"},
      {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"},
  };
  if (!target.thinks) environment.emplace_back("MAX_THINKING_TOKENS", "0");
  return environment;
}

std::vector<std::string> claude_unset() {
  // A key is asked about at the start and sent beside the token; the others choose another model or provider.
  return {"ANTHROPIC_API_KEY", "ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL", "CLAUDE_CODE_USE_BEDROCK",
          "CLAUDE_CODE_USE_VERTEX"};
}

std::vector<std::string> claude_arguments(const std::vector<std::string>& given) {
  const bool chosen = std::ranges::any_of(given, [](const std::string& argument) {
    return argument.starts_with("--permission-mode") || argument == "--dangerously-skip-permissions";
  });
  std::vector<std::string> arguments;
  // Its automatic mode asks a model of Anthropic's whether a command is safe; here nobody could answer.
  if (!chosen) arguments = {"--permission-mode", "default"};
  arguments.insert(arguments.end(), given.begin(), given.end());
  return arguments;
}

std::string as_shell_lines(const Environment& environment, const std::vector<std::string>& unset) {
  std::string lines;
  for (const auto& name : unset) lines += std::format("unset {}\n", name);
  for (const auto& [name, value] : environment) lines += std::format("export {}={}\n", name, shell_quoted(value));
  return lines;
}

}  // namespace hearth::cli
