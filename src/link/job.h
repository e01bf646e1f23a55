// What the front asks the engine to say: a prompt, how its answer is drawn, and what holds it; and what becomes of it then.
// Plain values, of the messages (messages.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "link/sampling.h"

namespace hearth::link {

using JobId = std::uint64_t;  // chosen by the front, never reused while an engine lives

// Whom a job keeps waiting, the most urgent first. A job that waits long counts as a more urgent one, so none starves.
enum class Priority : std::uint8_t {
  Interactive,  // a person, or an agent's next step
  Side,         // short and nobody looks at it closely: a title, a summary of a line
  Batch,        // whenever there is time
};

// How a thought may go on: when it has taken its tokens, the engine writes its end in the model's place.
struct Thought {
  std::uint32_t tokens_max = 0;       // of all thoughts of the answer; 0 = no limit
  bool opened = false;                // the prompt ends inside a thought
  std::string open_text, close_text;  // the marks around a thought; a model without an open mark opens none itself
  std::string closing;                // what is written for it: the dialect's own words, close_text among them
};
struct Job {
  JobId id = 0;
  std::vector<Token> prompt;              // never empty; includes `resumed_count` tokens sampled before a crash
  std::uint32_t resumed_count = 0;        // the last so many of `prompt` were sampled by this same job earlier
  std::vector<std::uint32_t> boundaries;  // ascending positions in (0, prompt.size()): where keeping state pays
  std::uint32_t tokens_max = 0;           // tokens to sample in all, resumed ones included; 0 = to the context's end
  Sampling sampling;                      // seed is always set by the front, so that a resumed job draws the same
  std::string cache_salt;                 // jobs of different salts share nothing that was computed
  Priority priority = Priority::Interactive;
  std::uint64_t owner = 0;         // whose job it is: owners take turns, whatever each of them asks for
  std::vector<Token> stop_tokens;  // beside the vocabulary's own end-of-generation tokens
  std::string grammar;             // what may be sampled (docs/grammar.md); empty: anything
  Thought thought;
  std::vector<std::string> shown_controls;  // control tokens whose text comes out: the dialect's marks
};

struct Cancel {
  JobId job = 0;
};
// Its reader is slow: no more of it is computed before Resume. What it has computed stays known; its place among the running
// jobs goes to another when one wants it.
struct Pause {
  JobId job = 0;
};
struct Resume {
  JobId job = 0;
};

}  // namespace hearth::link
