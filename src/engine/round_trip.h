// The round trip that every engine makes when it starts: a few tokens leave the pool and come back, and the logits after
// them must be the same bit for bit. What does not hold is not used. Costs three small forward passes. The engine's thread.
#pragma once

#include "engine/llama_engine.h"

namespace hearth::engine {

// Sets the engine's StateForm to the best that holds. REQUIRES: no sequence holds anything; none does afterwards.
void find_state_form(LlamaEngine& engine);

}  // namespace hearth::engine
