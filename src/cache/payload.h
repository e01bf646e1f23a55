// Payload: the bytes of a block or an anchor, wherever they are: in memory, on the disk, or in memory on their way to the disk.
// A tier counts what it takes in that tier.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "store/record.h"

namespace hearth::cache {

class Payload {
 public:
  Payload() = default;
  // In memory. Implicit: bytes are a payload.
  Payload(std::vector<std::uint8_t>&& bytes) {
    if (bytes.capacity() > bytes.size() + bytes.size() / 8)
      bytes.shrink_to_fit();  // what is kept is what the books say
    bytes_ = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
    size_ = bytes_->size();
  }
  // In memory, shared with another tier.
  explicit Payload(std::shared_ptr<const std::vector<std::uint8_t>> bytes)
      : bytes_(std::move(bytes)), size_(bytes_->size()) {}
  // On the disk.
  explicit Payload(const store::Place& place) : place_(place), size_(place.stored_bytes + store::kRecordHeaderBytes) {}

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Empty when they are on the disk only.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    return bytes_ ? std::span(*bytes_) : std::span<const std::uint8_t>();
  }
  [[nodiscard]] const std::shared_ptr<const std::vector<std::uint8_t>>& shared() const { return bytes_; }
  [[nodiscard]] const std::optional<store::Place>& place() const { return place_; }

 private:
  std::shared_ptr<const std::vector<std::uint8_t>> bytes_;
  std::optional<store::Place> place_;
  std::uint64_t size_ = 0;
};

}  // namespace hearth::cache
