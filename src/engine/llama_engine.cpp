// See llama_engine.h. What may be done with a state is decided here, per kind of memory.
#include "engine/llama_engine.h"

#include <algorithm>
#include <exception>
#include <format>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "engine/llama_log.h"
#include "engine/llama_tokenizer.h"

namespace hearth::engine {
namespace {

// llama_memory_i is polymorphic but its header is not installed. Its dynamic type is all that tells the memories apart
// (the public API has no question for it), and by the Itanium C++ ABI any polymorphic lvalue gives typeid its vtable.
class AnyPolymorphic {
 public:
  virtual ~AnyPolymorphic() = default;
};

std::string_view memory_type_name(llama_memory_t memory) {
  if (memory == nullptr) return "";
  const AnyPolymorphic& object = *reinterpret_cast<const AnyPolymorphic*>(memory);
  const char* name = typeid(object).name();
  return name;
}

}  // namespace

MemoryTraits memory_traits(const llama_model* model, llama_context* context) {
  const std::string_view type = memory_type_name(llama_get_memory(context));
  const auto window = static_cast<std::uint32_t>(std::max(0, llama_model_n_swa(model)));
  // Names are mangled: their length, then the name.
  if (type == "14llama_kv_cache") return {.kind = MemoryKind::Attention, .can_copy = true, .knows_cells = true};
  if (type == "19llama_kv_cache_iswa" && window > 0)
    return {.kind = MemoryKind::Window, .can_copy = true, .knows_cells = true, .window_tokens = window};
  if (type == "22llama_memory_recurrent") return {.kind = MemoryKind::Recurrent, .can_copy = true, .knows_cells = true};
  if (type == "19llama_memory_hybrid") return {.kind = MemoryKind::Hybrid, .can_copy = true, .knows_cells = true};
  if (type == "24llama_memory_hybrid_iswa") return {.kind = MemoryKind::Hybrid, .can_copy = false};  // see own_window()
  log_info("engine", "this model's memory ({}) is one we do not know: prefixes are only extended, never cut or shared",
           type);
  return {.kind = MemoryKind::Recurrent, .can_copy = false};
}

LlamaEngine::LlamaEngine(std::shared_ptr<llama_model> model, ContextPointer context, EngineInfo info,
                         MemoryTraits traits, std::uint32_t outputs_max)
    : model_(std::move(model)),
      info_(std::move(info)),
      traits_(traits),
      outputs_max_(outputs_max),
      tokenizer_(std::make_shared<LlamaTokenizer>(model_)) {
  const std::size_t rows_max = info_.batch_tokens_max;
  tokens_.resize(rows_max);
  positions_.resize(rows_max);
  sequence_counts_.assign(rows_max, 1);
  sequences_.resize(rows_max);
  wants_logits_.resize(rows_max);
  for (llama_seq_id& sequence : sequences_) sequence_pointers_.push_back(&sequence);
  info_.context_limit_tokens = info_.context_tokens;
  adopt(std::move(context));
}

// All that hangs on the context. Nothing is in it.
void LlamaEngine::adopt(ContextPointer context) {
  context_ = std::move(context);
  memory_ = llama_get_memory(context_.get());
  info_.context_tokens = llama_n_ctx(context_.get());
  imported_.assign(info_.sequences_max, 0);
  scratch_of_.reset();
  no_partial_.clear();
  if (traits_.knows_cells && has_partial_state())
    CHECK(append_state(no_partial_, scratch(), LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY));
}

bool LlamaEngine::in_range(Sequence sequence) const {
  return sequence >= 0 && static_cast<std::uint32_t>(sequence) < info_.sequences_max;
}

// The library checks tokens and positions itself and says so; more logits than it made room for would end the process.
Result<void> LlamaEngine::check_rows(std::span<const Row> rows) const {
  CHECK(!rows.empty() && rows.size() <= info_.batch_tokens_max);
  std::uint32_t outputs = 0;
  for (const Row& row : rows) {
    if (!in_range(row.sequence))
      return fail(ErrorKind::InvalidInput,
                  std::format("sequence {} is not below {}", row.sequence, info_.sequences_max));
    CHECK(!is_importing(row.sequence));
    outputs += row.wants_logits ? 1 : 0;
  }
  if (outputs > outputs_max_)
    return fail(ErrorKind::InvalidInput,
                std::format("{} rows want logits, the engine has room for {}", outputs, outputs_max_));
  return {};
}

void LlamaEngine::fill_batch(std::span<const Row> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    tokens_[i] = rows[i].token;
    positions_[i] = rows[i].position;
    sequences_[i] = rows[i].sequence;
    wants_logits_[i] = rows[i].wants_logits ? 1 : 0;
  }
}

