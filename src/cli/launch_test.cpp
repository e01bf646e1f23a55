// What Claude Code is told, and how the server's address is read.
#include <doctest/doctest.h>

#include <algorithm>

#include "cli/claude_settings.h"
#include "cli/http_get.h"

namespace hearth::cli {
namespace {

std::string value_of(const Environment& environment, const std::string& name) {
  for (const auto& [key, value] : environment) {
    if (key == name) return value;
  }
  return "(absent)";
}

}  // namespace

TEST_CASE("Claude Code is told the model, the real window and patience") {
  const auto environment = claude_environment({.base_url = "http://127.0.0.1:8787",
                                               .api_key = "",
                                               .model_id = "qwen",
                                               .context_tokens = 65536,
                                               .thinks = true});
  CHECK(value_of(environment, "ANTHROPIC_BASE_URL") == "http://127.0.0.1:8787");
  CHECK(value_of(environment, "ANTHROPIC_AUTH_TOKEN") == "local");
  CHECK(value_of(environment, "ANTHROPIC_MODEL") == "qwen");
  CHECK(value_of(environment, "ANTHROPIC_DEFAULT_HAIKU_MODEL") == "qwen");
  CHECK(value_of(environment, "CLAUDE_CODE_MAX_CONTEXT_TOKENS") == "65536");
  CHECK(value_of(environment, "CLAUDE_CODE_AUTO_COMPACT_WINDOW") == "65536");
  CHECK(value_of(environment, "CLAUDE_CODE_MAX_OUTPUT_TOKENS") == "8192");
  CHECK(value_of(environment, "CLAUDE_STREAM_IDLE_TIMEOUT_MS") == "1800000");
  CHECK(value_of(environment, "MAX_THINKING_TOKENS") == "(absent)");
}

TEST_CASE("a model without thoughts is not asked for any, and the key goes along") {
  const auto environment =
      claude_environment({.base_url = "u", .api_key = "k", .model_id = "m", .context_tokens = 8192});
  CHECK(value_of(environment, "MAX_THINKING_TOKENS") == "0");
  CHECK(value_of(environment, "ANTHROPIC_AUTH_TOKEN") == "k");
  CHECK(value_of(environment, "CLAUDE_CODE_MAX_OUTPUT_TOKENS") == "2048");
  CHECK(std::ranges::contains(claude_unset(), "ANTHROPIC_API_KEY"));
}

TEST_CASE("the automatic permission mode is off unless the user chose one") {
  using Words = std::vector<std::string>;
  CHECK(claude_arguments({"-p", "hi"}) == Words{"--permission-mode", "default", "-p", "hi"});
  CHECK(claude_arguments({"--permission-mode", "plan"}) == Words{"--permission-mode", "plan"});
  CHECK(claude_arguments({"--permission-mode=plan"}) == Words{"--permission-mode=plan"});
}

TEST_CASE("shell lines survive any value") {
  CHECK(as_shell_lines({{"A", "it's $HOME"}, {"B", "plain-1.0"}}, {"C"}) ==
        "unset C\nexport A='it'\\''s $HOME'\nexport B=plain-1.0\n");
}

TEST_CASE("addresses are read with and without port, path and brackets") {
  const auto plain = parse_url("http://localhost:8787/v1");
  REQUIRE(plain);
  CHECK(plain->host == "localhost");
  CHECK(plain->port == 8787);
  const auto six = parse_url("http://[::1]:9/");
  REQUIRE(six);
  CHECK(six->host == "::1");
  CHECK(six->port == 9);
  CHECK(parse_url("http://box")->port == 80);
  for (const char* wrong : {"", "localhost:8787", "https://x", "http://", "http://x:0", "http://x:99999", "http://x:1y",
                            "http://x/other", "http://[::1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_url(wrong));
  }
}

}  // namespace hearth::cli
