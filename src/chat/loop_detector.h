// LoopDetector: notices when a model repeats itself without end. Exact: the text's end is one piece over and over. Near: a
// long run of words is made of the same few, whatever the numbers between them. Conservative: tables, generated code and
// long lists must pass. Fed by byte, so how the text is cut does not matter. Owned by one stream, one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::chat {

enum class Loop { None, Exact, Near };
// Files may repeat themselves more than speech does.
enum class LoopPlace { Speech, Arguments };

class LoopDetector {
 public:
  // Once not None, the same ever after.
  [[nodiscard]] Loop feed(std::string_view text, LoopPlace place);

 private:
  void feed(char c, LoopPlace place);
  void end_word(LoopPlace place);
  [[nodiscard]] bool exact(LoopPlace place) const;

  // The last bytes: a longer piece that repeats is found by its words, or not at all.
  static constexpr std::size_t kWindowBytes = 8192;
  static constexpr std::size_t kGramBytes = 16;
  static constexpr std::size_t kWords = 2048;
  static constexpr std::size_t kBuckets = 4096;

  Loop loop_ = Loop::None;
  LoopPlace place_ = LoopPlace::Speech;
  std::array<char, kWindowBytes> window_{};
  std::uint64_t count_ = 0;                        // bytes ever
  std::uint64_t period_ = 0;                       // of the repetition in hand; 0 = none
  std::uint64_t matched_ = 0;                      // bytes that repeated with it
  std::uint64_t gram_ = 0;                         // hash of the last bytes
  std::array<std::uint64_t, kBuckets> gram_at_{};  // where a hash was seen last, plus one
  // Words of speech with a letter in them: a file's say nothing about the speech behind it. A number is the same as any other number.
  std::uint32_t word_ = 0;
  bool word_has_letter_ = false;
  std::array<std::uint32_t, 4> last_words_{};
  std::array<std::uint16_t, kWords> phrases_{};  // buckets of the last phrases of four words
  std::array<std::uint16_t, kBuckets> phrase_counts_{};
  std::uint64_t word_count_ = 0;
  std::size_t distinct_ = 0;  // phrases in the window
};

}  // namespace hearth::chat
