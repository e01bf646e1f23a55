// tiny_model KIND OUT.gguf [--seed N] [--context N] [--width N] [--layers N] [--window N] [--type f32|f16|q8_0] [--end-scale X]
// tiny_model KIND           without OUT: made in the cache folder, its path printed
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tiny_models.h"

namespace {
using namespace hearth::tiny_models;

int usage() {
  std::fputs(
      "usage: tiny_model attention|hybrid|moe|window [OUT.gguf] [--seed N] [--context N] [--width N] [--layers N]\n"
      "                  [--window N] [--type f32|f16|q8_0] [--end-scale X]\n",
      stderr);
  return 2;
}

bool set_option(Spec& spec, const std::string& flag, const std::string& value) {
  char* end = nullptr;
  if (flag == "--type") {
    spec.weights = value == "f32" ? WeightType::F32 : value == "q8_0" ? WeightType::Q8_0 : WeightType::F16;
    return value == "f32" || value == "f16" || value == "q8_0";
  }
  if (flag == "--end-scale") {
    spec.end_scale = std::strtof(value.c_str(), &end);
    return *end == '\0';
  }
  const unsigned long long number = std::strtoull(value.c_str(), &end, 10);
  if (*end != '\0' || value.empty()) return false;
  const auto small = static_cast<std::uint32_t>(number);
  if (flag == "--seed")
    spec.seed = number;
  else if (flag == "--context")
    spec.context_tokens = small;
  else if (flag == "--width")
    spec.width = small;
  else if (flag == "--layers")
    spec.layers = small;
  else if (flag == "--window")
    spec.window_tokens = small;
  else
    return false;
  return true;
}
}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto kind = words.empty() ? std::nullopt : kind_of(words[0]);
  if (!kind) return usage();
  Spec spec;
  spec.kind = *kind;
  std::string file;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!words[i].starts_with("--"))
      file = words[i];
    else if (i + 1 == words.size() || !set_option(spec, words[i], words[i + 1]))
      return usage();
    else
      ++i;
  }
  if (file.empty()) {
    const auto made = path(spec);
    if (made)
      std::puts(made->c_str());
    else
      std::fprintf(stderr, "tiny_model: %s\n", made.error().message.c_str());
    return made ? 0 : 1;
  }
  const auto written = write(spec, file);
  if (!written) std::fprintf(stderr, "tiny_model: %s\n", written.error().message.c_str());
  return written ? 0 : 1;
}
