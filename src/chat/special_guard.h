// SpecialGuard: keeps conversation text from ever becoming a control token. Before rendering, each special text that
// stands in the conversation is replaced by a mark no one can guess; after rendering, the marks tell where the special
// text must be tokenised as plain text. Guard: one per render. SpecialTexts: immutable, shared by all threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hearth::chat {

// The special texts of a vocabulary, sorted for search in one pass over a text.
class SpecialTexts {
 public:
  // Single characters and white space (some vocabularies list runs of spaces) control nothing and are left out.
  explicit SpecialTexts(const std::vector<std::string>& texts);

  // The longest special text that begins at text[at].
  [[nodiscard]] std::optional<std::uint32_t> longest_at(std::string_view text, std::size_t at) const;
  [[nodiscard]] const std::string& operator[](std::uint32_t index) const { return texts_[index]; }
  [[nodiscard]] bool empty() const { return texts_.empty(); }

  // `text` in pieces, none of which holds a special text: each that stands in it is cut after its first character.
  [[nodiscard]] std::vector<std::string_view> cut(std::string_view text) const;

 private:
  std::vector<std::string> texts_;               // sorted
  std::array<std::uint32_t, 257> first_byte_{};  // texts_[first_byte_[b], first_byte_[b + 1]) begin with byte b
};

class SpecialGuard {
 public:
  // A stretch of rendered text, or one special text (or the end mark) that stood in the conversation.
  struct Part {
    std::string_view text;  // into the rendered text, or into the SpecialTexts
    bool from_mark = false;
  };

  explicit SpecialGuard(const SpecialTexts& specials);

  [[nodiscard]] std::string mask(std::string_view text) const;
  [[nodiscard]] Json mask_json(const Json& value) const;  // strings and keys, at any depth
  // A mark that stands for nothing: where it comes out, the rendered text is cut off.
  [[nodiscard]] std::string end_mark() const;
  // Marks that come out as <think> and </think> of the template's own: for thoughts that we write in its stead.
  [[nodiscard]] std::string think_open_mark() const;
  [[nodiscard]] std::string think_close_mark() const;

  // The rendered text in parts. Lives as long as `rendered` and the SpecialTexts.
  [[nodiscard]] std::vector<Part> split(std::string_view rendered) const;

 private:
  [[nodiscard]] std::string mark(std::uint32_t index) const;

  const SpecialTexts& specials_;
  std::string nonce_;
};

}  // namespace hearth::chat
