// One connection's life: serve() is its table of contents. Reads and writes are non-blocking calls after a readiness wait,
// so a connection that waits owns no buffer, and one that never stops sending gets no more than its share per turn.
#include "http/connection.h"

#include <algorithm>
#include <exception>
#include <format>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/check.h"
#include "base/log.h"

namespace hearth::http {
namespace {
using asio::ip::tcp;
using SocketError = boost::system::error_code;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// What a client may send ahead while it is being answered; past that it waits in the kernel.
constexpr std::size_t kPipelinedBytesMax = 64 * 1024;
// A close waits so long for the client's own, so that our last bytes are read and not lost to a reset.
constexpr std::int64_t kLingerMs = 1'000;
// A refused upload is read to its end within these bounds: most clients read the answer only after their last byte.
constexpr std::int64_t kRefusedBodyLingerMs = 15'000;
constexpr std::size_t kRefusedBodyFactor = 4;
// After so many full reads without a wait the others get their turn: a fast upload must not delay a stream's token.
constexpr int kReadsInARowMax = 4;
// The kernel's own limit on buffers per send is 1024; this is enough for megabytes.
constexpr std::size_t kGatherMax = 16;

std::string peer_name(const tcp::socket& socket) {
  SocketError error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "";
  const std::string address = peer.address().to_string();
  return std::format("{}{}{}:{}", peer.address().is_v6() ? "[" : "", address, peer.address().is_v6() ? "]" : "",
                     peer.port());
}
}  // namespace

Connection::Connection(Core& core, tcp::socket socket, Admission admission)
    : core_(core), socket_(std::move(socket)), admission_(admission), peer_(peer_name(socket_)) {}

void Connection::start() {
  SocketError ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  core_.connections.insert(this);
  if (admission_ == Admission::Served)
    ++core_.connection_count;
  else
    ++core_.refused_count;
  asio::co_spawn(core_.io, run(shared_from_this()), asio::detached);
}

asio::awaitable<void> Connection::run(std::shared_ptr<Connection> self) {
  try {
    co_await self->serve();
  } catch (const std::exception& error) {  // Asio throws when memory or descriptors run out
    log_error("http", "a connection ended: {}", error.what());
  }
  self->cut(Why::ClientGone);
  self->core_.connections.erase(self.get());
  if (self->admission_ == Admission::Served)
    --self->core_.connection_count;
  else
    --self->core_.refused_count;
}

asio::awaitable<void> Connection::serve() {
  if (admission_ == Admission::Refused) {
    co_await answer_error(503, "the server has as many connections as it takes; try again in a moment");
    co_return co_await linger(kPipelinedBytesMax, kLingerMs);
  }
  // A co_await never stands behind && here: GCC 16 runs it even when the left side is false.
  while (open_ && keep_alive_) {
    const bool has_request = co_await read_request();
    if (!has_request) break;
    first_request_ = false;
    co_await until_answered();
  }
  if (open_ && body_refused_)
    co_await linger(core_.options.limits.body_bytes_max * kRefusedBodyFactor, kRefusedBodyLingerMs);
  else if (open_ && !half_closed_)
    co_await linger(kPipelinedBytesMax, kLingerMs);
}

// Waits for a request to begin. False when there will be none.
asio::awaitable<bool> Connection::read_first_byte() {
  const Limits& limits = core_.options.limits;
  const std::int64_t wait_ms = first_request_ ? limits.header_timeout_ms : limits.idle_timeout_ms;
  set_deadline(Waiting::ForBytes, core_.clock.now_us() + wait_ms * 1000);
  for (;;) {
    // An empty line or two before a request is an old client's habit (RFC 9112, 2.2).
    while (held_.starts_with("\r\n")) held_.erase(0, 2);
    if (!held_.empty() && held_ != "\r") co_return true;
    if (half_closed_) co_return false;
    const Fill got = co_await fill();
    if (got == Fill::Again && open_) continue;
    if (got != Fill::Bytes) {
      keep_alive_ = false;
      half_closed_ = true;  // nobody to be polite to
      co_return false;
    }
  }
}

// True when a request is with the workers. Everything that is wrong with one is answered here.
asio::awaitable<bool> Connection::read_request() {
  const bool has_begun = co_await read_first_byte();
  if (!has_begun) co_return false;
  const Limits& limits = core_.options.limits;
  parser_ = std::make_unique<RequestParser>(limits.header_bytes_max, limits.body_bytes_max);
  std::int64_t end_us = core_.clock.now_us() + limits.header_timeout_ms * 1000;
  std::shared_ptr<BodyRoom> room;  // once the body comes
  set_deadline(Waiting::ForBytes, end_us);
  for (;;) {
    const RequestParser::Step step = parser_->push(held_);
    held_.erase(0, step.consumed);
    if (room && !room->take(step.consumed, limits.bodies_bytes_max)) {
      body_refused_ = true;
      co_await answer_error(503, "too many large requests arrive at once; try again in a moment");
      co_return false;
    }
    if (step.progress == RequestParser::Progress::Complete) break;
    if (step.progress == RequestParser::Progress::Failed) {
      const RequestParser::Failure failure = parser_->failure();
      body_refused_ = failure.status == 413;
      co_await answer_error(failure.status, failure.message);
      co_return false;
    }
    if (step.progress == RequestParser::Progress::HeaderDone) {
      if (core_.options.takes_body && !core_.options.takes_body(parser_->head())) {
        body_refused_ = true;
        keep_alive_ = false;
        break;
      }
      room = std::make_shared<BodyRoom>(core_.body_bytes);
      end_us = core_.clock.now_us() + limits.body_timeout_ms * 1000;
      if (held_.empty() && parser_->expects_continue() && !parser_->is_http_1_0()) send_continue();
      if (!held_.empty()) continue;
    }
    if (room)
      set_deadline(Waiting::ForBytes, std::min(end_us, core_.clock.now_us() + limits.body_stall_timeout_ms * 1000));
    Fill got = Fill::Again;
    while (got == Fill::Again && open_) got = co_await fill();
    if (got == Fill::TimedOut) {
      co_await answer_error(408, "the request did not arrive in time");
      co_return false;
    }
    if (got != Fill::Bytes) {
      half_closed_ = true;
      co_return false;
    }
  }
  if (held_.empty()) std::string().swap(held_);  // an idle connection is small
  dispatch(std::move(room));
  co_return true;
}

// One read of what is there. When there is nothing it waits once and says Again: a wake-up may mean bytes, a finished
// answer, or nothing at all (a readiness that was used up), so the caller looks at its state before it comes back.
asio::awaitable<Connection::Fill> Connection::fill() {
  if (std::exchange(timed_out_, false)) co_return Fill::TimedOut;
  SocketError error;
  const std::size_t count = socket_.read_some(asio::buffer(core_.scratch), error);
  if (!error) {
    last_read_us_ = core_.clock.now_us();
    held_.append(core_.scratch.data(), count);
    if (++reads_in_a_row_ < kReadsInARowMax) co_return Fill::Bytes;
    reads_in_a_row_ = 0;
    co_await asio::post(core_.io, asio::use_awaitable);
    co_return Fill::Bytes;
  }
  if (error == asio::error::interrupted) co_return Fill::Again;
  if (error != asio::error::would_block && error != asio::error::try_again) co_return Fill::Eof;
  reads_in_a_row_ = 0;
  const auto [wait_error] = co_await socket_.async_wait(tcp::socket::wait_read, kAwait);
  co_return wait_error&& wait_error != asio::error::operation_aborted ? Fill::Eof : Fill::Again;
}

void Connection::send_continue() {
  // The kernel has nothing of ours to send at this moment; should it refuse, the client goes on by itself.
  SocketError ignored;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  (void)socket_.write_some(asio::buffer(kContinue.data(), kContinue.size()), ignored);
}

void Connection::begin_turn(RequestTraits traits, std::shared_ptr<ExchangeState> state) {
  parser_.reset();
  set_deadline(Waiting::Nothing, 0);
  ++core_.answering_count;
  turn_ = std::make_shared<Turn>(traits, core_.timers, std::move(state), [this] {
    if (!std::exchange(touched_, true)) core_.touched.push_back(shared_from_this());
  });
}

void Connection::dispatch(std::shared_ptr<BodyRoom> room) {
  const RequestTraits traits{.is_head = parser_->is_head(),
                             .is_http_1_0 = parser_->is_http_1_0(),
                             .keep_alive = parser_->keep_alive() && keep_alive_};
  Request request = parser_->take_request();
  request.body_room = std::move(room);
  request.peer = peer_;
  request.received_us = last_read_us_;
  const auto state = std::make_shared<ExchangeState>(core_.unsent_bytes);
  begin_turn(traits, state);
  auto fallback = [&responder = core_.error_responder] {
    return responder(500, "the server did not answer this request; this is a fault on its side");
  };
  std::shared_ptr<Exchange> exchange = std::make_shared<LiveExchange>(
      std::move(request), LiveExchange::Line{core_.mailbox, turn_, state, std::move(fallback)});
  if (core_.work.try_push(std::move(exchange))) return;
  turn_->respond(core_.error_responder(503, "too many requests are waiting; try again in a moment"));
  flush();
}

// Sends while the handler answers, keeps what the client sends ahead, and notices when it goes away. A client that closes
// its sending half counts as gone unless the whole answer is already on its way.
asio::awaitable<void> Connection::until_answered() {
  while (open_ && turn_) {
    if (half_closed_ || held_.size() >= kPipelinedBytesMax) {
      co_await until_broken();
      continue;
    }
    const Fill got = co_await fill();
    if (got != Fill::Eof || !turn_) {
      half_closed_ = half_closed_ || got == Fill::Eof;
      continue;
    }
    if (!turn_->over()) co_return cut(Why::ClientGone);
    half_closed_ = true;
  }
}

asio::awaitable<void> Connection::until_sent() {
  flush();
  while (open_ && turn_) co_await until_broken();
}

// Waits without reading, for answered() to wake us or for the connection to break.
asio::awaitable<void> Connection::until_broken() {
  const auto [error] = co_await socket_.async_wait(tcp::socket::wait_error, kAwait);
  if (error != asio::error::operation_aborted) cut(Why::ClientGone);
}

// For what never reaches a handler. The connection ends after it: where the next request begins is not known.
asio::awaitable<void> Connection::answer_error(int status, std::string message) {
  keep_alive_ = false;
  if (!open_) co_return;
  const bool is_head = parser_ && parser_->is_head();
  begin_turn({.is_head = is_head, .is_http_1_0 = false, .keep_alive = false},
             std::make_shared<ExchangeState>(core_.unsent_bytes));
  Response response = core_.error_responder(status, message);
  const bool has_retry = std::ranges::any_of(response.headers, [](const auto& h) { return h.first == "retry-after"; });
  if (status == 503 && !has_retry) response.headers.emplace_back("retry-after", "1");
  turn_->respond(std::move(response));
  co_await until_sent();
}

asio::awaitable<void> Connection::linger(std::size_t drain_bytes_max, std::int64_t linger_ms) {
  SocketError ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  set_deadline(Waiting::ForClose, core_.clock.now_us() + linger_ms * 1000);
  std::size_t drained = 0;
  while (open_ && drained <= drain_bytes_max) {
    const Fill got = co_await fill();
    if (got == Fill::Eof || got == Fill::TimedOut) break;
    drained += held_.size();
    held_.clear();
  }
}

void Connection::flush() {
  touched_ = false;
  if (!open_ || !turn_) return;
  const Outgoing& out = turn_->out();
  while (!out.empty() && !waiting_for_space_) {
    std::array<asio::const_buffer, kGatherMax> buffers;
    std::size_t count = 0;
    out.visit_front(kGatherMax,
                    [&](std::string_view piece) { buffers[count++] = asio::buffer(piece.data(), piece.size()); });
    SocketError error;
    const std::size_t taken = socket_.write_some(std::span(buffers).first(count), error);
    if (!error) {
      turn_->took(taken);
      if (waiting_ == Waiting::ForSpace) set_deadline(Waiting::Nothing, 0);
    } else if (error == asio::error::would_block || error == asio::error::try_again) {
      wait_for_space();
    } else if (error != asio::error::interrupted) {
      return cut(Why::ClientGone);
    }
  }
  if (turn_->wants_cut()) return cut(Why::Ours);  // what the kernel would not take now is part of what is cut
  // Only streams are dropped for being read slowly: a whole response is as large as its handler made it.
  if (turn_->streaming() && out.size() > core_.options.limits.unsent_bytes_max) {
    log_warning("http", "{} reads too slowly: its stream is cut with {} bytes unsent", peer_, out.size());
    return cut(Why::ClientGone);
  }
  if (turn_->over() && out.empty()) return answered();
  turn_->tell_of_space();
}

void Connection::wait_for_space() {
  waiting_for_space_ = true;
  if (waiting_ != Waiting::ForSpace)
    set_deadline(Waiting::ForSpace, core_.clock.now_us() + core_.options.limits.write_stall_timeout_ms * 1000);
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const SocketError&) {
    self->waiting_for_space_ = false;
    self->flush();
  });
}

