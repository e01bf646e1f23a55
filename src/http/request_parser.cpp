// The one file that includes Beast: the grammar of HTTP/1.x, and our stricter rules on top. Pure: no sockets, no clock.
#include "http/request_parser.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "base/check.h"

namespace hearth::http {
namespace beast_http = boost::beast::http;
using BeastError = boost::system::error_code;
using BeastView = boost::beast::string_view;

namespace {
// A body grows by doubling from here: a claimed length costs nothing until its bytes arrive.
constexpr std::size_t kBodyReserveBytes = 1024 * 1024;

std::string_view to_view(BeastView text) { return {text.data(), text.size()}; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}
}  // namespace

const std::string* Request::header(std::string_view name) const {
  const auto found = std::ranges::find_if(headers, [&](const auto& h) { return same_ignoring_case(h.first, name); });
  return found == headers.end() ? nullptr : &found->second;
}

class RequestParser::Machine final : public beast_http::basic_parser<true> {
 public:
  Machine(std::size_t header_bytes_max, std::size_t body_bytes_max) {
    header_limit(
        static_cast<std::uint32_t>(std::min<std::size_t>(header_bytes_max, std::numeric_limits<std::uint32_t>::max())));
    body_limit(body_bytes_max);
  }

  Step push(std::string_view bytes) {
    CHECK(!failed_ && !is_done());
    const bool header_was_done = is_header_done();
    eager(header_was_done);
    BeastError error;
    Step step;
    step.consumed = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (error && error != beast_http::error::need_more) {
      fail_with(error);
      step.progress = Progress::Failed;
    } else if (is_done()) {
      step.progress = Progress::Complete;
    } else if (!header_was_done && is_header_done()) {
      step.progress = Progress::HeaderDone;
    }
    return step;
  }

  Request request;
  Failure failure;
  bool expects_continue = false;
  [[nodiscard]] int version() const { return version_; }

 private:
  void reject(BeastError& error, int status, std::string message) {
    failure = {status, std::move(message)};
    error = beast_http::error::bad_value;
  }

  void fail_with(const BeastError& error) {
    failed_ = true;
    if (!failure.message.empty()) return;  // our own rule said it better
    if (error == beast_http::error::header_limit) {
      failure = {431, "the request's headers are too large"};
    } else if (error == beast_http::error::body_limit) {
      failure = {413, "the request's body is too large"};
    } else {
      failure = {400, "the request is not valid HTTP/1.1: " + error.message()};
    }
  }

  void on_request_impl(beast_http::verb, BeastView method, BeastView target, int version, BeastError& error) override {
    if (version != 10 && version != 11) return reject(error, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    version_ = version;
    request.method = to_view(method);
    std::string_view rest = to_view(target);
    for (const std::string_view scheme : {"http://", "https://"}) {  // absolute form: what proxies send
      if (rest.size() < scheme.size() || !same_ignoring_case(rest.substr(0, scheme.size()), scheme)) continue;
      const std::size_t path = rest.find_first_of("/?", scheme.size());
      rest = path == std::string_view::npos ? std::string_view("/") : rest.substr(path);
      break;
    }
    const std::size_t question = rest.find('?');
    request.path = rest.substr(0, question);
    if (question != std::string_view::npos) request.query = rest.substr(question + 1);
    if (request.path.empty()) request.path = "/";
    if (request.path[0] != '/' && request.path != "*") reject(error, 400, "the request's target must begin with '/'");
  }

  void on_field_impl(beast_http::field field, BeastView name, BeastView value, BeastError& error) override {
    if (field == beast_http::field::content_length && ++content_length_count_ > 1)
      return reject(error, 400, "there is more than one Content-Length");
    if (field == beast_http::field::content_length && value.find(',') != BeastView::npos)
      return reject(error, 400, "Content-Length must be one number");
    if (field == beast_http::field::host && ++host_count_ > 1) return reject(error, 400, "there is more than one Host");
    if (field == beast_http::field::transfer_encoding && !same_ignoring_case(to_view(value), "chunked"))
      return reject(error, 400, "the only Transfer-Encoding taken is chunked");
    if (field == beast_http::field::expect) {
      if (!same_ignoring_case(to_view(value), "100-continue"))
        return reject(error, 417, "the only Expect that is met is 100-continue");
      expects_continue = true;
    }
    request.headers.emplace_back(to_view(name), to_view(value));
  }

  // What follows a chunked body never joins the headers: they were judged already.
  void on_trailer_field_impl(beast_http::field, BeastView, BeastView, BeastError&) override {}

  void on_header_impl(BeastError& error) override {
    if (version_ == 11 && host_count_ == 0) reject(error, 400, "HTTP/1.1 needs a Host header");
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, BeastError&) override {
    if (length) request.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, kBodyReserveBytes)));
  }
  std::size_t on_body_impl(BeastView bytes, BeastError&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, BeastView, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView bytes, BeastError&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(BeastError&) override {}
  // Requests only; the parser's base asks for it all the same.
  void on_response_impl(int, BeastView, int, BeastError&) override {}

  int version_ = 11;
  int content_length_count_ = 0;
  int host_count_ = 0;
  bool failed_ = false;
};

RequestParser::RequestParser(std::size_t header_bytes_max, std::size_t body_bytes_max)
    : machine_(std::make_unique<Machine>(header_bytes_max, body_bytes_max)) {}
RequestParser::~RequestParser() = default;

RequestParser::Step RequestParser::push(std::string_view bytes) { return machine_->push(bytes); }
const RequestParser::Failure& RequestParser::failure() const { return machine_->failure; }
bool RequestParser::expects_continue() const { return machine_->expects_continue; }
bool RequestParser::keep_alive() const { return machine_->keep_alive(); }
bool RequestParser::is_http_1_0() const { return machine_->version() == 10; }
bool RequestParser::is_head() const { return machine_->request.method == "HEAD"; }

const Request& RequestParser::head() const { return machine_->request; }

Request RequestParser::take_request() {
  CHECK(machine_->is_header_done());
  return std::move(machine_->request);
}

}  // namespace hearth::http
