// See loop_detector.h.
#include "chat/loop_detector.h"

#include <algorithm>
#include <utility>

namespace hearth::chat {
namespace {

// Some 2,000 tokens of nothing new: an answer's longest table rule or row of zeros stays far below.
constexpr std::uint64_t kSpeechBytes = 8192;
constexpr std::uint64_t kArgumentBytes = 65536;
// A piece must come this often: a paragraph quoted a few times is no loop.
constexpr std::uint64_t kRepeatsMin = 8;
// Of 2,048 phrases: real lists of that length hold hundreds.
constexpr std::size_t kDistinctPhrasesMax = 40;
constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15ULL;

}  // namespace

Loop LoopDetector::feed(std::string_view text, LoopPlace place) {
  // Speech does not go on with the repetition of a file, nor a file with that of speech.
  if (!text.empty() && place != std::exchange(place_, place)) period_ = matched_ = 0;
  for (const char c : text) {
    if (loop_ != Loop::None) break;
    feed(c, place);
    if (matched_ >= kSpeechBytes && exact(place)) loop_ = Loop::Exact;
    if (place == LoopPlace::Speech && word_count_ >= kWords && distinct_ <= kDistinctPhrasesMax) loop_ = Loop::Near;
  }
  return loop_;
}

bool LoopDetector::exact(LoopPlace place) const {
  const std::uint64_t bytes = place == LoopPlace::Speech ? kSpeechBytes : kArgumentBytes;
  return matched_ >= std::max(bytes, kRepeatsMin * period_);
}

void LoopDetector::feed(char c, LoopPlace place) {
  const auto at = [this](std::uint64_t index) { return window_[index % kWindowBytes]; };
  window_[count_ % kWindowBytes] = c;
  // A window's worth back a byte is lost: the hash takes the last bytes only by forgetting through its shifts.
  gram_ = (gram_ << 4U) ^ (static_cast<unsigned char>(c) * kPrime);
  if (period_ != 0 && c == at(count_ - period_)) {
    ++matched_;
  } else {
    period_ = matched_ = 0;
    if (count_ >= kGramBytes) {
      const std::uint64_t seen = gram_at_[(gram_ * kPrime) >> 52U];
      const std::uint64_t distance = count_ + 1 - seen;
      if (seen != 0 && distance < kWindowBytes / 2) {
        std::uint64_t same = 0;
        while (same < kGramBytes && at(count_ - same) == at(count_ - distance - same)) ++same;
        if (same == kGramBytes) {
          period_ = distance;
          matched_ = same;
        }
      }
    }
  }
  ++count_;
  gram_at_[(gram_ * kPrime) >> 52U] = count_;
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  const bool digit = c >= '0' && c <= '9';
  if (letter || digit) {
    word_has_letter_ = word_has_letter_ || letter;
    word_ = (word_ ^ static_cast<unsigned char>(digit ? '0' : c)) * 16777619U;
  } else {
    end_word(place);
  }
}

void LoopDetector::end_word(LoopPlace place) {
  const bool counts = word_has_letter_ && place == LoopPlace::Speech;
  const std::uint32_t word = word_;
  word_ = 2166136261U;
  word_has_letter_ = false;
  if (!counts) return;
  std::ranges::rotate(last_words_, last_words_.begin() + 1);
  last_words_.back() = word;
  std::uint32_t phrase = 0;
  for (const std::uint32_t one : last_words_) phrase = (phrase ^ one) * 16777619U;
  const auto bucket = static_cast<std::uint16_t>((phrase >> 7U) % kBuckets);
  std::uint16_t& slot = phrases_[word_count_ % kWords];
  if (word_count_ >= kWords && --phrase_counts_[slot] == 0) --distinct_;
  slot = bucket;
  if (phrase_counts_[bucket]++ == 0) ++distinct_;
  ++word_count_;
}

}  // namespace hearth::chat
