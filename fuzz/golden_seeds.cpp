// Seeds for stream_parser_fuzz from the golden corpus: `golden_seeds GOLDEN_FOLDER OUT_FOLDER`. Each input begins with the two
// bytes that the fuzzer reads. One thread.
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <format>
#include <fstream>
#include <print>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "chat/dialect.h"

#if defined(__GNUC__) && !defined(__clang__)
// The rooms are built to count edges; here nobody reads the counts.
extern "C" void __sanitizer_cov_trace_pc();
extern "C" __attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc() {}
#endif

namespace {

// All of them would take the fuzzer's whole time; neighbouring cases reach nearly the same code.
constexpr std::size_t kEveryNth = 3;
constexpr std::size_t kSeedBytesMax = 2048;
constexpr std::size_t kFileBytesMax = 16U << 20;

std::size_t write_seeds(const hearth::Json& cases, std::size_t dialect, const std::string& prefix) {
  std::size_t written = 0;
  for (std::size_t i = 0; i < cases.as_array().size(); i += kEveryNth) {
    const hearth::Json& golden = cases.as_array()[i];
    const std::string raw = golden.string_at("raw");
    if (raw.size() > kSeedBytesMax) continue;
    const std::size_t options = (golden.find("opened_think") != nullptr ? 1 : 0) |
                                (golden.string_at("ended") == "max_tokens" ? 2 : 0) | (dialect << 2);
    std::ofstream out(std::format("{}{}", prefix, i), std::ios::binary);
    out << static_cast<char>(options) << static_cast<char>(i) << raw;
    ++written;
  }
  return written;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::println(stderr, "golden_seeds GOLDEN_FOLDER OUT_FOLDER");
    return 2;
  }
  std::filesystem::create_directories(arguments[2]);
  const auto dialects = hearth::chat::all_dialects();
  std::size_t written = 0;
  for (std::size_t i = 0; i < dialects.size(); ++i) {
    const auto text = hearth::read_file(std::format("{}/{}.json", arguments[1], dialects[i].name), kFileBytesMax);
    const auto cases = text ? hearth::Json::parse(*text) : hearth::Result<hearth::Json>(std::unexpected(text.error()));
    if (!cases) {
      std::println(stderr, "golden_seeds: {}: {}", dialects[i].name, cases.error().message);
      return 1;
    }
    written += write_seeds(*cases, i, std::format("{}/{}-", arguments[2], dialects[i].name));
  }
  std::println("golden_seeds: {} written", written);
  return written > 0 ? 0 : 1;
}
