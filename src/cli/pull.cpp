// hearth pull: how to get a real model. Hearth downloads none itself yet; this says what fits the machine and what to type.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>

#include "cli/cli.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t kGib = std::uint64_t{1} << 30;

std::uint64_t memory_bytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page_bytes > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes) : 0;
}

// Half of the memory is a model's share: the other half is for its context, the cache and everybody else.
int run_pull() {
  const std::uint64_t memory = memory_bytes();
  std::printf("Hearth does not download models itself yet. Any GGUF file serves:\n\n");
  std::printf(
      "  1. Get a GGUF of a model that was trained for tool calls: the Qwen3, Qwen3-Coder, GLM, gpt-oss, Devstral "
      "and\n");
  std::printf("     Gemma families do well as coding agents. Q4_K_M files are the usual choice.\n");
  if (memory >= 2 * kGib) {
    std::printf("     This machine has %llu GiB of memory: take a file of at most about %llu GiB.\n",
                static_cast<unsigned long long>(memory / kGib), static_cast<unsigned long long>(memory / kGib / 2));
  }
  std::printf("  2. hearth serve --model FILE.gguf\n");
  std::printf("     It says before loading whether the model fits, and how large its context can be.\n");
  return 0;
}

}  // namespace

void add_pull(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("pull", "Tell how to get a real model");
  command->callback([&chosen] { chosen = [] { return run_pull(); }; });
}

}  // namespace hearth::cli
