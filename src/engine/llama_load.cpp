// Loading a model, step by step. Runs on the thread that will own the engine.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <format>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "engine/backends.h"
#include "engine/exact_engine.h"
#include "engine/gguf_probe.h"
#include "engine/llama_engine.h"
#include "engine/llama_log.h"
#include "engine/llama_settings.h"
#include "engine/memory_plan.h"
#include "engine/memory_probe.h"
#include "engine/model_digest.h"
#include "engine/round_trip.h"
#include "engine/threads.h"
#include "engine/vocabulary_engine.h"

namespace hearth::engine {
namespace {

std::string metadata(const llama_model* model, const char* key) {
  std::array<char, 256> small{};
  const std::int32_t size = llama_model_meta_val_str(model, key, small.data(), small.size());
  if (size < 0) return "";
  if (static_cast<std::size_t>(size) < small.size()) return {small.data(), static_cast<std::size_t>(size)};
  std::string large(static_cast<std::size_t>(size) + 1, '\0');
  llama_model_meta_val_str(model, key, large.data(), large.size());
  large.pop_back();
  return large;
}

std::optional<double> metadata_number(const llama_model* model, llama_model_meta_key key) {
  const char* name = llama_model_meta_key_str(key);
  if (name == nullptr) return std::nullopt;
  const std::string text = metadata(model, name);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

SamplingDefaults sampling_defaults(const llama_model* model) {
  const auto real = [model](llama_model_meta_key key) {
    const auto value = metadata_number(model, key);
    return value ? static_cast<float>(*value) : std::numeric_limits<float>::quiet_NaN();
  };
  const auto whole = [model](llama_model_meta_key key) {
    const auto value = metadata_number(model, key);
    return value && std::abs(*value) < 1e9 ? static_cast<std::int32_t>(*value)
                                           : std::numeric_limits<std::int32_t>::min();
  };
  return {.temperature = real(LLAMA_MODEL_META_KEY_SAMPLING_TEMP),
          .top_p = real(LLAMA_MODEL_META_KEY_SAMPLING_TOP_P),
          .min_p = real(LLAMA_MODEL_META_KEY_SAMPLING_MIN_P),
          .repeat_penalty = real(LLAMA_MODEL_META_KEY_SAMPLING_PENALTY_REPEAT),
          .top_k = whole(LLAMA_MODEL_META_KEY_SAMPLING_TOP_K),
          .penalty_last_count = whole(LLAMA_MODEL_META_KEY_SAMPLING_PENALTY_LAST_N)};
}

bool report_progress(float fraction, void* data) {
  const auto& progress = *static_cast<const std::function<void(float)>*>(data);
  if (progress) progress(fraction);
  return true;
}

Result<std::shared_ptr<llama_model>> load_weights(const EngineOptions& options, std::function<void(float)>& progress) {
  llama_model_params settings = model_settings(options);
  settings.vocab_only = options.vocabulary_only;
  settings.progress_callback = report_progress;
  settings.progress_callback_user_data = &progress;
  forget_llama_errors();
  std::shared_ptr<llama_model> model(llama_model_load_from_file(options.model_path.c_str(), settings),
                                     [](llama_model* loaded) {
                                       if (loaded != nullptr) llama_model_free(loaded);
                                     });
  if (!model) return std::unexpected(explain_refused_model(options.model_path, last_llama_errors()));
  return model;
}

// What can be loaded but cannot hold a conversation.
Result<void> check_generates(const llama_model* model, const std::string& path) {
  const auto refuse = [&path](std::string_view what) {
    return fail(
        ErrorKind::InvalidInput,
        std::format("{} is {}; Hearth serves models that write text: choose a chat or instruct model", path, what));
  };
  if (llama_model_has_encoder(model)) return refuse("a model with an encoder");
  if (!llama_model_has_decoder(model)) return refuse("an embedding or encoder-only model");
  if (llama_model_is_diffusion(model)) return refuse("a diffusion model");
  const llama_vocab* vocabulary = llama_model_get_vocab(model);
  if (llama_vocab_type(vocabulary) == LLAMA_VOCAB_TYPE_NONE || llama_vocab_n_tokens(vocabulary) <= 0)
    return refuse("a model without a vocabulary");
  return {};
}

// `settings` become those that the context was made with.
Result<ContextPointer> make_context(llama_model* model, const ContextPlan& plan, llama_context_params& settings) {
  forget_llama_errors();
  ContextPointer context(llama_init_from_model(model, settings));
  if (!context && settings.flash_attn_type == LLAMA_FLASH_ATTN_TYPE_ENABLED) {
    log_warning("engine", "flash attention was refused ({}); trying without", last_llama_errors());
    settings.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
    context.reset(llama_init_from_model(model, settings));
  }
  if (!context)
    return fail(ErrorKind::NoMemory,
                std::format("libllama could not make a context of {} tokens ({}); try a smaller --ctx",
                            plan.context_tokens, last_llama_errors()));
  return context;
}

// libllama's word for the model: "qwen3 8B Q4_K - Medium". Sizes that it has no name for it calls "?B": those are counted.
std::string description_of(const llama_model* model) {
  std::array<char, 256> words{};
  llama_model_desc(model, words.data(), words.size());
  std::string description = words.data();
  if (const std::size_t at = description.find("?B"); at != std::string::npos) {
    const double count = static_cast<double>(llama_model_n_params(model));
    description.replace(at, 2, count < 1e9 ? std::format("{:.1f}M", count / 1e6) : std::format("{:.1f}B", count / 1e9));
  }
  return description;
}

// What the file says of itself.
EngineInfo describe_model(const llama_model* model, const EngineOptions& options) {
  EngineInfo info;
  info.name = metadata(model, "general.name");
  if (info.name.empty()) info.name = std::filesystem::path(options.model_path).stem().string();
  info.architecture = metadata(model, "general.architecture");
  info.description = description_of(model);
  if (const char* text = llama_model_chat_template(model, nullptr)) info.chat_template = text;
  info.trained_context_tokens = static_cast<std::uint32_t>(std::max(0, llama_model_n_ctx_train(model)));
  info.vocabulary_count = static_cast<std::uint32_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)));
  info.parameter_count = llama_model_n_params(model);
  info.weights_bytes = llama_model_size(model);
  info.sampling_defaults = sampling_defaults(model);
  return info;
}

