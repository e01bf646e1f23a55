// See turn_memory.h.
#include "chat/turn_memory.h"

#include <algorithm>
#include <cstring>
#include <format>
#include <set>
#include <utility>

#include "base/random.h"
#include "chat/turn_format.h"

namespace hearth::chat {
namespace {

// List and map nodes, the vectors' and strings' own words, about.
constexpr std::size_t kEntryOverheadBytes = 512;
constexpr std::size_t kKeyOverheadBytes = 96;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos; }

std::uint64_t hash_text(std::uint64_t seed, std::string_view text) {
  std::uint64_t hash = mix_u64(seed, text.size());
  for (; text.size() >= sizeof(std::uint64_t); text.remove_prefix(sizeof(std::uint64_t))) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof(word));
    hash = mix_u64(hash ^ word, 1);
  }
  std::uint64_t rest = 0;
  if (!text.empty()) std::memcpy(&rest, text.data(), text.size());
  return mix_u64(hash ^ rest, 2);
}

bool is_blank_block(const Block& block) {
  if (const auto* text = std::get_if<TextBlock>(&block)) return is_blank(text->text);
  if (const auto* thought = std::get_if<ThinkingBlock>(&block)) return is_blank(thought->text);
  return false;
}

std::string text_key(const Message& message, std::uint64_t before) {
  std::uint64_t hash = before;
  for (const Block& block : message.blocks) {
    if (const auto* text = std::get_if<TextBlock>(&block)) hash = hash_text(hash, text->text);
  }
  return std::format("t{:016x}", hash);
}

// Calls by their ids, thoughts by their signatures; only what has neither by its text.
std::vector<std::string> keys_of(const Message& message, std::uint64_t before) {
  std::vector<std::string> keys;
  for (const Block& block : message.blocks) {
    if (const auto* call = std::get_if<ToolUseBlock>(&block); call != nullptr && !call->id.empty())
      keys.push_back("c" + call->id);
    if (const auto* thought = std::get_if<ThinkingBlock>(&block); thought != nullptr && !thought->signature.empty())
      keys.push_back("s" + thought->signature);
  }
  if (keys.empty() && !std::ranges::all_of(message.blocks, is_blank_block)) keys.push_back(text_key(message, before));
  return keys;
}

std::size_t bytes_of(const Message& message) {
  std::size_t bytes = 0;
  for (const Block& block : message.blocks) {
    bytes += sizeof(Block);
    if (const auto* text = std::get_if<TextBlock>(&block)) bytes += text->text.size();
    if (const auto* thought = std::get_if<ThinkingBlock>(&block))
      bytes += thought->text.size() + thought->signature.size();
    // A JSON tree takes about three times its text.
    if (const auto* call = std::get_if<ToolUseBlock>(&block))
      bytes += call->id.size() + call->name.size() + 3 * call->input.dump().size();
  }
  return bytes;
}

}  // namespace

SampledTurn make_sampled_turn(TurnOpening kind, std::string opening, std::vector<std::int32_t> tokens,
                              std::string_view text, Message message, const SpecialTexts& specials) {
  std::erase_if(message.blocks, is_blank_block);
  SampledTurn turn{.opening_kind = kind,
                   .opening = std::move(opening),
                   .tokens = std::move(tokens),
                   .message = std::move(message),
                   .trailing_specials = {},
                   .specials = {}};
  std::set<std::string> all;
  for (std::size_t at = 0; at < text.size();) {
    const auto index = specials.longest_at(text, at);
    if (index) {
      const std::string& special = specials[*index];
      turn.trailing_specials.push_back(special);
      all.insert(special);
      at += special.size();
    } else {
      if (!is_blank(text.substr(at, 1))) turn.trailing_specials.clear();
      ++at;
    }
  }
  turn.specials.assign(all.begin(), all.end());
  return turn;
}

std::uint64_t said_hash(std::uint64_t before, const Message& message) {
  std::uint64_t hash = mix_u64(before, static_cast<std::uint64_t>(message.role) + 1);
  for (const Block& block : message.blocks) {
    const std::uint64_t kind = mix_u64(hash, block.index());
    if (const auto* text = std::get_if<TextBlock>(&block)) hash = hash_text(kind, text->text);
    if (const auto* call = std::get_if<ToolUseBlock>(&block)) hash = hash_text(kind, call->id);
    if (const auto* result = std::get_if<ToolResultBlock>(&block))
      hash = hash_text(hash_text(kind, result->tool_use_id), result->text);
  }
  return hash;
}

void TurnMemory::remember(SampledTurn turn, std::uint64_t before) {
  std::vector<std::string> keys = keys_of(turn.message, before);
  const std::lock_guard lock(mutex_);
  add_locked(std::move(turn), std::move(keys));
}

void TurnMemory::add_locked(SampledTurn turn, std::vector<std::string> keys) {
  if (keys.empty() || turn.tokens.empty()) return;
  std::size_t bytes =
      kEntryOverheadBytes + turn.opening.size() + turn.tokens.size() * sizeof(turn.tokens[0]) + bytes_of(turn.message);
  for (const std::string& key : keys) bytes += key.size() + kKeyOverheadBytes;
  if (bytes > limits_.bytes_max || limits_.turns_max == 0) return;
  for (const std::string& key : keys) {
    if (const auto known = by_key_.find(key); known != by_key_.end()) drop_locked(known->second);
  }
  while (entries_.size() >= limits_.turns_max || bytes_ + bytes > limits_.bytes_max)
    drop_locked(std::prev(entries_.end()));
  bytes_ += bytes;
  entries_.push_front({std::make_shared<const SampledTurn>(std::move(turn)), std::move(keys), bytes});
  for (const std::string& key : entries_.front().keys) by_key_.emplace(key, entries_.begin());
}

void TurnMemory::drop_locked(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  for (const std::string& key : entry->keys) by_key_.erase(key);
  entries_.erase(entry);
}

TurnMemory::Found TurnMemory::find(const Message& replayed, std::uint64_t before, const std::vector<Tool>& tools) {
  if (replayed.role != Role::Assistant) return nullptr;
  const std::vector<std::string> keys = keys_of(replayed, before);
  Found turn;
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find_if(keys, [&](const std::string& key) { return by_key_.contains(key); });
    if (known == keys.end()) return nullptr;
    const auto entry = by_key_.find(*known)->second;
    entries_.splice(entries_.begin(), entries_, entry);
    turn = entry->turn;
  }
  return same_turn(turn->message, replayed, tools) ? turn : nullptr;
}

std::size_t TurnMemory::turn_count() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::size_t TurnMemory::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::string TurnMemory::save(std::string_view scope) const {
  TurnWriter writer(scope);
  const std::lock_guard lock(mutex_);
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) writer.add(*entry->turn, entry->keys);
  return std::move(writer).finish();
}

Result<void> TurnMemory::load(std::string_view scope, std::string_view saved) {
  TRY_ASSIGN(std::vector<SavedTurn> turns, read_turns(scope, saved));
  const std::lock_guard lock(mutex_);
  for (SavedTurn& saved_turn : turns) add_locked(std::move(saved_turn.turn), std::move(saved_turn.keys));
  return {};
}

}  // namespace hearth::chat
