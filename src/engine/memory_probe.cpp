// Measuring: the library loads the model and makes a context without allocating anything (no_alloc), and says how many bytes
// each would take where. The numbers are exact: the same code lays out the real buffers afterwards. The breakdown is
// exported by libllama but in none of its headers; it is declared weak here, and where it is missing the sizes are
// estimated from the header's numbers.
#include "engine/memory_probe.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <format>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <llama.h>

#include "base/log.h"
#include "engine/backends.h"
#include "engine/free_memory.h"
#include "engine/llama_engine.h"
#include "engine/llama_log.h"
#include "engine/memory_plan.h"

// As libllama's own header has it: three sizes. memory_plan_test loads a model that was measured by them.
struct llama_memory_breakdown_data {
  std::size_t model = 0, context = 0, compute = 0;
};
std::map<ggml_backend_buffer_type_t, llama_memory_breakdown_data> llama_get_memory_breakdown(
    const llama_context* context) __attribute__((weak));

namespace hearth::engine {
namespace {

constexpr std::uint32_t kSmallContext = 4096;  // two sizes far enough apart that padding does not bend the line
constexpr std::uint32_t kLargeContext = 32768;
constexpr std::uint32_t kStepsDownMax = 16;  // when the exact sizes lie a little above the line

std::uint64_t device_free_bytes(ggml_backend_dev_t device) {
  std::size_t free = 0;
  std::size_t total = 0;
  ggml_backend_dev_memory(device, &free, &total);
  return free;
}

std::uint64_t ram_free_bytes() { return free_ram_bytes().value_or(std::numeric_limits<std::uint64_t>::max() / 4); }

// A no_alloc model, measured at any number of context sizes.
class Simulation {
 public:
  static std::optional<Simulation> open(const EngineOptions& options) {
    if (llama_get_memory_breakdown == nullptr) return std::nullopt;
    llama_model_params settings = model_settings(options);
    settings.no_alloc = true;
    settings.load_mode = LLAMA_LOAD_MODE_NONE;  // no_alloc and mapping exclude each other
    Simulation simulation;
    simulation.options_ = &options;
    simulation.model_.reset(llama_model_load_from_file(options.model_path.c_str(), settings));
    if (!simulation.model_) return std::nullopt;
    return simulation;
  }

  // Nothing when the library cannot make such a context.
  [[nodiscard]] std::optional<Measure> measure(const ContextPlan& plan) const {
    const ContextPointer context(llama_init_from_model(model_.get(), context_settings(*options_, plan)));
    if (!context) return std::nullopt;
    Measure pools;
    pool_named(pools, std::string(kRamPool)).free_bytes = ram_free_bytes();
    for (const auto& [type, sizes] : llama_get_memory_breakdown(context.get())) {
      const ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
      const bool on_device = device != nullptr && !ggml_backend_buft_is_host(type) &&
                             ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU &&
                             ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_ACCEL;
      PoolUse& pool = pool_named(pools, on_device ? ggml_backend_dev_name(device) : std::string(kRamPool));
      if (on_device) pool.free_bytes = device_free_bytes(device);
      pool.weights_bytes += sizes.model;
      pool.context_bytes += sizes.context * plan.contexts;
      pool.compute_bytes += sizes.compute * plan.contexts;
    }
    return pools;
  }

  // Plain attention shares its cells among all sequences; every other memory keeps something for each.
  [[nodiscard]] bool sequences_are_free(const ContextPlan& plan) const {
    const ContextPointer context(llama_init_from_model(model_.get(), context_settings(*options_, plan)));
    return context && memory_traits(model_.get(), context.get()).kind == MemoryKind::Attention;
  }

  [[nodiscard]] std::uint32_t trained_tokens() const {
    return static_cast<std::uint32_t>(std::max(0, llama_model_n_ctx_train(model_.get())));
  }

 private:
  static PoolUse& pool_named(Measure& pools, const std::string& name) {
    const auto found = std::ranges::find(pools, name, &PoolUse::name);
    if (found != pools.end()) return *found;
    pools.push_back({.name = name});
    return pools.back();
  }

