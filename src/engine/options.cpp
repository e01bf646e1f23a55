// Parsing the engine program's command line. Pure.
#include "engine/options.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <format>
#include <limits>
#include <optional>
#include <utility>

namespace hearth::engine {
namespace {

constexpr std::array<std::pair<std::string_view, KvType>, 9> kKvTypes = {{{"auto", KvType::Auto},
                                                                          {"f32", KvType::F32},
                                                                          {"f16", KvType::F16},
                                                                          {"bf16", KvType::BF16},
                                                                          {"q8_0", KvType::Q8_0},
                                                                          {"q5_1", KvType::Q5_1},
                                                                          {"q5_0", KvType::Q5_0},
                                                                          {"q4_1", KvType::Q4_1},
                                                                          {"q4_0", KvType::Q4_0}}};

constexpr std::uint32_t kContextTokensMax = 1U << 27U;  // far over any model; keeps sums in 64 bits
constexpr std::uint32_t kParallelJobsMax = 128;         // leaves half of the library's 256 sequences for idle prefixes
constexpr std::uint32_t kBatchTokensMax = 1U << 16U;
constexpr std::int32_t kThreadsMax = 1024;
constexpr std::int32_t kGpuLayersMax = 100000;

Result<std::int64_t> parse_number(std::string_view flag, std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < min || value > max)
    return fail(ErrorKind::InvalidInput,
                std::format("{} takes a whole number from {} to {}, not \"{}\"", flag, min, max, text));
  return value;
}

template <class T>
Result<void> set_number(T& to, std::string_view flag, std::string_view text, std::int64_t min, std::int64_t max) {
  TRY_ASSIGN(const std::int64_t value, parse_number(flag, text, min, max));
  to = static_cast<T>(value);
  return {};
}

Result<void> set_kv_type(KvType& to, std::string_view flag, std::string_view text) {
  std::string names;
  for (const auto& [name, type] : kKvTypes) {
    if (name == text) {
      to = type;
      return {};
    }
    names += names.empty() ? "" : ", ";
    names += name;
  }
  return fail(ErrorKind::InvalidInput, std::format("{} takes one of {}, not \"{}\"", flag, names, text));
}

Result<void> set_flash_attention(FlashAttention& to, std::string_view flag, std::string_view text) {
  if (text == "on")
    to = FlashAttention::On;
  else if (text == "off")
    to = FlashAttention::Off;
  else if (text == "auto")
    to = FlashAttention::Auto;
  else
    return fail(ErrorKind::InvalidInput, std::format("{} takes on, off or auto, not \"{}\"", flag, text));
  return {};
}

// "8G", "512M", "0", "auto". Powers of 1024; a number without a letter is bytes.
Result<void> set_bytes(std::optional<std::uint64_t>& to, std::string_view flag, std::string_view text) {
  to.reset();
  if (text == "auto") return {};
  constexpr std::string_view kUnits = "KMGT";
  constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 44;
  std::string_view digits = text;
  std::uint64_t factor = 1;
  if (!digits.empty() && digits.ends_with('B')) digits.remove_suffix(1);
  if (!digits.empty())
    if (const std::size_t unit = kUnits.find(digits.back()); unit != std::string_view::npos) {
      factor = std::uint64_t{1024} << (10 * unit);
      digits.remove_suffix(1);
    }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || value > kBytesMax / factor)
    return fail(ErrorKind::InvalidInput,
                std::format("{} takes a size as 8G, 512M or 0, or auto, not \"{}\"", flag, text));
  to = value * factor;
  return {};
}

bool set_switch(EngineOptions& options, std::string_view flag) {
  if (flag == "--no-mmap")
    options.mmap = false;
  else if (flag == "--mmap")
    options.mmap = true;
  else if (flag == "--mlock")
    options.mlock = true;
  else if (flag == "--no-memory-check")
    options.check_memory = false;
  else if (flag == "--exact")
    options.exact = true;
  else if (flag == "--vocabulary-only")
    options.vocabulary_only = true;
  else
    return false;
  return true;
}

// One spelling per knob from here on.
std::string_view long_name(std::string_view flag) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kNames = {{{"-m", "--model"},
                                                                                     {"-c", "--ctx"},
                                                                                     {"--ctx-size", "--ctx"},
                                                                                     {"-np", "--parallel"},
                                                                                     {"-b", "--batch-size"},
                                                                                     {"-ub", "--ubatch-size"},
                                                                                     {"-t", "--threads"},
                                                                                     {"-tb", "--threads-batch"},
                                                                                     {"-ngl", "--n-gpu-layers"},
                                                                                     {"--gpu-layers", "--n-gpu-layers"},
                                                                                     {"-ctk", "--cache-type-k"},
                                                                                     {"-ctv", "--cache-type-v"},
                                                                                     {"-fa", "--flash-attn"},
                                                                                     {"--batch", "--batch-size"},
                                                                                     {"--ubatch", "--ubatch-size"}}};
  for (const auto& [other, name] : kNames)
    if (flag == other) return name;
  return flag;
}