Result<DecodeOutcome> LlamaEngine::decode(std::span<const Row> rows) {
  TRY(check_rows(rows));
  empty_scratch();
  fill_batch(rows);
  const llama_batch batch{.n_tokens = static_cast<std::int32_t>(rows.size()),
                          .token = tokens_.data(),
                          .embd = nullptr,
                          .pos = positions_.data(),
                          .n_seq_id = sequence_counts_.data(),
                          .seq_id = sequence_pointers_.data(),
                          .logits = wants_logits_.data()};
  forget_llama_errors();
  std::int32_t code = 0;
  try {
    code = llama_decode(context_.get(), batch);
  } catch (const std::exception& thrown) {
    return fail(ErrorKind::Internal, std::format("libllama failed in the middle of a batch: {}", thrown.what()));
  }
  if (code == 0) return DecodeOutcome::Done;
  if (code == 1) return DecodeOutcome::NoRoom;
  const std::string said = last_llama_errors();
  if (code == -1) return fail(ErrorKind::InvalidInput, std::format("libllama refused the batch: {}", said));
  return fail(ErrorKind::Internal, std::format("libllama failed in the middle of a batch (code {}): {}", code, said));
}

std::span<const float> LlamaEngine::logits(std::size_t row_index) const {
  const float* row = llama_get_logits_ith(context_.get(), static_cast<std::int32_t>(row_index));
  CHECK(row != nullptr);
  return {row, info_.vocabulary_count};
}

std::uint32_t LlamaEngine::held_length(Sequence sequence) const {
  return static_cast<std::uint32_t>(llama_memory_seq_pos_max(memory_, sequence) + 1);
}

std::uint32_t LlamaEngine::usable_prefix(Sequence sequence, std::uint32_t length, std::uint32_t wanted) const {
  CHECK(in_range(sequence) && !is_importing(sequence));
  // A sequence that does not hold what the caller believes (an error in between) is worth nothing.
  if (wanted == 0 || wanted > length || held_length(sequence) != length) return 0;
  if (wanted == length) return length;
  switch (traits_.kind) {
    case MemoryKind::Attention: return wanted;
    case MemoryKind::Recurrent:
    case MemoryKind::Hybrid: return 0;
    case MemoryKind::Window: {
      // The token at `wanted` looks back over (wanted - window, wanted). Cells leave the window's cache oldest first, and
      // all of [pos_min, length) is there. One token more than needed is asked for.
      const std::int64_t first_held = llama_memory_seq_pos_min(memory_, sequence);
      const bool whole = first_held == 0;
      return whole || first_held <= static_cast<std::int64_t>(wanted) - traits_.window_tokens ? wanted : 0;
    }
  }
  return 0;
}

bool LlamaEngine::truncate(Sequence sequence, std::uint32_t keep) {
  CHECK(in_range(sequence) && (keep == 0 || !is_importing(sequence)));
  if (keep == 0) {
    clear(sequence);
    return true;
  }
  if (held_length(sequence) == keep) return true;
  empty_scratch();
  return llama_memory_seq_rm(memory_, sequence, static_cast<llama_pos>(keep), -1) && held_length(sequence) == keep;
}

bool LlamaEngine::fork(Sequence from, Sequence to, std::uint32_t count) {
  CHECK(in_range(from) && in_range(to) && from != to && !is_importing(from) && !is_importing(to));
  DCHECK(held_length(to) == 0);
  if (!traits_.can_copy || count == 0) return false;
  // Recurrent state is copied whole or not at all.
  const bool whole = held_length(from) == count;
  const bool cuttable = traits_.kind == MemoryKind::Attention || traits_.kind == MemoryKind::Window;
  if (!whole && !cuttable) return false;
  llama_memory_seq_cp(memory_, from, to, whole ? -1 : 0, whole ? -1 : static_cast<llama_pos>(count));
  if (held_length(to) == count && (traits_.kind != MemoryKind::Window || own_window(to))) return true;
  clear(to);
  return false;
}

// The window's cache is small and lives from overwriting cells that fell out of the window, but a cell that two sequences
// share is never overwritten: a fork would fill it for good. So the fork gets cells of its own for its window (some tens
// of KB to some hundreds of MB), by saving and restoring them; the layers that see everything go on sharing.
bool LlamaEngine::own_window(Sequence sequence) {
  constexpr llama_state_seq_flags kWindowOnly = LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY;
  const std::uint32_t length = held_length(sequence);
  std::vector<std::uint8_t> state(llama_state_seq_get_size_ext(context_.get(), sequence, kWindowOnly));
  const std::size_t size =
      llama_state_seq_get_data_ext(context_.get(), state.data(), state.size(), sequence, kWindowOnly);
  if (size == 0 || size > state.size()) return false;
  return llama_state_seq_set_data_ext(context_.get(), state.data(), size, sequence, kWindowOnly) > 0 &&
         held_length(sequence) == length;
}

void LlamaEngine::clear(Sequence sequence) {
  CHECK(in_range(sequence));
  empty_scratch();
  llama_memory_seq_rm(memory_, sequence, -1, -1);
  imported_[static_cast<std::size_t>(sequence)] = 0;
}

}  // namespace hearth::engine
