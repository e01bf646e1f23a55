// Call: one HTTP request on its way through the hall, with what every answer to it needs: its id, the headers each
// response carries, its record in the request log. Touched by one thread at a time: first a worker, and after the first
// Exchange::post of its path only the I/O thread.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "http/http.h"
#include "server/request_log.h"

namespace hearth::server {

class Call {
 public:
  // `log` and `clock` outlive every call.
  Call(std::shared_ptr<http::Exchange> exchange, RequestLog& log, const Clock& clock);
  ~Call();  // a call that nobody answered is closed in the log as the client's leaving
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  [[nodiscard]] const http::Request& request() const { return exchange_->request(); }
  [[nodiscard]] const std::shared_ptr<http::Exchange>& exchange() const { return exchange_; }
  [[nodiscard]] RequestLog& log() const { return log_; }
  [[nodiscard]] const std::string& request_id() const { return request_id_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] std::int64_t since_received_us() const { return clock_.now_us() - request().received_us; }

  void add_header(std::string name, std::string value);
  // `extra`, then those of every response.
  [[nodiscard]] http::Headers headers(http::Headers extra) const;

  void respond_json(int status, const Json& body);
  void respond(http::Response response);
  // The status follows from the kind; Overloaded and Unavailable carry retry-after: what was set, or a guess.
  void respond_error(const Error& error);
  // For statuses that no kind stands for.
  void respond_error(int status, const Error& error);

  void set_retry_after_s(std::int64_t seconds) { retry_after_s_ = seconds; }

  RequestRecord record;
  // Once, when the answer is complete; the status is what the client saw.
  void finish_record(int status);

 private:
  const std::shared_ptr<http::Exchange> exchange_;
  RequestLog& log_;
  const Clock& clock_;
  const std::string request_id_;
  http::Headers headers_;
  std::int64_t retry_after_s_ = 0;  // 0: not known
  bool finished_ = false;
};

// The response to what never became a call (the http room's own errors).
[[nodiscard]] http::Response plain_error_response(int status, std::string_view message);

}  // namespace hearth::server
