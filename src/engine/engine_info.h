// What an engine is, and what its model says of itself. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::engine {

using Token = std::int32_t;
using Sequence = std::int32_t;  // [0, EngineInfo::sequences_max)

enum class MemoryKind { Attention, Recurrent, Hybrid, Window };
[[nodiscard]] std::string_view memory_kind_name(MemoryKind kind);

// How state can leave the pool and come back, found by a round trip when the engine starts.
enum class StateForm {
  None,   // nothing leaves the pool
  Whole,  // save() and restore() of whole sequences
  Cells,  // also export_cells(), import_cells(), snapshot() and finish_import()
};
[[nodiscard]] std::string_view state_form_name(StateForm form);

// The model's own sampling, general.sampling.* of its metadata; NaN / INT32_MIN where it says nothing.
struct SamplingDefaults {
  float temperature, top_p, min_p, repeat_penalty;
  std::int32_t top_k, penalty_last_count;
};

struct EngineInfo {
  std::string name, architecture, description, chat_template, backend, kv_types;
  // What state that outlives the process belongs to: the content of the model's file(s), and everything else that shapes
  // the bytes of a state or the numbers in it (library, context-dependent rope, flash attention, ...). Equal texts, equal state.
  std::string content_digest, state_version;
  MemoryKind memory_kind = MemoryKind::Attention;
  StateForm state_form = StateForm::None;
  // Exact: a sequence's logits depend on nothing but its own tokens. The caller's part: rows that are not a lone next
  // token come as a chunk of one sequence that begins at a multiple of prefill_unit and ends at the next one, or, only at
  // the prompt's end, before it. prefill_unit 0: any shape will do.
  bool exact = false;
  std::uint32_t prefill_unit = 0;
  // Cells shared by all sequences, also one sequence's longest; and how many rebuild() may make of them.
  std::uint32_t context_tokens = 0, context_limit_tokens = 0;
  std::uint32_t trained_context_tokens = 0;
  std::uint32_t sequences_max = 0;
  std::uint32_t batch_tokens_max = 0;  // rows of one decode()
  std::uint32_t vocabulary_count = 0;
  bool follows_grammars = true;  // false: a script that says what it says, whatever a job's grammar allows
  std::uint64_t parameter_count = 0, weights_bytes = 0;
  SamplingDefaults sampling_defaults{};
};

}  // namespace hearth::engine