// How many layers the devices compute; the same for whatever asks for all of them.
std::int32_t layers_on_gpu(const llama_model* model, const EngineOptions& options) {
  if (!has_gpu()) return 0;
  const std::int32_t all = llama_model_n_layer(model) + 1;  // the output is one
  return options.gpu_layers < 0 ? all : std::min(options.gpu_layers, all);
}

// Everything beside model, KV types and back end that shapes a state's bytes or the numbers in it. Some models turn their heads
// by other angles where the context is longer than the one they were first trained for. `settings`: as the context was made;
// where they leave flash attention to the library, it decides by the devices and the layers that they have.
std::string state_version(const llama_model* model, const EngineOptions& options, const GgufHeader& header,
                          const llama_context_params& settings) {
  const double first_trained = header.number("rope.scaling.original_context_length", 0);
  const bool long_rope = first_trained > 0 && settings.n_ctx > first_trained;
  std::string version =
      std::format("llama {}, ggml {} {}, frame 1, flash attention {}, layers on GPU {}{}", llama_version(),
                  ggml_version(), ggml_commit(), llama_flash_attn_type_name(settings.flash_attn_type),
                  layers_on_gpu(model, options), long_rope ? ", long rope" : "");
  // The library computes a chunk in parts of so many rows, and sums are split among threads: what depends on the prompt alone
  // depends on these too.
  if (options.exact)
    version +=
        std::format(", ubatch {}, threads {} {}", settings.n_ubatch, settings.n_threads, settings.n_threads_batch);
  return version;
}

EngineInfo describe(const llama_model* model, llama_context* context, const EngineOptions& options, MemoryKind kind) {
  EngineInfo info = describe_model(model, options);
  const KvTypes types = resolve_kv_types(options, options.gpu_layers != 0 && has_gpu());
  info.kv_types = std::format("{}/{}", kv_type_name(types.k), kv_type_name(types.v));
  info.backend = backend_name(options.gpu_layers);
  info.memory_kind = kind;
  info.context_tokens = llama_n_ctx(context);
  info.sequences_max = llama_n_seq_max(context) - 1;  // the last one is scratch
  info.batch_tokens_max = llama_n_batch(context);
  return info;
}

