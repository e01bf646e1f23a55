// hearth launch claude: asks the running server what it serves, and becomes Claude Code with the settings that fit.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <format>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/claude_settings.h"
#include "cli/cli.h"
#include "cli/http_get.h"

namespace hearth::cli {
namespace {

struct LaunchOptions {
  std::string url = std::format("http://127.0.0.1:{}", kDefaultPort);
  std::string model;
  std::string api_key;
  bool print = false;
  std::vector<std::string> arguments;
};

std::string without_path(const Url& url) {
  return url.host.contains(':') ? std::format("http://[{}]:{}", url.host, url.port)
                                : std::format("http://{}:{}", url.host, url.port);
}

Result<Json> ask_status(const Url& url, const std::string& api_key) {
  auto answer = http_get(url, "/v1/hearth/status", api_key);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status == 401) {
    return fail(ErrorKind::Unauthorized, "the server asks for its API key: give it with --api-key or HEARTH_API_KEY");
  }
  if (answer->status != 200) {
    return fail(ErrorKind::Unavailable,
                std::format("what answers at {} is no Hearth (status {})", without_path(url), answer->status));
  }
  return Json::parse(answer->body);
}

// The model of that id, or the first.
Result<ClaudeTarget> target_from(const Json& status, const LaunchOptions& options, const Url& url) {
  const Json* models = status.find("models");
  if (!models || !models->is_array() || models->as_array().empty()) {
    return fail(ErrorKind::Unavailable, "the server is still loading its model; try again in a moment");
  }
  std::string known;
  for (const Json& model : models->as_array()) {
    const std::string id = model.string_at("id");
    known += (known.empty() ? "" : ", ") + id;
    if (!options.model.empty() && options.model != id) continue;
    const Json* context = model.find("context_tokens");
    const Json* thinks = model.find("thinking");
    ClaudeTarget target{.base_url = without_path(url), .api_key = options.api_key, .model_id = id};
    if (context && context->is_integer()) target.context_tokens = static_cast<std::uint32_t>(context->as_integer());
    target.thinks = thinks && thinks->is_boolean() && thinks->as_boolean();
    return target;
  }
  return fail(ErrorKind::NotFound, std::format("the server has no model {}; it serves {}", options.model, known));
}

int become_claude(const ClaudeTarget& target, const std::vector<std::string>& given) {
  for (const auto& name : claude_unset()) ::unsetenv(name.c_str());
  for (const auto& [name, value] : claude_environment(target)) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<std::string> words = claude_arguments(given);
  words.insert(words.begin(), "claude");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp("claude", argv.data());
  if (errno == ENOENT) {
    std::fprintf(stderr,
                 "hearth: Claude Code is not installed here (no `claude` in PATH); install it with\n"
                 "  npm install -g @anthropic-ai/claude-code\n");
    return 127;
  }
  std::fprintf(stderr, "hearth: cannot run claude: %s\n", std::strerror(errno));
  return 126;
}

int run_launch_claude(const LaunchOptions& options) {
  const auto target = [&]() -> Result<ClaudeTarget> {
    TRY_ASSIGN(const Url url, parse_url(options.url));
    TRY_ASSIGN(const Json status, ask_status(url, options.api_key));
    return target_from(status, options, url);
  }();
  if (!target) {
    std::fprintf(stderr, "hearth: %s\n", target.error().message.c_str());
    return 1;
  }
  if (!options.print) return become_claude(*target, options.arguments);
  std::string command = "claude";
  for (const auto& word : claude_arguments(options.arguments)) command += " " + word;
  std::printf("%s# then: %s\n", as_shell_lines(claude_environment(*target), claude_unset()).c_str(), command.c_str());
  return 0;
}

}  // namespace

void add_launch(CLI::App& app, Command& chosen) {
  auto* launch = app.add_subcommand("launch", "Start a coding agent on a running server");
  launch->require_subcommand(1);
  auto* claude = launch->add_subcommand("claude", "Start Claude Code");
  const auto options = std::make_shared<LaunchOptions>();
  claude->add_option("--url", options->url, "Where the server is")->capture_default_str();
  claude->add_option("--model", options->model, "Which of its models (default: the first)");
  claude->add_option("--api-key", options->api_key, "The server's key, if it asks for one")->envname("HEARTH_API_KEY");
  claude->add_flag("--print", options->print, "Print the settings for a shell instead of starting anything");
  claude->add_option("arguments", options->arguments, "For Claude Code, after --");
  claude->positionals_at_end();
  claude->footer(
      "Examples:\n"
      "  hearth launch claude\n"
      "  hearth launch claude -- -p 'explain this repository'\n"
      "  eval \"$(hearth launch claude --print)\"");
  claude->callback([&chosen, options] { chosen = [options] { return run_launch_claude(*options); }; });
}

}  // namespace hearth::cli