// False when there is no such flag.
Result<bool> set_value(EngineOptions& options, std::string_view flag, std::string_view value) {
  if (flag == "--model")
    options.model_path = value;
  else if (flag == "--ctx" && value == "auto")
    options.context_tokens = 0;
  else if (flag == "--ctx")
    TRY(set_number(options.context_tokens, flag, value, 0, kContextTokensMax));
  else if (flag == "--ctx-max")
    TRY(set_number(options.context_max_tokens, flag, value, 1, kContextTokensMax));
  else if (flag == "--parallel")
    TRY(set_number(options.parallel_jobs, flag, value, 1, kParallelJobsMax));
  else if (flag == "--batch-size")
    TRY(set_number(options.batch_tokens, flag, value, 1, kBatchTokensMax));
  else if (flag == "--ubatch-size")
    TRY(set_number(options.ubatch_tokens, flag, value, 1, kBatchTokensMax));
  else if (flag == "--threads")
    TRY(set_number(options.threads, flag, value, 0, kThreadsMax));
  else if (flag == "--threads-batch")
    TRY(set_number(options.threads_batch, flag, value, 0, kThreadsMax));
  else if (flag == "--n-gpu-layers" && (value == "all" || value == "auto"))
    options.gpu_layers = -1;
  else if (flag == "--n-gpu-layers")
    TRY(set_number(options.gpu_layers, flag, value, -1, kGpuLayersMax));
  else if (flag == "--cache-type-k")
    TRY(set_kv_type(options.kv_type_k, flag, value));
  else if (flag == "--cache-type-v")
    TRY(set_kv_type(options.kv_type_v, flag, value));
  else if (flag == "--cache-ram")
    TRY(set_bytes(options.cache_ram_bytes, flag, value));
  else if (flag == "--cache-disk")
    TRY(set_bytes(options.cache_disk_bytes, flag, value));
  else if (flag == "--cache-folder")
    options.cache_folder = value;
  else if (flag == "--flash-attn")
    TRY(set_flash_attention(options.flash_attention, flag, value));
  else
    return false;
  return true;
}

bool is_quantized(KvType type) {
  return type != KvType::Auto && type != KvType::F32 && type != KvType::F16 && type != KvType::BF16;
}

}  // namespace

std::string_view kv_type_name(KvType type) {
  for (const auto& [name, known] : kKvTypes)
    if (known == type) return name;
  return "auto";
}

Result<EngineOptions> parse_options(std::span<const std::string> arguments) {
  EngineOptions options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view flag = arguments[i];
    std::optional<std::string_view> value;
    if (const std::size_t equals = flag.find('='); flag.starts_with("--") && equals != std::string_view::npos) {
      value = flag.substr(equals + 1);
      flag = flag.substr(0, equals);
    }
    flag = long_name(flag);
    if (!value && set_switch(options, flag)) continue;
    const bool is_last = i + 1 == arguments.size();
    TRY_ASSIGN(const bool known, set_value(options, flag,
                                           value     ? *value
                                           : is_last ? std::string_view()
                                                     : arguments[i + 1]));
    if (!known) return fail(ErrorKind::InvalidInput, std::format("the engine knows no flag \"{}\"", flag));
    if (!value && is_last) return fail(ErrorKind::InvalidInput, std::format("{} needs a value", flag));
    if (!value) ++i;
  }
  if (options.model_path.empty()) return fail(ErrorKind::InvalidInput, "name the model: --model FILE.gguf");
  if (options.context_max_tokens != 0 && options.context_max_tokens < options.context_tokens)
    return fail(ErrorKind::InvalidInput,
                std::format("--ctx-max {} is less than --ctx {}: it is what the context may grow to",
                            options.context_max_tokens, options.context_tokens));
  if (options.flash_attention == FlashAttention::Off && is_quantized(options.kv_type_v))
    return fail(ErrorKind::InvalidInput,
                std::format("--cache-type-v {} needs flash attention; leave out --flash-attn off",
                            kv_type_name(options.kv_type_v)));
  return options;
}

}  // namespace hearth::engine
