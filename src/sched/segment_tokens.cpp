// See segment_tokens.h.
#include "sched/segment_tokens.h"

namespace hearth::sched {
namespace {

// Shorter text is tokenised faster than it is looked up.
constexpr std::size_t kTextBytesMin = 32;
// List and map nodes, about.
constexpr std::size_t kEntryOverheadBytes = 160;

}  // namespace

std::size_t SegmentTokens::bytes_of(const Entry& entry) {
  return entry.key.size() + entry.tokens.size() * sizeof(engine::Token) + kEntryOverheadBytes;
}

const std::vector<engine::Token>& SegmentTokens::tokens(const engine::Tokenizer& tokenizer, std::string_view text,
                                                        bool parse_special) {
  if (text.size() < kTextBytesMin) {
    passed_ = tokenizer.tokenize(text, parse_special);
    return passed_;
  }
  key_.assign(1, parse_special ? 'S' : 'T');
  key_ += text;
  if (const auto known = by_key_.find(key_); known != by_key_.end()) {
    ++hit_count_;
    entries_.splice(entries_.begin(), entries_, known->second);
    return entries_.front().tokens;
  }
  Entry entry{.key = key_, .tokens = tokenizer.tokenize(text, parse_special)};
  const std::size_t entry_bytes = bytes_of(entry);
  if (entry_bytes > bytes_max_) {
    passed_ = std::move(entry.tokens);
    return passed_;
  }
  while (bytes_ + entry_bytes > bytes_max_) {
    bytes_ -= bytes_of(entries_.back());
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  bytes_ += entry_bytes;
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front().key, entries_.begin());
  return entries_.front().tokens;
}

}  // namespace hearth::sched
