// State that leaves a LlamaEngine and comes back is bit for bit what it was: tiny generated models of each kind of memory,
// f16 and q8_0 KV, pools with holes, cuts, forks, refusals, and long random sequences of all of it.
#include <doctest/doctest.h>

#include <format>
#include <map>

#include "engine/state_frame.h"
#include "engine/test_llama.h"

namespace hearth::engine {
namespace {

using tiny_models::Kind;

// Holes of all sizes: sequences 1 to 3 written in turns, then one of them removed and another cut.
void make_holes(Engine& engine) {
  const auto filler = text_tokens(77, 200);
  for (std::size_t begin = 0; begin < 200; begin += 40)
    for (Sequence sequence = 1; sequence <= 3; ++sequence) feed_tokens(engine, sequence, filler, begin, begin + 40);
  engine.clear(2);
  if (engine.usable_prefix(3, 200, 150) == 150) REQUIRE(engine.truncate(3, 150));
}

}  // namespace

TEST_CASE("every tiny model's state can be taken apart, as the self-test at the start finds") {
  for (const Kind kind : kEveryKind) {
    CAPTURE(tiny_models::kind_name(kind));
    CHECK(load_tiny(tiny_options(kind))->info().state_form == StateForm::Cells);
  }
}

TEST_CASE("a sequence that came back into a pool with holes goes on bit for bit") {
  for (const KvType type : {KvType::F16, KvType::Q8_0})
    for (const Kind kind : kEveryKind)
      for (const std::uint32_t length : {1U, 63U, 256U, 600U}) {
        CAPTURE(tiny_models::kind_name(kind));
        CAPTURE(kv_type_name(type));
        CAPTURE(length);
        const auto engine = load_tiny(tiny_options(kind, type));
        const auto tokens = text_tokens(5, length + 20);
        feed_tokens(*engine, 0, tokens, 0, length);
        const KeptState kept = keep_state(*engine, 0, length, 256);
        // Taking state out disturbs nothing: this is what an engine says that never did.
        const auto expected = step_through(*engine, 0, tokens, length, length + 20);
        const auto undisturbed = load_tiny(tiny_options(kind, type));
        feed_tokens(*undisturbed, 0, tokens, 0, length);
        CHECK(same_steps(step_through(*undisturbed, 0, tokens, length, length + 20), expected));

        make_holes(*engine);
        engine->clear(0);
        REQUIRE(bring_back(*engine, 4, kept, length));
        CHECK(same_steps(step_through(*engine, 4, tokens, length, length + 20), expected));
      }
}

}  // namespace hearth::engine