// The header, the metadata and the vocabulary: no back end, no weights, nothing to plan.
Result<std::unique_ptr<Engine>> load_vocabulary(const EngineOptions& options, std::function<void(float)>& progress) {
  capture_llama_log();
  TRY_ASSIGN(const GgufHeader header, probe_gguf(options.model_path));
  TRY_ASSIGN(std::shared_ptr<llama_model> model, load_weights(options, progress));
  EngineInfo info = describe_model(model.get(), options);
  info.description += std::format("{}{}", info.description.empty() ? "" : ": ", shape_of(header));
  info.weights_bytes = header.split_count > 1 ? 0 : header.tensor_bytes;
  // The library leaves out what a vocabulary does not need.
  const double trained = header.number("context_length", 0);
  if (info.trained_context_tokens == 0 && trained >= 1 && trained < 1e9)
    info.trained_context_tokens = static_cast<std::uint32_t>(trained);
  return std::make_unique<VocabularyEngine>(std::move(model), std::move(info));
}

// Weights of a mapped file take memory that still counts as free; repacked or read ones do not count so. What became less
// since the plan, but for the context, is of the second kind.
std::uint64_t hidden_weights(const ContextPlan& plan) {
  const SizeLine& line = plan.sizes;
  const Measure made = extrapolate(line.small, line.small_tokens, line.large, line.large_tokens, plan.context_tokens);
  const Measure now = free_now(line);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (now[i].name != kRamPool) continue;
    const std::uint64_t seen = now[i].free_bytes + made[i].context_bytes + made[i].compute_bytes;
    const std::uint64_t gone = line.small[i].free_bytes - std::min(line.small[i].free_bytes, seen);
    return line.small[i].weights_bytes - std::min(line.small[i].weights_bytes, gone);
  }
  return 0;
}

struct Loaded {
  const EngineOptions& options;
  const GgufHeader& header;
  const std::string& content_digest;
  const ContextPlan& plan;
  std::shared_ptr<llama_model> model;
};

Result<std::unique_ptr<LlamaEngine>> make_engine(const Loaded& loaded) {
  llama_context_params settings = context_settings(loaded.options, loaded.plan);
  TRY_ASSIGN(ContextPointer context, make_context(loaded.model.get(), loaded.plan, settings));
  const MemoryTraits traits = memory_traits(loaded.model.get(), context.get());
  EngineInfo info = describe(loaded.model.get(), context.get(), loaded.options, traits.kind);
  info.content_digest = loaded.content_digest;
  info.state_version = state_version(loaded.model.get(), loaded.options, loaded.header, settings);
  auto engine =
      std::make_unique<LlamaEngine>(loaded.model, std::move(context), std::move(info), traits, loaded.plan.outputs_max);
  if (loaded.plan.context_limit_tokens > loaded.plan.context_tokens)
    engine->allow_growth({.settings = settings,
                          .sizes = loaded.plan.sizes,
                          .hidden_weights_bytes = hidden_weights(loaded.plan),
                          .check_memory = loaded.options.check_memory,
                          .limit_tokens = loaded.plan.context_limit_tokens});
  return engine;
}

Result<std::unique_ptr<Engine>> make_exact_engine(const Loaded& loaded) {
  std::vector<std::unique_ptr<LlamaEngine>> lanes;
  for (std::uint32_t i = 0; i < loaded.plan.contexts; ++i) {
    TRY_ASSIGN(std::unique_ptr<LlamaEngine> lane, make_engine(loaded));
    if (i == 0)
      find_state_form(*lane);
    else
      lane->set_state_form(lanes.front()->info().state_form);
    lanes.push_back(std::move(lane));
  }
  auto engine = std::make_unique<ExactEngine>(std::move(lanes));
  TRY(check_exact(*engine));
  const std::uint32_t count = loaded.plan.contexts;
  log_info("engine", "exact: {} of {} tokens, {} of memory in all{}",
           count == 1 ? std::string("one context") : std::format("{} contexts", count), engine->info().context_tokens,
           format_bytes(loaded.plan.context_bytes),
           count == 1 ? ""
                      : std::format(" ({} each); streams that run together are decoded one after another, each {} "
                                    "times slower than alone",
                                    format_bytes(loaded.plan.context_bytes / count), count));
  return engine;
}

