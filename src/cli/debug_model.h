// What the debug commands look at: a template file with the few texts of a vocabulary that templates ask for, or a model
// file, of which an engine process then reads the metadata and the vocabulary (a second, whatever its size).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "link/messages.h"
#include "models/engine_process.h"

namespace CLI {
class App;
}

namespace hearth::cli {

struct DebugModelOptions {
  std::string model;
  std::string template_file;
  std::string bos_text;
  std::string eos_text;
  std::vector<std::string> special_texts;
};

struct DebugModel {
  link::Hello hello;
  std::unique_ptr<models::EngineProcess> engine;  // null with a template file
};

// --model alone, and the flags of a template file.
void add_model_flag(CLI::App& command, DebugModelOptions& options);
void add_template_flags(CLI::App& command, DebugModelOptions& options);

// With neither a model nor a template: the template that serves models which have none.
[[nodiscard]] Result<DebugModel> open_debug_model(const DebugModelOptions& options);

// "hearth: MESSAGE" on standard error; the exit status.
int print_error(const Error& error);

}  // namespace hearth::cli
