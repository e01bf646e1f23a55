// See cli.h.
#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/serve_options.h"

namespace hearth::cli {

int run_program(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "engine") return run_engine(argc, argv);
  CLI::App app("Hearth serves a local language model to coding agents (Anthropic Messages API).", "hearth");
  app.footer(
      "Examples:\n"
      "  hearth serve --model qwen.gguf               serve a model on http://127.0.0.1:8787\n"
      "  hearth pull                                  how to get a real model\n"
      "  hearth launch claude                         start Claude Code on the running server\n"
      "  hearth launch claude --print                 print the settings for your own shell\n"
      "  hearth cache why                             why the last prompts were computed, in part or whole\n"
      "  hearth show qwen.gguf                        what a model is, and how it would be talked to\n"
      "`hearth COMMAND --help` lists a command's flags.");
  app.get_formatter()->enable_footer_formatting(false);  // the examples are laid out as they shall stand
  app.set_version_flag("--version", "hearth " HEARTH_VERSION);
  app.require_subcommand(1);
  Command chosen;
  try {
    add_serve(app, chosen);
    add_launch(app, chosen);
    add_pull(app, chosen);
    add_cache(app, chosen);
    add_show(app, chosen);
    add_debug(app, chosen);
    add_version(app, chosen);
    std::vector<std::string> words = with_long_flags({argv + 1, argv + argc});
    std::ranges::reverse(words);  // as the library wants them
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  try {
    return chosen();
  } catch (const std::exception& error) {
    // Only the standard library's last resorts (no memory) come here: rooms report by Result.
    std::fprintf(stderr, "hearth: %s\n", error.what());
    return 1;
  }
}

}  // namespace hearth::cli
