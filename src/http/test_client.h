// For tests only: a blocking HTTP client on a raw socket that can misbehave, and a server with its words for errors.
// Every wait ends after kWaitSeconds, so a fault is a failed test and not a hang.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "http/http.h"

namespace hearth::http {

inline constexpr int kWaitSeconds = 20;

class TestClient {
 public:
  struct Answer {
    int status = 0;  // 0: the connection ended before a whole head
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    bool complete = false;  // the body came to its end
  };

  explicit TestClient(std::uint16_t port, int receive_buffer_bytes = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    const timeval limit{kWaitSeconds, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
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
    return send("POST " + std::string(path) + " HTTP/1.1\r\nhost: test\r\ncontent-length: " + std::to_string(body.size()) +
                "\r\n\r\n") &&
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

  Answer read_head() {
    Answer answer;
    const std::string head = read_until("\r\n\r\n");
    if (!head.ends_with("\r\n\r\n") || !head.starts_with("HTTP/1.1 ")) return answer;
    answer.status = std::atoi(head.c_str() + 9);
    for (std::size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
      const std::size_t end = head.find("\r\n", at);
      const std::size_t colon = head.find(": ", at);
      answer.headers[head.substr(at, colon - at)] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    return answer;
  }
  Answer read_answer() {
    Answer answer = read_head();
    if (answer.headers.contains("content-length")) {
      const std::size_t size = std::strtoull(answer.headers["content-length"].c_str(), nullptr, 10);
      while (read_.size() < size && read_more()) {
      }
      answer.complete = read_.size() >= size;
      answer.body = take(std::min(size, read_.size()));
    } else if (answer.headers.contains("transfer-encoding")) {
      for (;;) {
        const std::string chunk = read_chunk(answer.complete);
        if (chunk.empty()) break;
        answer.body += chunk;
      }
    } else if (answer.status != 0 && answer.headers["connection"] == "close") {
      answer.body = read_to_end();
      answer.complete = true;
    }
    return answer;
  }
  // The next chunk's bytes; empty at the last one (then `complete`) or at a cut.
  std::string read_chunk(bool& complete) {
    const std::string line = read_until("\r\n");
    complete = false;
    if (!line.ends_with("\r\n")) return "";
    const std::size_t size = std::strtoull(line.c_str(), nullptr, 16);
    while (read_.size() < size + 2)
      if (!read_more()) return "";
    std::string chunk = take(size + 2);
    if (!chunk.ends_with("\r\n")) return "";
    complete = size == 0;
    return chunk.substr(0, size);
  }

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

// Counts things that happen on other threads, and waits for them.
class Counter {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  [[nodiscard]] bool reaches(int wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(kWaitSeconds), [&] { return count_ >= wanted; });
  }
  [[nodiscard]] int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

inline Response test_error(int status, std::string_view message) {
  return {status, {{"content-type", "text/plain"}}, std::string(message)};
}

inline std::unique_ptr<Server> start_server(Server::Handler handler, Limits limits = {}) {
  auto server = Server::start({.host = "127.0.0.1", .port = 0, .workers = 2, .limits = limits}, std::move(handler), test_error);
  REQUIRE_MESSAGE(server.has_value(), (server ? "" : server.error().message));
  return std::move(*server);
}

// Answers with the request's own body, or its method and path when it has none.
inline void echo(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  exchange->respond({200, {}, request.body.empty() ? request.method + " " + request.path : request.body});
}

}  // namespace hearth::http
