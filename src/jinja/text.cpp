// Text: one source costs nothing; the first foreign byte turns it into runs. Used by one thread.
#include "jinja/text.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "jinja/refusal.h"

namespace hearth::jinja {

Text::Text(std::string bytes, Source source) : bytes_(std::move(bytes)), source_(source) {
  if (bytes_.size() > kTextBytesMax) refuse_limit("a text is larger than 64 MiB");
}

Source Text::source_at(std::size_t at) const {
  if (runs_.empty()) return bytes_.empty() ? kTemplateSource : source_;
  const auto run = std::ranges::upper_bound(runs_, at, {}, &Run::end);
  return run == runs_.end() ? runs_.back().source : run->source;
}

std::vector<Run> Text::runs() const {
  if (bytes_.empty()) return {};
  if (!runs_.empty()) return runs_;
  return {Run{static_cast<std::uint32_t>(bytes_.size()), source_}};
}

void Text::reserve_for(std::size_t more) const {
  if (more > kTextBytesMax || bytes_.size() + more > kTextBytesMax) refuse_limit("a text grew past 64 MiB");
}

// `count` bytes from `source` are about to be appended.
void Text::mark(std::size_t count, Source source) {
  if (count == 0) return;
  if (bytes_.empty()) {
    source_ = source;
    runs_.clear();
    return;
  }
  const auto end = static_cast<std::uint32_t>(bytes_.size() + count);
  if (runs_.empty()) {
    if (source == source_) return;
    runs_.push_back({static_cast<std::uint32_t>(bytes_.size()), source_});
  }
  if (runs_.back().source == source) {
    runs_.back().end = end;
  } else {
    runs_.push_back({end, source});
  }
}

void Text::append(std::string_view bytes, Source source) {
  reserve_for(bytes.size());
  mark(bytes.size(), source);
  bytes_ += bytes;
}

void Text::append_repeated(std::string_view bytes, std::size_t count, Source source) {
  if (bytes.empty() || count == 0) return;
  if (count > kTextBytesMax) refuse_limit("a text grew past 64 MiB");
  reserve_for(bytes.size() * count);
  mark(bytes.size() * count, source);
  if (bytes.size() == 1) {
    bytes_.append(count, bytes.front());
    return;
  }
  for (std::size_t i = 0; i < count; ++i) bytes_ += bytes;
}

void Text::append(const Text& other, std::size_t begin, std::size_t end) {
  DCHECK(begin <= end && end <= other.size());
  if (begin == end) return;
  const std::string_view all = other.view();
  if (other.runs_.empty()) {
    append(all.substr(begin, end - begin), other.source_);
    return;
  }
  auto run = std::ranges::upper_bound(other.runs_, begin, {}, &Run::end);
  for (std::size_t at = begin; at < end; ++run) {
    const std::size_t stop = std::min<std::size_t>(run->end, end);
    append(all.substr(at, stop - at), run->source);
    at = stop;
  }
}

Text Text::slice(std::size_t begin, std::size_t end) const {
  Text part;
  part.append(*this, begin, end);
  return part;
}

}  // namespace hearth::jinja
