// hearth version: what this is, and which engine it would start.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/cli.h"
#include "cli/engine_program.h"

namespace hearth::cli {
namespace {

int run_version() {
  std::printf("hearth %s\n", HEARTH_VERSION);
  const auto engine = find_engine_program();
  std::printf("engine: %s\n", engine ? engine->c_str() : "not found (see `hearth engine --help`)");
  return 0;
}

}  // namespace

void add_version(CLI::App& app, Command& chosen) {
  app.add_subcommand("version", "Show the version of Hearth and where its engine is")->callback([&chosen] {
    chosen = run_version;
  });
}

}  // namespace hearth::cli
