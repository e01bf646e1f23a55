// What a sequence of the fake engine is made of. Internal to FakeEngine (fake_engine.cpp, fake_state.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/fake_engine.h"

namespace hearth::engine {

inline constexpr std::uint64_t kFakeHashSeed = 0x6865617274680001ULL;  // the hash of no tokens

struct FakeEngine::Cell {
  Token token = 0;
  std::uint32_t holders = 0;  // lines that share it; 0 = free
  std::uint64_t hash = 0;     // of this token and all before it
};

struct FakeEngine::Line {
  std::vector<std::uint32_t> cells;
  std::uint32_t imported = 0;   // tokens of an unfinished import, 0 = none under way
  std::uint32_t cut_floor = 0;  // MemoryKind::Window: what came back as a snapshot cannot be cut
  // The answer that follows, remembered while only tokens of it are appended. start 0: nothing remembered.
  std::size_t answer_start = 0;
  const FakeRule* rule = nullptr;  // nullptr with a start: no rule fits, babble
  FakeContinuation continuation;
  std::size_t said_until = 0;  // line length that `continuation` is about
  // A scripted delay under way.
  std::uint64_t delay_hash = 0;
  std::int64_t delay_until_ms = 0;
};

}  // namespace hearth::engine
