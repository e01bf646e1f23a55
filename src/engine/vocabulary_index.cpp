// See vocabulary_index.h.
#include "engine/vocabulary_index.h"

#include <algorithm>

namespace hearth::engine {

VocabularyIndex::VocabularyIndex(const Tokenizer& tokenizer, std::uint32_t vocabulary_count)
    : places_(vocabulary_count) {
  for (Token token = 0; token < static_cast<Token>(vocabulary_count); ++token) {
    const std::string piece = tokenizer.piece(token);
    Place& place = places_[token];
    place = {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(piece.size()),
             tokenizer.is_end_of_generation(token)};
    bytes_ += piece;
    if (place.ends) endings_.push_back(token);
    if (!piece.empty() && !place.ends) entries_.push_back({token, place.begin, place.size, 0});
    if (piece.empty() && !place.ends) controls_.push_back(token);
    if (!piece.empty() && !place.ends) continue;
    std::string text = tokenizer.shown(token);
    if (!text.empty()) control_texts_.push_back({std::move(text), token});
  }
  std::ranges::sort(entries_, [this](const Entry& a, const Entry& b) {
    const auto order = bytes(a).compare(bytes(b));
    return order < 0 || (order == 0 && a.token < b.token);
  });
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    const std::string_view before = bytes(entries_[i - 1]);
    const std::string_view here = bytes(entries_[i]);
    const auto apart = std::ranges::mismatch(before, here);
    entries_[i].in_common = static_cast<std::uint32_t>(apart.in2 - here.begin());
  }
}

}  // namespace hearth::engine
