// The subcommands of `hearth debug`; each puts itself under `debug`.
#pragma once

#include "cli/cli.h"

namespace hearth::cli {

void add_debug_parse(CLI::App& debug, Command& chosen);
void add_debug_dialects(CLI::App& debug, Command& chosen);
void add_debug_render(CLI::App& debug, Command& chosen);
void add_debug_tokenize(CLI::App& debug, Command& chosen);

}  // namespace hearth::cli
