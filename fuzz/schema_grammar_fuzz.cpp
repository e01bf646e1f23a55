// Fuzzes the schema compiler: any JSON as a schema gives a grammar that the engine's reader takes, and random texts of it
// are JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "chat/grammar_writer.h"
#include "chat/schema_grammar.h"
#include "grammar/automaton.h"
#include "grammar/program.h"

namespace {

using namespace hearth;

void require(bool condition) {
  if (!condition) std::abort();
}

// A walk of at most `bytes_max` bytes; true when it came to an end.
bool walk(grammar::Automaton& automaton, std::uint64_t seed, std::size_t bytes_max, std::string& out) {
  grammar::State at = automaton.start();
  for (std::uint64_t n = 0; out.size() < bytes_max; ++n) {
    if (automaton.only_accepts(at)) return true;
    std::vector<std::uint8_t> open;
    for (unsigned byte = 0; byte < 256; ++byte)
      if (automaton.step(at, static_cast<std::uint8_t>(byte)) != grammar::kDead)
        open.push_back(static_cast<std::uint8_t>(byte));
    if (open.empty()) return automaton.accepts(at);
    // What closes a value comes early among the allowed bytes.
    const std::uint64_t draw = mix_u64(seed, n);
    const std::uint8_t byte = open[draw % 3 == 0 ? 0 : (draw >> 8U) % open.size()];
    out += static_cast<char>(byte);
    at = automaton.step(at, byte);
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto schema = Json::parse({reinterpret_cast<const char*>(data), size});
  if (!schema) return 0;
  chat::GrammarWriter writer;
  chat::SchemaGrammar grammar(writer, *schema);
  const auto program = grammar::compile(writer.text(grammar.root_rule()), {});
  require(program.has_value());
  grammar::Automaton automaton(*program);
  for (std::uint64_t seed = 0; seed < 3 && !automaton.overflowed(); ++seed) {
    std::string text;
    if (walk(automaton, seed, 1'000, text)) require(Json::parse(text, 1'000).has_value());
  }
  return 0;
}
