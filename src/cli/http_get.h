// Plain HTTP requests, for asking a running server about itself. Blocking, with a limit on time and size; http:// only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::cli {

struct Url {
  std::string host;  // without brackets
  std::uint16_t port = 80;
};
// "http://127.0.0.1:8787", with or without a slash or "/v1" at its end. InvalidInput otherwise.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

struct HttpAnswer {
  int status = 0;
  std::string body;
};
struct HttpQuestion {
  std::string method = "GET";
  std::string path;  // with its query
  std::string body = {};
  std::string content_type = "application/json";
  std::size_t answer_bytes_max = 4U << 20;  // a status is some kilobytes
  int patience_s = 5;                       // per step
};
// Unavailable when nobody answers at that address.
[[nodiscard]] Result<HttpAnswer> http_ask(const Url& url, const HttpQuestion& question, std::string_view api_key);
[[nodiscard]] Result<HttpAnswer> http_get(const Url& url, std::string_view path, std::string_view api_key);

}  // namespace hearth::cli
