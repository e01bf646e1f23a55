// hearth debug: the steps between a request and its answer, one at a time, for people who debug a model or a template.
// One file per step (debug_*.cpp); nothing here needs a running server.
#include <CLI/CLI.hpp>

#include "cli/cli.h"
#include "cli/debug.h"

namespace hearth::cli {

void add_debug(CLI::App& app, Command& chosen) {
  CLI::App* debug = app.add_subcommand("debug", "Look at one step between a request and its answer");
  debug->require_subcommand(1);
  add_debug_parse(*debug, chosen);
  add_debug_dialects(*debug, chosen);
  add_debug_render(*debug, chosen);
  add_debug_tokenize(*debug, chosen);
}

}  // namespace hearth::cli
