// Connection: one client's socket: reads requests one after another, holds the Turn that answers the current one, and
// closes politely. Core: what all connections of one server share. Everything here belongs to the I/O thread.
// Private to the room: it includes Boost.Asio.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock.h"
#include "base/queue.h"
#include "http/body_room.h"
#include "http/exchange.h"
#include "http/request_parser.h"

namespace hearth::http {
namespace asio = boost::asio;

class Connection;

struct Core {
  Core(ServerOptions options, Server::ErrorResponder error_responder);

  // Sends what the last tasks queued and arms the alarm; called at the end of every drain.
  void settle();
  void arm_alarm();
  void run_due_timers();

  const ServerOptions options;
  const Server::ErrorResponder error_responder;
  const SteadyClock clock;
  asio::io_context io{1};  // 1: one thread runs it (others may still post)
  std::shared_ptr<Mailbox> mailbox;
  BoundedQueue<std::shared_ptr<Exchange>> work;  // to the workers
  TimerQueue timers;
  asio::steady_timer alarm{io};   // the one timer behind `timers`
  std::int64_t alarm_due_us = 0;  // 0: not armed
  std::vector<std::shared_ptr<Connection>> touched;
  std::unordered_set<Connection*> connections;
  std::size_t refused_count = 0;                 // connections that only hear 503
  std::atomic<std::size_t> connection_count{0};  // the others
  std::atomic<std::size_t> answering_count{0};   // turns: from a request's last byte to its answer's last
  const ExchangeState::Total unsent_bytes = std::make_shared<std::atomic<std::size_t>>(0);
  const BodyRoom::Total body_bytes = std::make_shared<std::atomic<std::size_t>>(0);
  std::array<char, 64 * 1024> scratch{};  // every read lands here first: an idle connection owns no buffer
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum class Admission { Served, Refused };
  Connection(Core& core, asio::ip::tcp::socket socket, Admission admission);

  // Begins; the connection keeps itself alive until it has closed.
  void start();
  // Sends as much as the kernel takes now.
  void flush();
  // Closes at once. ClientGone tells the handler; Ours does not.
  enum class Why { ClientGone, Ours };
  void cut(Why why);

 private:
  enum class Fill { Bytes, Eof, TimedOut, Again };
  enum class Waiting { Nothing, ForBytes, ForSpace, ForClose };  // what the deadline bounds

  static asio::awaitable<void> run(std::shared_ptr<Connection> self);
  asio::awaitable<void> serve();
  asio::awaitable<bool> read_request();
  asio::awaitable<bool> read_first_byte();
  asio::awaitable<Fill> fill();
  asio::awaitable<void> until_answered();
  asio::awaitable<void> until_sent();
  asio::awaitable<void> until_broken();
  asio::awaitable<void> answer_error(int status, std::string message);
  asio::awaitable<void> linger(std::size_t drain_bytes_max, std::int64_t linger_ms);
  void send_continue();
  void begin_turn(RequestTraits traits, std::shared_ptr<ExchangeState> state);
  void dispatch(std::shared_ptr<BodyRoom> room);
  void answered();
  void wait_for_space();
  void set_deadline(Waiting what, std::int64_t due_us);
  void deadline_passed();

  Core& core_;
  asio::ip::tcp::socket socket_;
  const Admission admission_;
  std::string peer_;
  std::string held_;                       // read and not yet parsed
  std::unique_ptr<RequestParser> parser_;  // from a request's first byte to its last
  std::shared_ptr<Turn> turn_;             // from a request's last byte to its answer's last
  std::int64_t last_read_us_ = 0;
  Waiting waiting_ = Waiting::Nothing;
  std::int64_t deadline_us_ = 0;
  TimerQueue::Key deadline_key_;
  int reads_in_a_row_ = 0;
  bool deadline_armed_ = false;
  bool open_ = true;
  bool first_request_ = true;
  bool keep_alive_ = true;
  bool half_closed_ = false;  // the client sent its FIN after we had the whole answer queued
  bool timed_out_ = false;
  bool waiting_for_space_ = false;
  bool touched_ = false;
  bool body_refused_ = false;  // too large, no room for it, or its head was refused
};

}  // namespace hearth::http