// An exact engine's lanes take one chunk at a time, and one row of it says anything.
EngineOptions effective_options(EngineOptions options) {
  if (options.exact) options.batch_tokens = kExactUnit;
  options.ubatch_tokens = std::min(options.ubatch_tokens, options.batch_tokens);
  return options;
}

// The model's files as the system tells them apart: whether a path still leads where it led. Empty: one is not there.
std::string files_identity(const std::string& path, std::uint32_t count) {
  const std::size_t ending_bytes = std::format("-{:05}-of-{:05}.gguf", 1, count).size();
  std::string identity;
  for (std::uint32_t i = 1; i <= count; ++i) {
    const std::string file =
        count == 1 ? path : std::format("{}-{:05}-of-{:05}.gguf", path.substr(0, path.size() - ending_bytes), i, count);
    struct stat about{};
    std::error_code failed;
    const auto written = std::filesystem::last_write_time(file, failed);
    if (failed || ::stat(file.c_str(), &about) != 0) return "";
    identity += std::format("{} {} {} {};", about.st_dev, about.st_ino, about.st_size,
                            static_cast<std::int64_t>(written.time_since_epoch().count()));
  }
  return identity;
}

// Empty: another file has come under this path since `loaded`, and what these weights compute must not be kept under its name.
Result<std::string> content_digest_of(const EngineOptions& options, const GgufHeader& header,
                                      const std::string& loaded) {
  TRY_ASSIGN(const Digest digest, model_digest(options.model_path, header));
  if (!loaded.empty() && files_identity(options.model_path, header.split_count) == loaded) return hex_of(digest);
  log_warning("engine", "{} was changed while it was loaded: nothing of its cache is kept on the disk",
              options.model_path);
  return "";
}

Result<std::unique_ptr<Engine>> load_steps(const EngineOptions& given, std::function<void(float)> progress) {
  const EngineOptions options = effective_options(given);
  if (options.vocabulary_only) return load_vocabulary(options, progress);
  TRY(load_backends());
  TRY_ASSIGN(const GgufHeader header, probe_gguf(options.model_path));
  TRY_ASSIGN(const ContextPlan plan, plan_context(options, header));
  const std::string files = files_identity(options.model_path, header.split_count);
  TRY_ASSIGN(std::shared_ptr<llama_model> model, load_weights(options, progress));
  TRY(check_generates(model.get(), options.model_path));
  const auto trained = static_cast<std::uint32_t>(std::max(0, llama_model_n_ctx_train(model.get())));
  if (trained > 0 && plan.context_limit_tokens > trained)
    log_warning("engine", "a context of {} tokens is more than the {} the model was trained for: answers may get worse",
                plan.context_limit_tokens, trained);
  TRY_ASSIGN(const std::string content_digest, content_digest_of(options, header, files));
  const Loaded loaded{
      .options = options, .header = header, .content_digest = content_digest, .plan = plan, .model = std::move(model)};
  if (options.exact) return make_exact_engine(loaded);
  TRY_ASSIGN(std::unique_ptr<LlamaEngine> engine, make_engine(loaded));
  find_state_form(*engine);
  return engine;
}

}  // namespace

Result<std::unique_ptr<Engine>> load_llama_engine(const EngineOptions& options, std::function<void(float)> progress) {
  // libllama catches its own exceptions at most doors, not at all; none may leave this room.
  try {
    return load_steps(options, std::move(progress));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::NoMemory, "out of memory while loading the model; try a smaller --ctx or a smaller model");
  } catch (const std::exception& thrown) {
    return fail(ErrorKind::InvalidInput, std::format("{} could not be loaded: {}", options.model_path, thrown.what()));
  }
}

}  // namespace hearth::engine
