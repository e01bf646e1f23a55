// Outgoing: bytes waiting for the kernel, in order. Small pieces are joined so that one system call carries a burst of
// events; large ones are moved, never copied. I/O thread only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::http {

class Outgoing {
 public:
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (pieces_.empty() || pieces_.back().size() + bytes.size() > kJoinedBytesMax) pieces_.emplace_back();
    pieces_.back().append(bytes);
    bytes_ += bytes.size();
  }
  void append(std::string&& bytes) {
    if (bytes.size() <= kJoinedBytesMax / 4) return append(std::string_view(bytes));
    bytes_ += bytes.size();
    pieces_.push_back(std::move(bytes));
  }

  [[nodiscard]] bool empty() const { return bytes_ == 0; }
  [[nodiscard]] std::size_t size() const { return bytes_; }

  // The front of what waits, at most `count_max` pieces; valid until the next append or consume.
  template <class Visit>
  void visit_front(std::size_t count_max, Visit visit) const {
    for (std::size_t i = first_; i < pieces_.size() && i - first_ < count_max; ++i)
      visit(std::string_view(pieces_[i]).substr(i == first_ ? taken_ : 0));
  }

  // REQUIRES: bytes <= size().
  void consume(std::size_t bytes) {
    bytes_ -= bytes;
    while (bytes > 0) {
      const std::size_t left = pieces_[first_].size() - taken_;
      if (bytes < left) {
        taken_ += bytes;
        return;
      }
      bytes -= left;
      taken_ = 0;
      std::string().swap(pieces_[first_++]);  // the memory goes back now, not when all is sent
    }
    if (bytes_ == 0) return clear();
    if (first_ < kSentPiecesMax) return;
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }

  void clear() {
    pieces_.clear();
    first_ = taken_ = bytes_ = 0;
  }

 private:
  static constexpr std::size_t kJoinedBytesMax = 16 * 1024;  // about what one send takes cheaply
  static constexpr std::size_t kSentPiecesMax = 64;          // emptied places kept before the rest moves up

  std::vector<std::string> pieces_;  // [first_, size) wait; [0, first_) are sent and empty
  std::size_t first_ = 0;
  std::size_t taken_ = 0;  // bytes of pieces_[first_] that are sent
  std::size_t bytes_ = 0;
};

}  // namespace hearth::http
