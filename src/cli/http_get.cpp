// See http_get.h. HTTP/1.0, so that the answer is never chunked.
#include "cli/http_get.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <format>
#include <memory>

namespace hearth::cli {
namespace {

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // macOS: SO_NOSIGPIPE on the socket does it
#endif

struct Socket {
  int descriptor = -1;
  explicit Socket(int opened) : descriptor(opened) {}
  ~Socket() {
    if (descriptor >= 0) ::close(descriptor);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
};

Result<std::unique_ptr<Socket>> connect_to(const Url& url, int patience_s) {
  const timeval patience{.tv_sec = patience_s, .tv_usec = 0};
  const addrinfo hints{.ai_flags = 0,
                       .ai_family = AF_UNSPEC,
                       .ai_socktype = SOCK_STREAM,
                       .ai_protocol = 0,
                       .ai_addrlen = 0,
                       .ai_addr = nullptr,
                       .ai_canonname = nullptr,
                       .ai_next = nullptr};
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (error != 0)
    return fail(ErrorKind::Unavailable, std::format("cannot find {}: {}", url.host, ::gai_strerror(error)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  int last_error = 0;
  for (const addrinfo* address = found; address; address = address->ai_next) {
    auto socket = std::make_unique<Socket>(::socket(address->ai_family, address->ai_socktype, address->ai_protocol));
    if (socket->descriptor < 0) continue;
    ::setsockopt(socket->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket->descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
#ifdef SO_NOSIGPIPE
    const int on = 1;
    ::setsockopt(socket->descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    if (::connect(socket->descriptor, address->ai_addr, address->ai_addrlen) == 0) return socket;
    last_error = errno;
  }
  return fail(ErrorKind::Unavailable, std::format("no server answers at {}:{} ({}); start one with `hearth serve "
                                                  "--model FILE.gguf`, or name another with --url",
                                                  url.host, url.port, std::strerror(last_error)));
}

Result<void> send_all(const Socket& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket.descriptor, bytes.data(), bytes.size(), kSendFlags);
    if (sent <= 0) return fail(ErrorKind::Unavailable, std::format("the server hung up: {}", std::strerror(errno)));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

// Where the answer ends, once its head is here and names a length; otherwise it ends with the connection.
constexpr std::size_t kLengthUnknown = ~std::size_t{0};
std::size_t answer_bytes(std::string_view bytes) {
  const auto head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return kLengthUnknown;
  constexpr std::string_view kName = "content-length:";
  std::string head(bytes.substr(0, head_end));
  std::ranges::transform(head, head.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto at = head.find(kName);
  if (at == std::string::npos) return kLengthUnknown;
  const auto digits = head.find_first_not_of(' ', at + kName.size());
  std::size_t length = 0;
  if (digits == std::string::npos) return kLengthUnknown;
  if (std::from_chars(head.data() + digits, head.data() + head.size(), length).ec != std::errc{}) return kLengthUnknown;
  return head_end + 4 + length;
}

Result<std::string> receive_answer(const Socket& socket, std::size_t bytes_max) {
  std::string bytes;
  std::array<char, 16 * 1024> part{};
  for (;;) {
    const auto received = ::recv(socket.descriptor, part.data(), part.size(), 0);
    if (received == 0) {
      const std::size_t whole = answer_bytes(bytes);
      if (whole == kLengthUnknown || bytes.size() >= whole) return bytes;
      return fail(ErrorKind::Unavailable, "the connection ended before the answer did; try again");
    }
    if (received < 0) return fail(ErrorKind::Unavailable, std::format("no answer came: {}", std::strerror(errno)));
    bytes.append(part.data(), static_cast<std::size_t>(received));
    if (bytes.size() > bytes_max) return fail(ErrorKind::TooLarge, "the answer is too large; is this Hearth?");
    if (bytes.size() >= answer_bytes(bytes)) return bytes;
  }
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorKind::InvalidInput, std::format("'{}' is no address; give it like http://127.0.0.1:8787", text));
  };
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = text;
  if (!rest.starts_with(kScheme)) return wrong();
  rest.remove_prefix(kScheme.size());
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    const auto path = rest.substr(slash);
    if (path != "/" && path != "/v1" && path != "/v1/") return wrong();
    rest = rest.substr(0, slash);
  }
  Url url;
  const auto bracket = rest.find(']');
  if (rest.starts_with('[') && bracket == std::string_view::npos) return wrong();
  const auto colon = rest.find(':', rest.starts_with('[') ? bracket : 0);
  std::string_view host = rest.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return wrong();
  url.host = host;
  if (colon == std::string_view::npos) return url;
  const std::string_view port = rest.substr(colon + 1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (read.ec != std::errc{} || read.ptr != port.data() + port.size() || url.port == 0) return wrong();
  return url;
}

Result<HttpAnswer> http_ask(const Url& url, const HttpQuestion& question, std::string_view api_key) {
  TRY_ASSIGN(const auto socket, connect_to(url, question.patience_s));
  const std::string host = url.host.contains(':') ? std::format("[{}]", url.host) : url.host;
  std::string request = std::format("{} {} HTTP/1.0\r\nHost: {}:{}\r\nConnection: close\r\n", question.method,
                                    question.path, host, url.port);
  if (!api_key.empty()) request += std::format("x-api-key: {}\r\n", api_key);
  if (question.method != "GET")
    request += std::format("content-type: {}\r\ncontent-length: {}\r\n", question.content_type, question.body.size());
  request += "\r\n";
  TRY(send_all(*socket, request));
  TRY(send_all(*socket, question.body));
  TRY_ASSIGN(const std::string answer, receive_answer(*socket, question.answer_bytes_max));
  const auto head_end = answer.find("\r\n\r\n");
  // "HTTP/1.1 200 ..."
  constexpr std::size_t kStatusAt = 9;
  if (!answer.starts_with("HTTP/1.") || head_end == std::string::npos || answer.size() < kStatusAt + 3) {
    return fail(ErrorKind::Unavailable, std::format("what answers at {}:{} speaks no HTTP", url.host, url.port));
  }
  HttpAnswer result;
  std::from_chars(answer.data() + kStatusAt, answer.data() + kStatusAt + 3, result.status);
  result.body = answer.substr(head_end + 4);
  return result;
}

Result<HttpAnswer> http_get(const Url& url, std::string_view path, std::string_view api_key) {
  return http_ask(url, {.path = std::string(path)}, api_key);
}

}  // namespace hearth::cli
