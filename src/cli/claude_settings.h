// What Claude Code must be told so that it works well with a local server. Measured; see docs on the wire. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hearth::cli {

struct ClaudeTarget {
  std::string base_url;  // without /v1
  std::string api_key;   // empty: the server asks for none
  std::string model_id;
  std::uint32_t context_tokens = 0;
  bool thinks = false;  // the model's template knows thoughts
};

using Environment = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] Environment claude_environment(const ClaudeTarget& target);
// Variables that would lead it elsewhere, to be removed.
[[nodiscard]] std::vector<std::string> claude_unset();
// Its arguments: the user's, with --permission-mode default before them unless they choose one.
[[nodiscard]] std::vector<std::string> claude_arguments(const std::vector<std::string>& given);
// Lines for a POSIX shell.
[[nodiscard]] std::string as_shell_lines(const Environment& environment, const std::vector<std::string>& unset);

}  // namespace hearth::cli
