// Response heads as text. Any thread; no state.
#include "http/response_head.h"

#include <array>
#include <format>

namespace hearth::http {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    case 529: return "Overloaded";
    default: return "Status";
  }
}

bool same_ignoring_case(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if ((a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] + 32) : a[i]) != lower[i]) return false;
  return true;
}

bool is_ours(std::string_view name) {
  return same_ignoring_case(name, "content-length") || same_ignoring_case(name, "transfer-encoding") ||
         same_ignoring_case(name, "connection") || same_ignoring_case(name, "date");
}

// A value that came from outside (a model's name, a request id) must not be able to begin a header of its own.
void append_clean(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += (byte < 0x20 && c != '\t') || byte == 0x7f ? ' ' : c;
  }
}

}  // namespace

bool status_has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

bool asks_to_close(const Headers& headers) {
  for (const auto& [name, value] : headers)
    if (same_ignoring_case(name, "connection") && same_ignoring_case(value, "close")) return true;
  return false;
}

std::string chunk_head(std::size_t bytes) { return std::format("{:x}\r\n", bytes); }

std::string http_date(std::time_t now) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm t{};
  if (gmtime_r(&now, &t) == nullptr) return "Thu, 01 Jan 1970 00:00:00 GMT";
  return std::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[static_cast<std::size_t>(t.tm_wday)], t.tm_mday,
                     kMonths[static_cast<std::size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string response_head(int status, const Headers& headers, Framing framing, std::size_t body_bytes, Reuse reuse,
                          std::time_t now) {
  std::string out;
  out.reserve(512);
  out += std::format("HTTP/1.1 {} {}\r\ndate: {}\r\n", status, reason_of(status), http_date(now));
  for (const auto& [name, value] : headers) {
    if (is_ours(name)) continue;
    append_clean(out, name);
    out += ": ";
    append_clean(out, value);
    out += "\r\n";
  }
  if (framing == Framing::Length) out += std::format("content-length: {}\r\n", body_bytes);
  if (framing == Framing::Chunked) out += "transfer-encoding: chunked\r\n";
  if (reuse == Reuse::Close) out += "connection: close\r\n";
  if (reuse == Reuse::KeepAlive10) out += "connection: keep-alive\r\n";
  out += "\r\n";
  return out;
}

}  // namespace hearth::http
