// See engine_program.h. Also `hearth engine`, which becomes that program.
#include "cli/engine_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <format>
#include <system_error>
#include <vector>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

#include "cli/cli.h"

namespace hearth::cli {
namespace {

constexpr const char* kEngineName = "hearth-engine";
constexpr const char* kBuiltinModel = "hearth-mini.gguf";

Result<std::filesystem::path> own_path() {
  std::error_code error;
#if defined(__APPLE__)
  std::string raw(4096, '\0');  // PATH_MAX is 1024 there
  auto size = static_cast<std::uint32_t>(raw.size());
  if (_NSGetExecutablePath(raw.data(), &size) != 0) return fail(ErrorKind::Io, "this program's own path is too long");
  auto path = std::filesystem::canonical(raw.c_str(), error);
#else
  auto path = std::filesystem::read_symlink("/proc/self/exe", error);
#endif
  if (error) return fail(ErrorKind::Io, std::format("cannot find this program's own path: {}", error.message()));
  return path;
}

}  // namespace

Result<std::string> find_engine_program() {
  if (const char* named = std::getenv("HEARTH_ENGINE"); named && *named) {
    if (::access(named, X_OK) == 0) return std::string(named);
    return fail(ErrorKind::NotFound,
                std::format("HEARTH_ENGINE names {}, which cannot be run: {}", named, std::strerror(errno)));
  }
  TRY_ASSIGN(const auto self, own_path());
  const auto beside = self.parent_path() / kEngineName;
  if (::access(beside.c_str(), X_OK) == 0) return beside.string();
  return fail(ErrorKind::NotFound,
              std::format("there is no engine program at {}; build it with `make build`, or name it "
                          "in HEARTH_ENGINE",
                          beside.string()));
}

std::string find_pdf_program() {
  if (const char* named = std::getenv("HEARTH_PDF"); named && *named) return named;
  const auto self = own_path();
  if (!self) return "";
  const auto beside = self->parent_path() / "hearth-pdf";
  return ::access(beside.c_str(), X_OK) == 0 ? beside.string() : "";
}

Result<std::string> find_builtin_model() {
  TRY_ASSIGN(const auto self, own_path());
  const auto prefix = self.parent_path().parent_path();
  // build/PRESET/bin/hearth of a checkout is three folders below it.
  const auto checkout = prefix.parent_path().parent_path();
  std::vector<std::filesystem::path> places = {prefix / "share" / "hearth" / kBuiltinModel,
                                               checkout / "models" / "mini" / kBuiltinModel};
  if (const char* named = std::getenv("HEARTH_BUILTIN_MODEL"); named && *named) places = {named};
  for (const auto& path : places)
    if (::access(path.c_str(), R_OK) == 0) return path.string();
  return fail(ErrorKind::NotFound,
              "no --model was given, and no built-in model is installed here; name one with --model FILE.gguf "
              "(`hearth pull` tells how to get one)");
}

int run_engine(int argc, char** argv) {
  auto program = find_engine_program();
  if (!program) {
    std::fprintf(stderr, "hearth: %s\n", program.error().message.c_str());
    return 1;
  }
  std::vector<char*> words{program->data()};
  for (int i = 2; i < argc; ++i) words.push_back(argv[i]);
  words.push_back(nullptr);
  ::execv(program->c_str(), words.data());
  std::fprintf(stderr, "hearth: cannot run %s: %s\n", program->c_str(), std::strerror(errno));
  return 1;
}

}  // namespace hearth::cli
