// The subcommands of `hearth debug`; each puts itself under `debug`.
#pragma once

#include "cli/cli.h"

namespace hearth::cli {}  // namespace hearth::cli
