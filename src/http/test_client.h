// For tests only: a blocking HTTP client on a raw socket that can misbehave; its longer bodies are in client_test.cpp.
// Every wait ends after kWaitSeconds, so a fault is a failed test and not a hang.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace hearth::http {

inline constexpr int kWaitSeconds = 20;

class TestClient {
 public:
  struct Answer {
    int status = 0;                              // 0: the connection ended before a whole head
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    bool complete = false;  // the body came to its end
  };

  explicit TestClient(std::uint16_t port, int receive_buffer_bytes = 0);
  TestClient(TestClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), connected_(other.connected_), read_(std::move(other.read_)) {}
  TestClient(const TestClient&) = delete;
  ~TestClient() { close(); }

  [[nodiscard]] bool connected() const { return connected_; }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  bool get(std::string_view path, std::string_view headers = "") {
    return send("GET " + std::string(path) + " HTTP/1.1\r\nhost: test\r\n" + std::string(headers) + "\r\n");
  }
  bool post(std::string_view path, std::string_view body) {
    return send("POST " + std::string(path) +
                " HTTP/1.1\r\nhost: test\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n") &&
           send(body);
  }

  // More bytes into the buffer; false at the end of the connection, a reset or a time-out.
  bool read_more() {
    char bytes[16 * 1024];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    read_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }
  // Everything up to and with `mark`, or what came before the end.
  std::string read_until(std::string_view mark) {
    std::size_t at = 0;
    while ((at = read_.find(mark)) == std::string::npos)
      if (!read_more()) return std::exchange(read_, {});
    return take(at + mark.size());
  }
  std::string read_to_end() {
    while (read_more()) {
    }
    return std::exchange(read_, {});
  }
  // True when the other side has closed in order (no reset) with nothing more to read.
  bool at_end() {
    char byte = 0;
    return read_.empty() && ::recv(socket_, &byte, 1, 0) == 0;
  }

  Answer read_head();
  // Head and body, however it is framed.
  Answer read_answer();
  // The next chunk's bytes; empty at the last one (then `complete`) or at a cut.
  std::string read_chunk(bool& complete);

  void shutdown_send() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  // A reset instead of an orderly end.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  [[nodiscard]] int socket() const { return socket_; }

 private:
  std::string take(std::size_t count) {
    std::string front = read_.substr(0, count);
    read_.erase(0, count);
    return front;
  }

  int socket_ = -1;
  bool connected_ = false;
  std::string read_;
};

}  // namespace hearth::http
