// Everything that front and engine say to each other: plain values, one struct per message.
// How they become bytes: link/codec.h (field by field, little-endian, versioned). How bytes travel: link/channel.h.
// The front speaks of words only outside this file; here there are tokens, ranges, settings and counts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "link/cache_messages.h"
#include "link/job.h"

namespace hearth::link {

// Raised by one with every change of a message; Hello with another version is refused.
inline constexpr std::uint16_t kProtocolVersion = 10;
// A 1M-token prompt is 4 MiB; text to tokenise is at most the front's body limit (64 MiB).
inline constexpr std::uint32_t kFrameBytesMax = 96U << 20;

// ---- front -> engine --------------------------------------------------------------------------------------

// One stretch of text. `parse_special`: whether <|im_start|> and its like become their control tokens; text that came
// from a conversation is never parsed so.
struct Segment {
  std::string text;
  bool parse_special = false;
  std::vector<Token> tokens = {};  // not empty: these, and text is empty (a turn as it was sampled)
};
struct TokenizeRequest {
  std::uint64_t id = 0;
  std::vector<Segment> segments;  // tokenised one by one and joined; BOS is added by the template's text only
  bool count_only = false;        // the answer then carries the count and no tokens
  bool with_pieces = false;       // the answer also says how each token is written, for people
};
struct StatsRequest {
  std::uint64_t id = 0;
};
// How much RAM the prefix cache may use from now on.
struct CacheBudget {
  bool automatic = true;  // as the engine finds sensible; ram_bytes then means nothing
  std::uint64_t ram_bytes = 0;
};
struct Shutdown {};  // finish nothing, put what is worth it on the disk, exit 0

// ---- engine -> front --------------------------------------------------------------------------------------

struct LoadProgress {
  float fraction = 0;
};  // of the weights, 0..1
struct LoadFailed {
  std::uint8_t kind = 0;  // ErrorKind as a number
  std::string message;
};
// What the model is; the first message of an engine that can work.
struct Hello {
  std::uint16_t protocol_version = kProtocolVersion;
  std::string name;                       // general.name, or the file's name
  std::string architecture;               // general.architecture
  std::string description;                // for people: size and quantisation
  std::string chat_template;              // tokenizer.chat_template, empty when the file has none
  std::uint32_t context_tokens = 0;       // one job's prompt + answer at most
  std::uint32_t live_context_tokens = 0;  // of them without growing
  std::uint32_t trained_context_tokens = 0;
  std::uint32_t parallel_jobs = 0;  // jobs that decode at once
  std::uint64_t parameter_count = 0, weights_bytes = 0;
  std::string bos_text, eos_text;          // for templates; empty when the vocabulary has none
  bool adds_bos = false;                   // the vocabulary asks for a BOS before every prompt
  std::vector<std::string> special_texts;  // text of every control and user-defined token, longest first
  Sampling sampling_defaults;              // the model's own, from its metadata
  std::string memory_kind;                 // "attention", "recurrent", "hybrid", "window": for people and logs
  std::string backend;                     // for people: "CPU (icelake)", "CUDA0 NVIDIA ..."
  std::string kv_types;                    // "f16/f16"
  std::string content_digest;              // which model it is, whatever it is called; empty where that is not certain
};
struct TokenizeReply {
  std::uint64_t id = 0;
  std::uint32_t count = 0;
  std::vector<Token> tokens;  // empty when count_only was asked
  // Where each segment ends: ends[i] tokens cover segments [0, i]. Boundaries are read off these.
  std::vector<std::uint32_t> segment_ends;
  std::vector<std::string> pieces;  // of `tokens`, control tokens included; empty unless with_pieces was asked
};

// It waits for its turn. Sent when it cannot start at once, and now and then while its place changes.
struct JobQueued {
  JobId job = 0;
  std::uint32_t jobs_before = 0;  // that wait too and have their turn earlier, as it looks now
  std::uint32_t wait_ms = 0;      // until it starts, as it looks now; 0 = nothing is known yet
};
struct JobStarted {  // left the queue; prefill begins
  JobId job = 0;
  std::uint32_t cached_tokens = 0;         // of the prompt, not computed again
  std::uint32_t ram_tokens = 0;            // of these, brought back from RAM ...
  std::uint32_t disk_tokens = 0;           // ... and from the disk; the rest was in the live context
  std::optional<Explanation> explanation;  // when much is computed
};
struct JobProgress {
  JobId job = 0;
  std::uint32_t prefilled_tokens = 0;  // of the prompt, cached ones included
};
struct SampledToken {
  Token token = 0;
  std::string piece;  // its bytes; may be a part of a UTF-8 character; empty for control tokens that are not shown
};
struct TokenEvent {
  JobId job = 0;
  std::vector<SampledToken> tokens;  // one per step today; several when drafts are accepted
};
enum class EndReason : std::uint8_t {
  EndOfTurn,    // an end-of-generation token (it is not among the TokenEvents)
  StopToken,    // one of Job::stop_tokens (not among the TokenEvents either)
  TokensMax,    // tokens_max sampled
  ContextFull,  // the context window is used up
  Cancelled,    // by Cancel
  Failed,       // see message
};
struct JobEnd {
  JobId job = 0;
  EndReason reason = EndReason::Failed;
  std::uint32_t prompt_tokens = 0;   // of the original prompt (resumed ones not counted)
  std::uint32_t cached_tokens = 0;   // of prompt_tokens
  std::uint32_t sampled_tokens = 0;  // resumed ones counted; the ending token too when there was one
  std::uint8_t error_kind = 0;       // ErrorKind as a number, when Failed
  std::string message;               // when Failed
  std::uint32_t retry_after_ms = 0;  // when it was refused as Overloaded: a place is likely free then
};
struct StatsReply {
  std::uint64_t id = 0;
  std::map<std::string, std::uint64_t> counters;  // name -> value; units are in the names
};

using FrontMessage =
    std::variant<TokenizeRequest, Job, Cancel, Probe, StatsRequest, Shutdown, CacheBudget, Pause, Resume, CacheRequest>;
using EngineMessage = std::variant<LoadProgress, LoadFailed, Hello, TokenizeReply, JobStarted, JobProgress, TokenEvent,
                                   JobEnd, ProbeReply, StatsReply, JobQueued, ContextChanged, CacheReply>;

}  // namespace hearth::link
