// The hall: every route of the front, and the one place where the rooms meet. Bound to its port before any model is
// loaded, so that a port in use is known at once and /health can tell how loading goes.
//
// Threads: start, add_model, drain and stop are called by the owner's thread; requests come on the http room's workers.
// Order of ending: Server::stop() (joins the http threads), then the engines, then ~Server.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "http/http.h"
#include "server/access.h"
#include "server/batches.h"
#include "server/call.h"
#include "server/messages.h"
#include "server/request_log.h"

namespace hearth::server {

struct ServerOptions {
  http::ServerOptions http;
  AccessRules access;
  KeepAliveRules keep_alive;
  std::size_t waiting_max = 256;  // jobs of one model that may wait
  std::string pdf_program;        // hearth-pdf; empty: PDFs are refused
  std::string batch_folder;       // message batches; empty: they end with the server
};

// All of the front's answers, apart from the sockets: given an exchange, it is answered.
class Hall {
 public:
  // `clock` outlives the hall; the hall outlives every exchange it was given.
  Hall(AccessRules access, KeepAliveRules keep_alive, const Clock& clock, std::string pdf_program = "",
       std::string batch_folder = "");

  void handle(std::shared_ptr<http::Exchange> exchange);
  // By its head: whoever may not speak to this server cannot fill its memory either, nor by routes that ask for no key. Any thread.
  [[nodiscard]] bool takes_body(const http::Request& head) const;
  [[nodiscard]] ServedModels& models() { return desk_.models; }
  [[nodiscard]] MessageDesk& desk() { return desk_; }
  [[nodiscard]] Batches& batches() { return batches_; }
  [[nodiscard]] const RequestLog& log() const { return log_; }
  // From now on new model requests get 503, with the advice to come again in so many seconds; those that run go on.
  void refuse_new_work(std::int64_t retry_after_s) { refusing_s_ = std::clamp<std::int64_t>(retry_after_s, 1, 60); }

  struct Route;  // a line of the table in server.cpp

 private:
  void answer_batched(std::shared_ptr<http::Exchange> exchange, const BatchOwner& owner);
  void dispatch(const std::shared_ptr<Call>& call, const Route& route, std::string_view path);

  const AccessRules access_;
  const Clock& clock_;
  RequestLog log_;
  MessageDesk desk_;
  Batches batches_;
  std::atomic<std::int64_t> refusing_s_{0};  // 0: not; else retry-after
};

class Server {
 public:
  // InvalidInput for a bind without a key, Io for a port that cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(ServerOptions options, const Clock& clock);
  ~Server();

  [[nodiscard]] Hall& hall() { return hall_; }
  [[nodiscard]] std::uint16_t port() const { return http_->port(); }
  // No new model requests; connections are still taken, so that they hear it. Returns at once.
  void begin_drain(std::int64_t retry_after_s);
  // Every answer has ended, and slow readers have been sent the last of it.
  [[nodiscard]] bool drained() const { return hall_.log().active_count() == 0 && http_->answering_count() == 0; }
  void stop();

 private:
  Server(const ServerOptions& options, const Clock& clock);
  Hall hall_;
  std::unique_ptr<http::Server> http_;
};

}  // namespace hearth::server
