// Text: a string whose every byte knows where it came from: the template, or one of the strings it was given. Plain values:
// copy, move. What is built from several texts keeps the origin of each part. No Text grows past kTextBytesMax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::jinja {

// Where bytes came from; what a number above 0 stands for is the caller's business (template.h).
using Source = std::uint32_t;
inline constexpr Source kTemplateSource = 0;

// A prompt of 64 MiB is over every context window; a string that is larger is a template gone wild.
inline constexpr std::size_t kTextBytesMax = std::size_t{64} << 20;

// A stretch of bytes from one source; it begins where the one before it ends.
struct Run {
  std::uint32_t end = 0;
  Source source = kTemplateSource;
  friend bool operator==(const Run&, const Run&) = default;
};

class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, Source source = kTemplateSource);
  explicit Text(std::string_view bytes, Source source = kTemplateSource) : Text(std::string(bytes), source) {}
  explicit Text(const char* bytes) : Text(std::string(bytes)) {}

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::string_view view() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  // REQUIRES: at < size(), or an empty text (which counts as the template's).
  [[nodiscard]] Source source_at(std::size_t at) const;
  // Ascending, the last one ends at size(); empty for an empty text; neighbours differ in source.
  [[nodiscard]] std::vector<Run> runs() const;

  // Each refuses (refusal.h) when the text would grow past kTextBytesMax.
  void append(std::string_view bytes, Source source = kTemplateSource);
  void append(const Text& other) { append(other, 0, other.size()); }
  void append(const Text& other, std::size_t begin, std::size_t end);
  void append_repeated(std::string_view bytes, std::size_t count, Source source = kTemplateSource);
  // The bytes [begin, end). REQUIRES: begin <= end <= size().
  [[nodiscard]] Text slice(std::size_t begin, std::size_t end) const;

  [[nodiscard]] std::string take_bytes() && { return std::move(bytes_); }

 private:
  void reserve_for(std::size_t more) const;
  void mark(std::size_t count, Source source);

  std::string bytes_;
  std::vector<Run> runs_;  // empty: all of it is from source_
  Source source_ = kTemplateSource;
};

}  // namespace hearth::jinja
