// See call.h.
#include "server/call.h"

#include <utility>

#include "base/random.h"
#include "wire/anthropic_events.h"

namespace hearth::server {
namespace {

// Full queues empty within seconds; a restarting engine needs some longer.
constexpr std::int64_t kRetryAfterOverloaded_s = 3;
constexpr std::int64_t kRetryAfterUnavailable_s = 5;

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 413: return ErrorKind::TooLarge;
    case 431: return ErrorKind::InvalidInput;
    case 503: return ErrorKind::Overloaded;
    default: return status >= 500 ? ErrorKind::Internal : ErrorKind::InvalidInput;
  }
}

}  // namespace

Call::Call(std::shared_ptr<http::Exchange> exchange, RequestLog& log, const Clock& clock)
    : exchange_(std::move(exchange)), log_(log), clock_(clock), request_id_(random_id("req_")) {
  record.request_id = request_id_;
  record.method = request().method;
  record.path = request().path;
  record.body_bytes = request().body.size();
  record.times.wait_us = since_received_us();
  headers_.emplace_back("request-id", request_id_);
  log_.begin(record.path);
}

Call::~Call() {
  if (!finished_) finish_record(kStatusClientGone);
}

void Call::add_header(std::string name, std::string value) { headers_.emplace_back(std::move(name), std::move(value)); }

http::Headers Call::headers(http::Headers extra) const {
  extra.insert(extra.end(), headers_.begin(), headers_.end());
  return extra;
}

void Call::respond(http::Response response) {
  response.headers = headers(std::move(response.headers));
  const int status = response.status;
  if (record.times.headers_us < 0) record.times.headers_us = since_received_us();
  exchange_->respond(std::move(response));
  finish_record(status);
}

void Call::respond_json(int status, const Json& body) {
  respond({.status = status, .headers = {{"content-type", "application/json"}}, .body = body.dump()});
}

void Call::respond_error(const Error& error) { respond_error(wire::http_status(error.kind), error); }

void Call::respond_error(int status, const Error& error) {
  record.why = "error";
  http::Response response{.status = status,
                          .headers = {{"content-type", "application/json"}},
                          .body = wire::error_body(error, request_id_).dump()};
  const bool overloaded = error.kind == ErrorKind::Overloaded;
  if (overloaded || error.kind == ErrorKind::Unavailable) {
    const std::int64_t guess_s = overloaded ? kRetryAfterOverloaded_s : kRetryAfterUnavailable_s;
    response.headers.emplace_back("retry-after", std::to_string(retry_after_s_ > 0 ? retry_after_s_ : guess_s));
  }
  respond(std::move(response));
}

void Call::finish_record(int status) {
  if (std::exchange(finished_, true)) return;
  record.status = status;
  record.times.total_us = since_received_us();
  log_.finish(record);
}

http::Response plain_error_response(int status, std::string_view message) {
  const std::string request_id = random_id("req_");
  const Error error{kind_of_status(status), std::string(message)};
  return {.status = status,
          .headers = {{"content-type", "application/json"}, {"request-id", request_id}},
          .body = wire::error_body(error, request_id).dump()};
}

}  // namespace hearth::server
