// The HTTP room's whole face: requests in, responses and streams out, over HTTP/1.1 with keep-alive. The only room that
// includes the HTTP library. It knows nothing of routes, keys or models.
//
// Threads: one I/O thread owns every socket and timer; a small pool of workers runs the handler, so that parsing or
// rendering never delays another stream's ping. Exchange's methods may be called by any thread unless said otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string path;   // percent-decoding is not applied; without the query
  std::string query;  // without '?'
  Headers headers;
  std::string body;
  std::shared_ptr<void> body_room;  // counts the body until it is dropped
  std::string peer;                 // "127.0.0.1:50312"
  std::int64_t received_us = 0;     // steady clock, when the last byte was read

  // The first header of that name (any case), or nullptr.
  [[nodiscard]] const std::string* header(std::string_view name) const;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

// One request and its answer. Kept alive by whoever still has something to say: an exchange that is let go without an answer
// is answered 500, a stream that is let go unfinished is cut. Tasks given to it are destroyed when the exchange is over, so
// they may hold it; what they throw is logged.
class Exchange {
 public:
  virtual ~Exchange() = default;
  [[nodiscard]] virtual const Request& request() const = 0;
  // The body has been read and is empty from now on: an answer may take minutes, a body megabytes. For the handler alone,
  // before it posts anything that reads the body.
  virtual void drop_body() = 0;

  // A whole response, once, instead of a stream. Content-Length is set here; HEAD sends no body.
  virtual void respond(Response response) = 0;

  // Headers go out at once; then any number of write(), then finish(). After the client is gone all are no-ops.
  virtual void begin_stream(int status, Headers headers) = 0;
  virtual void write(std::string bytes) = 0;
  virtual void finish() = 0;
  // Ends the connection without the closing chunk: the client sees a cut.
  virtual void abort() = 0;

  // Bytes handed to write() and not yet taken by the kernel. Over Limits::unsent_bytes_max the connection is dropped.
  [[nodiscard]] virtual std::size_t unsent_bytes() const = 0;
  // The same of all exchanges of this server together.
  [[nodiscard]] virtual std::size_t unsent_bytes_of_all() const = 0;
  // Runs once on the I/O thread when unsent_bytes() is at most so many, unless the exchange is over by then. One at a
  // time: a second takes the first one's place.
  virtual void when_unsent_at_most(std::size_t bytes, std::function<void()> task) = 0;

  // Runs on the I/O thread, in order of posting.
  virtual void post(std::function<void()> task) = 0;
  // Runs once on the I/O thread after that time, unless the exchange is over by then.
  virtual void after_ms(std::int64_t delay_ms, std::function<void()> task) = 0;
  // Called once, on the I/O thread, when the client goes away before the answer is complete (at once, if it is gone). A
  // client that closes only its sending half counts as gone. Never called after the server has stopped.
  virtual void on_disconnect(std::function<void()> task) = 0;
};

struct Limits {
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t body_bytes_max = 64ULL * 1024 * 1024;
  std::size_t bodies_bytes_max = 512ULL * 1024 * 1024;  // of all requests together: over this, 503
  std::size_t connections_max = 2048;
  std::size_t unsent_bytes_max = 8ULL * 1024 * 1024;  // a stream whose handler writes on over this is dropped
  std::int64_t header_timeout_ms = 30'000;            // from the first byte (or connect) to the last header byte
  std::int64_t body_stall_timeout_ms = 60'000;        // between two reads of a body
  std::int64_t body_timeout_ms = 600'000;             // a whole body
  std::int64_t idle_timeout_ms = 620'000;             // keep-alive between requests; clients reuse for minutes
  std::int64_t write_stall_timeout_ms =
      1'800'000;  // the client reads nothing for so long: longer than a suspended shell's pause
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any free one
  std::size_t workers = 2;
  Limits limits;
  // Whether a request's body is to be read, by its head alone; empty: always. Where it says no the handler gets the request
  // without its body, to refuse it in its own words, and the connection ends with that. On the I/O thread: it must be quick.
  std::function<bool(const Request&)> takes_body;
};

class Server {
 public:
  using Handler = std::function<void(std::shared_ptr<Exchange>)>;
  // Words for errors that never reach a handler, or that no handler answered: 400 (not HTTP), 408, 413 (body), 417, 431
  // (headers), 500, 503 (connections), 505. Called on the I/O thread: it must be quick.
  using ErrorResponder = std::function<Response(int status, std::string_view message)>;

  // Io when the address cannot be bound; the message says by whom it is taken where that can be known.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler,
                                                             ErrorResponder error_responder);
  virtual ~Server() = default;  // stops
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  [[nodiscard]] virtual std::size_t connection_count() const = 0;
  // Requests whose answers are not with the kernel to their last byte yet.
  [[nodiscard]] virtual std::size_t answering_count() const = 0;
  // No new connections; open exchanges go on. Returns at once.
  virtual void stop_accepting() = 0;
  // Closes everything, telling every open exchange that its client is gone, and joins the threads. Not to be called from
  // a handler or a task.
  virtual void stop() = 0;
};

}  // namespace hearth::http