  struct ModelDelete {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  const EngineOptions* options_ = nullptr;
  std::unique_ptr<llama_model, ModelDelete> model_;
};

std::uint64_t context_bytes(const Measure& measure) {
  std::uint64_t sum = 0;
  for (const PoolUse& pool : measure) sum += pool.context_bytes;
  return sum;
}

std::uint64_t compute_bytes(const Measure& measure) {
  std::uint64_t sum = 0;
  for (const PoolUse& pool : measure) sum += pool.compute_bytes;
  return sum;
}

std::uint64_t least_free(const Measure& measure) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const PoolUse& pool : measure)
    if (pool.context_bytes > 0) least = std::min(least, pool.free_bytes);
  return least;
}

std::uint32_t round_up(std::uint32_t tokens) { return (tokens + kContextStep - 1) / kContextStep * kContextStep; }

std::uint32_t contexts_of(const EngineOptions& options) { return options.exact ? options.parallel_jobs : 1; }

// Sequences first: their state is part of every later measure.
std::uint32_t sequences_for(const Simulation& simulation, const EngineOptions& options, ContextPlan plan) {
  if (options.exact) return 1;
  plan.sequences_max = options.parallel_jobs + 1;
  if (simulation.sequences_are_free(plan)) return choose_sequences(options.parallel_jobs, 0, 0);
  const auto few = simulation.measure(plan);
  plan.sequences_max += 4;
  const auto more = simulation.measure(plan);
  if (!few || !more) return options.parallel_jobs + 1;
  const std::uint64_t growth = context_bytes(*more) - std::min(context_bytes(*more), context_bytes(*few));
  return choose_sequences(options.parallel_jobs, std::max<std::uint64_t>(growth / 4, 1), least_free(*few));
}

Error shortage_of(const EngineOptions& options, const Measure& measure, const ContextPlan& plan,
                  std::uint32_t context_fits, std::uint64_t state_bytes) {
  return no_memory(measure, {.model = std::filesystem::path(options.model_path).filename().string(),
                             .context_tokens = plan.context_tokens,
                             .context_fits = context_fits,
                             .state_bytes = state_bytes,
                             .kv_is_quantized = options.kv_type_k != KvType::Auto && options.kv_type_k != KvType::F16,
                             .automatic = options.context_tokens == 0});
}

Error refused_context(const EngineOptions& options) {
  return {ErrorKind::InvalidInput,
          std::format("libllama cannot make a context for {} with these options: {}", options.model_path,
                      last_llama_errors().empty() ? "it gave no reason" : last_llama_errors())};
}

std::uint32_t tokens_allowed(const EngineOptions& options, std::uint32_t trained) {
  return options.context_max_tokens != 0 ? round_up(options.context_max_tokens) : trained;
}

struct Bounds {
  std::uint32_t most = 0;  // of the line; 0 when not even the smallest fits
  std::uint32_t trained = 0;
  std::uint64_t state_bytes = 0;  // the part of the context's bytes that is there at any size, for people
};

// The context asked for, or the largest, if memory holds it.
Result<ContextPlan> fitting_plan(const Simulation& simulation, const EngineOptions& options, ContextPlan plan,
                                 const Bounds& bounds) {
  const SizeLine& line = plan.sizes;
  plan.context_tokens = options.context_tokens != 0 ? round_up(options.context_tokens) : bounds.most;
  if (plan.context_tokens == 0) {
    plan.context_tokens = std::min(kContextTokensMin, bounds.trained);
    if (options.check_memory) return std::unexpected(shortage_of(options, line.small, plan, 0, bounds.state_bytes));
  }
  if (!options.check_memory) return plan;
  // Even without its buffers a context keeps some tens of bytes per token: what is hopeless is not even simulated.
  const Measure hoped = extrapolate(line.small, line.small_tokens, line.large, line.large_tokens, plan.context_tokens);
  if (plan.context_tokens / 2 > bounds.most && !fits(hoped))
    return std::unexpected(shortage_of(options, hoped, plan, bounds.most, bounds.state_bytes));
  for (std::uint32_t step = 0;; ++step) {
    const auto exact = simulation.measure(plan);
    if (!exact) return std::unexpected(refused_context(options));
    plan.context_bytes = context_bytes(*exact) + compute_bytes(*exact);
    if (fits(*exact)) return plan;
    const bool may_shrink =
        options.context_tokens == 0 && step < kStepsDownMax && plan.context_tokens > 2 * kContextTokensMin;
    if (!may_shrink) return std::unexpected(shortage_of(options, *exact, plan, bounds.most, bounds.state_bytes));
    plan.context_tokens -= round_up(plan.context_tokens / 64);
  }
}

// How far the context may grow, and, where the size is ours to choose, with how much of that it begins.
// Models with a long rope turn their heads by other angles in contexts of more than `angles_change` tokens (0: never): a state
// from below that place is none above it, so a context never grows across it.
Result<ContextPlan> growing_plan(const Simulation& simulation, const EngineOptions& options, ContextPlan plan,
                                 std::uint32_t most, std::uint32_t angles_change) {
  plan.context_limit_tokens = plan.context_tokens;
  const std::uint32_t below = angles_change / kContextStep * kContextStep;
  if (options.context_tokens != 0) {
    if (options.context_max_tokens == 0) return plan;
    const std::uint32_t asked = round_up(options.context_max_tokens);
    plan.context_limit_tokens = std::max(plan.context_tokens, options.check_memory ? std::min(asked, most) : asked);
    if (below > 0 && plan.context_tokens <= angles_change)
      plan.context_limit_tokens = std::clamp(below, plan.context_tokens, plan.context_limit_tokens);
    return plan;
  }
  plan.context_tokens = start_context(plan.sizes, plan.context_limit_tokens);
  if (below > 0 && plan.context_tokens <= angles_change)
    plan.context_tokens = std::min(plan.context_limit_tokens, below + kContextStep);
  if (plan.context_tokens == plan.context_limit_tokens) return plan;
  const auto exact = simulation.measure(plan);
  if (!exact) return std::unexpected(refused_context(options));
  plan.context_bytes = context_bytes(*exact) + compute_bytes(*exact);
  return plan;
}

Result<ContextPlan> plan_by_measuring(const Simulation& simulation, const EngineOptions& options,
                                      const GgufHeader& header) {
  const std::uint32_t trained = std::max(round_up(simulation.trained_tokens()), kContextStep);
  ContextPlan plan{.context_tokens = std::min(kSmallContext, trained),
                   .sequences_max = 1,
                   .contexts = contexts_of(options),
                   .outputs_max = outputs_max_of(options)};
  plan.sequences_max = sequences_for(simulation, options, plan);
  ContextPlan larger = plan;
  larger.context_tokens = plan.context_tokens * (kLargeContext / kSmallContext);
  const auto small = simulation.measure(plan);
  const auto large = simulation.measure(larger);
  if (!small || !large || small->size() != large->size()) return std::unexpected(refused_context(options));
  // The part of the context's bytes that is there at any size, for people.
  const std::uint64_t growth = context_bytes(*large) - std::min(context_bytes(*large), context_bytes(*small));
  const std::uint64_t per_small = growth / (kLargeContext / kSmallContext - 1);
  const std::uint64_t state = context_bytes(*small) - std::min(context_bytes(*small), per_small);
  plan.sizes = {
      .small = *small, .large = *large, .small_tokens = plan.context_tokens, .large_tokens = larger.context_tokens};
  const std::uint32_t most =
      largest_context(*small, plan.context_tokens, *large, larger.context_tokens, tokens_allowed(options, trained));
  TRY_ASSIGN(plan, fitting_plan(simulation, options, std::move(plan),
                                {.most = most, .trained = trained, .state_bytes = state}));
  const double angles_change = header.number("rope.scaling.original_context_length", 0);
  return growing_plan(simulation, options, std::move(plan), most,
                      static_cast<std::uint32_t>(std::clamp(angles_change, 0.0, 1e9)));
}

// From the header's numbers: every layer counted as full attention, so never too small for the KV cache.
Measure estimate(const EngineOptions& options, const GgufHeader& header, const ContextPlan& plan) {
  const KvTypes types = resolve_kv_types(options, false);
  const double layers = header.number("block_count", 32);
  const double width = header.number("embedding_length", 4096);
  const double heads = std::max(1.0, header.number("attention.head_count", 32));
  const double kv_heads = header.number("attention.head_count_kv", heads);
  const auto words = header.array_counts.find("tokenizer.ggml.tokens");
  const double vocabulary = words == header.array_counts.end() ? 150000 : static_cast<double>(words->second);
  const auto row = [&](KvType type, double head_width) {
    const ggml_type real = ggml_type_of(type);
    return head_width * kv_heads * static_cast<double>(ggml_type_size(real)) /
           static_cast<double>(ggml_blck_size(real));
  };
  const double per_token = layers * (row(types.k, header.number("attention.key_length", width / heads)) +
                                     row(types.v, header.number("attention.value_length", width / heads)));
  const double compute =
      options.ubatch_tokens * (8 * width + 2.0 * plan.context_tokens) * 4 + plan.outputs_max * vocabulary * 8;
  return {{.name = std::string(kRamPool),
           .weights_bytes = header.tensor_bytes * header.split_count,
           .context_bytes = static_cast<std::uint64_t>(per_token * plan.context_tokens * plan.contexts),
           .compute_bytes = static_cast<std::uint64_t>(compute * plan.contexts),
           .free_bytes = ram_free_bytes()}};
}

Result<ContextPlan> plan_by_estimate(const EngineOptions& options, const GgufHeader& header) {
  const auto trained =
      round_up(static_cast<std::uint32_t>(std::clamp(header.number("context_length", kContextTokensMin), 256.0, 1e8)));
  ContextPlan plan{.context_tokens = kSmallContext,
                   .sequences_max = options.exact ? 1 : 2 * options.parallel_jobs + 2,
                   .contexts = contexts_of(options),
                   .outputs_max = outputs_max_of(options)};
  ContextPlan larger = plan;
  larger.context_tokens = kLargeContext;
  plan.sizes = {.small = estimate(options, header, plan),
                .large = estimate(options, header, larger),
                .small_tokens = kSmallContext,
                .large_tokens = kLargeContext};
  const std::uint32_t most = largest_context(plan.sizes.small, kSmallContext, plan.sizes.large, kLargeContext,
                                             tokens_allowed(options, trained));
  plan.context_tokens = options.context_tokens != 0 ? round_up(options.context_tokens)
                        : most != 0                 ? most
                                                    : std::min(kContextTokensMin, trained);
  const Measure measure = estimate(options, header, plan);
  if (options.check_memory && !has_gpu() && !fits(measure))
    return std::unexpected(shortage_of(options, measure, plan, most, 0));
  plan.context_limit_tokens = plan.context_tokens;  // estimates are not good enough to grow by
  return plan;
}

}  // namespace

Measure free_now(const SizeLine& line) {
  Measure now;
  for (const PoolUse& pool : line.small) {
    const ggml_backend_dev_t device = pool.name == kRamPool ? nullptr : ggml_backend_dev_by_name(pool.name.c_str());
    now.push_back({.name = pool.name, .free_bytes = device != nullptr ? device_free_bytes(device) : ram_free_bytes()});
  }
  return now;
}

Result<ContextPlan> plan_context(const EngineOptions& options, const GgufHeader& header) {
  forget_llama_errors();
  const auto simulation = Simulation::open(options);
  if (simulation) return plan_by_measuring(*simulation, options, header);
  // A model that is refused without memory is refused with it too, and with the better words.
  if (llama_get_memory_breakdown != nullptr)
    return std::unexpected(explain_refused_model(options.model_path, last_llama_errors()));
  log_info("engine", "this libllama cannot say how much memory a model takes; estimating");
  return plan_by_estimate(options, header);
}

}  // namespace hearth::engine