// The answer's last byte is with the kernel: wake the reader for the next request.
void Connection::answered() {
  keep_alive_ = turn_->keep_alive() && keep_alive_;
  turn_.reset();
  --core_.answering_count;
  set_deadline(Waiting::Nothing, 0);
  SocketError ignored;
  socket_.cancel(ignored);
}

void Connection::cut(Why why) {
  if (!std::exchange(open_, false)) return;
  SocketError ignored;
  socket_.close(ignored);
  if (deadline_armed_) core_.timers.remove(deadline_key_);
  deadline_armed_ = false;
  const std::shared_ptr<Turn> turn = std::move(turn_);
  if (turn) --core_.answering_count;
  if (turn && why == Why::ClientGone) turn->client_gone();
}

// Deadlines move far more often than they pass, so the queued timer stays where it is while it is early enough.
void Connection::set_deadline(Waiting what, std::int64_t due_us) {
  waiting_ = what;
  deadline_us_ = due_us;
  timed_out_ = false;
  if (what == Waiting::Nothing || !open_) return;
  if (deadline_armed_ && deadline_key_.due_us <= due_us) return;
  if (deadline_armed_) core_.timers.remove(deadline_key_);
  deadline_armed_ = true;
  deadline_key_ = core_.timers.add(due_us, [this](const TimerQueue::Key&) {
    deadline_armed_ = false;
    deadline_passed();
  });
  core_.arm_alarm();
}

void Connection::deadline_passed() {
  if (waiting_ == Waiting::Nothing) return;
  if (core_.clock.now_us() < deadline_us_) return set_deadline(waiting_, deadline_us_);
  if (waiting_ == Waiting::ForSpace)
    log_warning("http", "{} read nothing for {} s: its connection is cut", peer_,
                core_.options.limits.write_stall_timeout_ms / 1000);
  if (waiting_ != Waiting::ForBytes) return cut(Why::ClientGone);
  timed_out_ = true;
  SocketError ignored;
  socket_.cancel(ignored);
}

}  // namespace hearth::http
