// TurnMemory: what our own turns were made of, token by token. Clients send a turn back re-written (keys of a tool's input
// in another order, defaults added, blanks lost); written from the remembered tokens instead, the next prompt extends the
// very state that the turn left behind. Found again by the ids of its calls and the signatures of its thoughts, or, when
// it is nothing but text, by that text and all that was said before it. What does not match is not found.
// Bounded; what was used longest ago goes first. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"
#include "chat/special_guard.h"

namespace hearth::chat {

// What stands between the last thing said and the first sampled token.
enum class TurnOpening : std::uint8_t {
  Suffix,  // the template's generation suffix: "<|im_start|>assistant\n"
  Tail,    // no suffix: the last special text and the blanks around it
};

struct SampledTurn {
  TurnOpening opening_kind = TurnOpening::Suffix;
  std::string opening;
  std::vector<std::int32_t> tokens;  // as sampled, without the one that ended the turn
  Message message;                   // as the client was given it, without blank blocks
  // Of the text of `tokens`: special texts are where a rendered turn is told from what surrounds it.
  std::vector<std::string> trailing_specials;  // it ends with these, blanks aside
  std::vector<std::string> specials;           // it holds these, each named once, sorted
};

// `text`: what `tokens` say, special tokens spelled out. Blank blocks of `message` are dropped.
[[nodiscard]] SampledTurn make_sampled_turn(TurnOpening kind, std::string opening, std::vector<std::int32_t> tokens,
                                            std::string_view text, Message message, const SpecialTexts& specials);

// Of all that was said up to and with `message`, given that of all before it; 0 at the beginning. Leaves out what clients
// rewrite: the input of a call (its id is there) and thoughts.
[[nodiscard]] std::uint64_t said_hash(std::uint64_t before, const Message& message);

// Whether `replayed` is `sampled` as clients send it back: texts and signed thoughts byte for byte, calls with their ids,
// their inputs but for the order of keys, members added with the value their schema names as default, and texts that
// became the number, boolean, list or object they spell.
[[nodiscard]] bool same_turn(const Message& sampled, const Message& replayed, const std::vector<Tool>& tools);

class TurnMemory {
 public:
  struct Limits {
    // A turn of an agent is about 300 tokens: some ten thousand turns, more than months of one person's work touch again.
    std::size_t bytes_max = std::size_t{64} << 20;
    std::size_t turns_max = 16384;
  };
  using Found = std::shared_ptr<const SampledTurn>;

  TurnMemory() : TurnMemory(Limits()) {}
  explicit TurnMemory(Limits limits) : limits_(limits) {}

  // `before`: said_hash of what the turn answered. A turn with nothing to find it by is not kept.
  void remember(SampledTurn turn, std::uint64_t before);
  // The turn that `replayed` is, or nullptr.
  [[nodiscard]] Found find(const Message& replayed, std::uint64_t before, const std::vector<Tool>& tools);

  [[nodiscard]] std::size_t turn_count() const;
  [[nodiscard]] std::size_t bytes() const;

  // All turns as bytes (docs/turn-memory-format.md). `scope` names the model and template: tokens mean nothing elsewhere.
  [[nodiscard]] std::string save(std::string_view scope) const;
  // Adds the saved turns. InvalidInput, and nothing added, for bytes that are damaged, of another version or scope.
  [[nodiscard]] Result<void> load(std::string_view scope, std::string_view saved);

 private:
  struct Entry {
    Found turn;
    std::vector<std::string> keys;
    std::size_t bytes = 0;
  };
  using Entries = std::list<Entry>;
  void add_locked(SampledTurn turn, std::vector<std::string> keys);
  void drop_locked(Entries::iterator entry);

  const Limits limits_;
  mutable std::mutex mutex_;
  Entries entries_;                                            // the one used last in front; guarded by mutex_
  std::unordered_map<std::string, Entries::iterator> by_key_;  // guarded by mutex_
  std::size_t bytes_ = 0;                                      // guarded by mutex_
};

}  // namespace hearth::chat
