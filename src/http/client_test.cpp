// The bodies of the tests' HTTP client, and a test that it sees a cut as one.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstdlib>

#include "http/test_server.h"

namespace hearth::http {

TestClient::TestClient(std::uint16_t port, int receive_buffer_bytes) {
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

TestClient::Answer TestClient::read_head() {
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

TestClient::Answer TestClient::read_answer() {
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

std::string TestClient::read_chunk(bool& complete) {
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

TEST_CASE("a whole answer is told from a cut one") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin_stream(200, {});
    exchange->write("x");
    exchange->request().path == "/whole" ? exchange->finish() : exchange->abort();
  });
  for (const bool whole : {true, false}) {
    TestClient client(server->port());
    client.get(whole ? "/whole" : "/cut");
    CHECK(client.read_answer().complete == whole);
  }
}

}  // namespace hearth::http
