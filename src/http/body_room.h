// BodyRoom: how many bytes of one request's body are held, counted into what all requests of a server hold, from their arrival until
// the body is dropped. Without it each of thousands of connections could leave a body of the largest size here.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace hearth::http {

class BodyRoom {
 public:
  using Total = std::shared_ptr<std::atomic<std::size_t>>;
  explicit BodyRoom(Total total) : total_(std::move(total)) {}
  ~BodyRoom() { *total_ -= bytes_; }  // by whichever thread drops the body
  BodyRoom(const BodyRoom&) = delete;
  BodyRoom& operator=(const BodyRoom&) = delete;

  // False: all together would be over `most`. The I/O thread's.
  [[nodiscard]] bool take(std::size_t bytes, std::size_t most) {
    bytes_ += bytes;
    return (*total_ += bytes) <= most;
  }

 private:
  const Total total_;
  std::size_t bytes_ = 0;
};

}  // namespace hearth::http
