// SpecialTexts: the texts of a vocabulary's special tokens, found in one pass over a text. What conversation text must
// never become. Immutable, shared by all threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::chat {

// The special texts of a vocabulary, sorted for search in one pass over a text.
class SpecialTexts {
 public:
  // Single characters and white space (some vocabularies list runs of spaces) control nothing and are left out.
  explicit SpecialTexts(const std::vector<std::string>& texts);

  // The longest special text that begins at text[at].
  [[nodiscard]] std::optional<std::uint32_t> longest_at(std::string_view text, std::size_t at) const;
  // Whether any begins with this byte: what most bytes of a text are asked.
  [[nodiscard]] bool may_begin(char byte) const {
    const auto first = static_cast<unsigned char>(byte);
    return first_byte_[first] < first_byte_[first + 1U];
  }
  [[nodiscard]] const std::string& operator[](std::uint32_t index) const { return texts_[index]; }
  [[nodiscard]] bool empty() const { return texts_.empty(); }

  // `text` in pieces, none of which holds a special text: each that stands in it is cut after its first character.
  [[nodiscard]] std::vector<std::string_view> cut(std::string_view text) const;

 private:
  std::vector<std::string> texts_;               // sorted
  std::array<std::uint32_t, 257> first_byte_{};  // texts_[first_byte_[b], first_byte_[b + 1]) begin with byte b
};

}  // namespace hearth::chat
