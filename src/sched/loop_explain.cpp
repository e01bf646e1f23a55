// Why a prompt's tokens are computed, in words the front can show: once per job, when it begins, and only where it is much.
#include <algorithm>
#include <span>
#include <string>

#include "sched/loop.h"

namespace hearth::sched {
namespace {

// Less is computed in the time that people do not notice; a turn of an agent is about as long.
constexpr std::uint32_t kExplainedTokensMin = 256;

// The enumerations are the same words in both rooms.
static_assert(static_cast<int>(cache::Beyond::Differs) == static_cast<int>(link::Beyond::Differs));
static_assert(static_cast<int>(cache::Lost::NotKept) == static_cast<int>(link::Lost::NotKept));
static_assert(static_cast<int>(cache::GoneFor::Budget) == static_cast<int>(link::GoneFor::Budget));

std::string text_of(const engine::Tokenizer& tokenizer, std::span<const engine::Token> tokens) {
  std::string text;
  for (const engine::Token token : tokens) text += tokenizer.shown(token);
  return text;
}

std::string first_bytes(std::string text) {
  text.resize(std::min(text.size(), link::kExplanationTextBytesMax));
  return text;
}

std::string last_bytes(const std::string& text) {
  return text.substr(text.size() - std::min(text.size(), link::kExplanationTextBytesMax));
}

link::Gone gone_of(const cache::Explanation& why) {
  return {.position = why.gone->end,
          .ms_ago = why.gone_ms_ago,
          .what_for = static_cast<link::GoneFor>(why.gone->what_for),
          .thinned = why.gone->reason == cache::Gone::Thinned,
          .for_same_key = why.gone->same_root,
          .for_tokens = why.gone->for_tokens};
}

}  // namespace

std::optional<link::Explanation> Loop::explanation_of(const JobState& job) const {
  if (job.prompt_tokens - job.cached_tokens < kExplainedTokensMin) return std::nullopt;
  const std::span<const engine::Token> prompt = std::span(job.tokens).first(job.prompt_tokens);
  const cache::Explanation why = cache_.explain(job.cache_salt, prompt, job.cached_tokens);
  link::Explanation told{.known_tokens = why.known_tokens,
                         .line_tokens = why.line_tokens,
                         .beyond = static_cast<link::Beyond>(why.beyond),
                         .lost = static_cast<link::Lost>(why.lost)};
  if (why.gone) told.gone = gone_of(why);
  told.before = last_bytes(text_of(*tokenizer_, why.before));
  told.was = first_bytes(text_of(*tokenizer_, why.was));
  told.is = first_bytes(text_of(*tokenizer_, why.is));
  return told;
}

}  // namespace hearth::sched
