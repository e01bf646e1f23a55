// ExchangeState: what both halves of an exchange (exchange.h) see without a lock: whether it is over, and its unsent bytes:
// in the mailbox and, with their framing, in Turn::out(). They count for the exchange and for all exchanges of the server.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace hearth::http {

class ExchangeState {
 public:
  enum class End { Open, Complete, ClientGone };
  using Total = std::shared_ptr<std::atomic<std::size_t>>;

  explicit ExchangeState(Total total) : total_(std::move(total)) {}
  ~ExchangeState() { *total_ -= unsent_bytes_; }
  ExchangeState(const ExchangeState&) = delete;
  ExchangeState& operator=(const ExchangeState&) = delete;
  void add(std::size_t bytes) {
    unsent_bytes_ += bytes;
    *total_ += bytes;
  }
  void take(std::size_t bytes) {
    unsent_bytes_ -= bytes;
    *total_ -= bytes;
  }
  [[nodiscard]] std::size_t unsent_bytes() const { return unsent_bytes_; }
  [[nodiscard]] std::size_t unsent_bytes_of_all() const { return *total_; }

  std::atomic<End> end{End::Open};

 private:
  const Total total_;
  std::atomic<std::size_t> unsent_bytes_{0};
};

}  // namespace hearth::http
