// The server: listening sockets, the I/O thread, the workers, and stopping them in an order that leaves nothing behind.
#include <cerrno>
#include <chrono>
#include <deque>
#include <exception>
#include <format>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/check.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/port_owner.h"

namespace hearth::http {
namespace {
using asio::ip::tcp;
using SocketError = boost::system::error_code;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

constexpr std::int64_t kAcceptBackOffMs = 100;  // out of descriptors: wait for one to close instead of spinning
constexpr std::size_t kRefusedMax = 64;         // so many hear "503" at a time; beyond that connections are just closed
constexpr auto kWorkerNap = std::chrono::seconds(60);  // close() wakes workers; this only bounds one wait

struct Listener {
  tcp::acceptor acceptor;
  asio::steady_timer back_off;
};

bool is_out_of_resources(const SocketError& error) {
  return error.value() == EMFILE || error.value() == ENFILE || error.value() == ENOBUFS || error.value() == ENOMEM;
}

Error bind_error(const tcp::endpoint& endpoint, const std::string& host, const SocketError& error) {
  if (error == asio::error::address_in_use) {
    const std::string owner = port_owner(endpoint.port());
    return {ErrorKind::Io, std::format("port {} is already in use{}; stop it, or choose another with --port N",
                                       endpoint.port(), owner.empty() ? " by another program" : " by " + owner)};
  }
  if (error == asio::error::access_denied)
    return {ErrorKind::Io,
            std::format("port {} needs more rights than this process has; choose one over 1023 with --port N",
                        endpoint.port())};
  return {ErrorKind::Io,
          std::format("cannot listen on {} port {}: {}; choose an address of this machine with --host ADDRESS", host,
                      endpoint.port(), error.message())};
}

SocketError listen_on(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  SocketError error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6())  // "::" takes IPv4 too; "::1" next to "127.0.0.1" must not
    acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

class RealServer final : public Server {
 public:
  RealServer(ServerOptions options, Handler handler, ErrorResponder error_responder)
      : core_(std::move(options), std::move(error_responder)), handler_(std::move(handler)) {}
  ~RealServer() override { stop(); }

  Result<void> open();
  [[nodiscard]] std::uint16_t port() const override { return port_; }
  [[nodiscard]] std::size_t connection_count() const override { return core_.connection_count; }
  [[nodiscard]] std::size_t answering_count() const override { return core_.answering_count; }
  void stop_accepting() override;
  void stop() override;

 private:
  void run_io();
  void run_worker();
  void close_listeners();
  asio::awaitable<void> accept_on(Listener& listener);
  void admit(tcp::socket socket);

  Core core_;
  const Handler handler_;
  std::uint16_t port_ = 0;
  std::deque<Listener> listeners_;  // I/O thread, once it runs
  asio::executor_work_guard<asio::io_context::executor_type> alive_{core_.io.get_executor()};
  std::thread io_thread_;
  std::vector<std::thread> workers_;
};

// The addresses a name stands for. localhost needs no resolver (RFC 6761): a bare container often has no hosts file.
Result<std::vector<tcp::endpoint>> addresses_of(asio::io_context& io, const std::string& host, std::uint16_t port) {
  if (host == "localhost")
    return std::vector{tcp::endpoint(asio::ip::address_v4::loopback(), port),
                       tcp::endpoint(asio::ip::address_v6::loopback(), port)};
  SocketError error;
  tcp::resolver resolver(io);
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error))
    endpoints.push_back(entry.endpoint());
  if (endpoints.empty())
    return fail(ErrorKind::Io,
                std::format("the address {} is not known here: {}; use --host 127.0.0.1", host, error.message()));
  return endpoints;
}

Result<void> RealServer::open() {
  const std::string& host = core_.options.host;
  TRY_ASSIGN(const std::vector<tcp::endpoint> found, addresses_of(core_.io, host, core_.options.port));
  SocketError error;
  // A name may mean several addresses: one listener each, all on the first one's port.
  for (tcp::endpoint endpoint : found) {
    if (port_ != 0) endpoint.port(port_);
    Listener& listener = listeners_.emplace_back(tcp::acceptor(core_.io), asio::steady_timer(core_.io));
    if (const SocketError refused = listen_on(listener.acceptor, endpoint)) {
      const bool no_such_address =
          refused == asio::error::address_family_not_supported || refused.value() == EADDRNOTAVAIL;
      listeners_.pop_back();
      if (no_such_address && found.size() > 1) {
        error = refused;  // IPv6 is switched off, say
        continue;
      }
      return std::unexpected(bind_error(endpoint, host, refused));
    }
    port_ = listener.acceptor.local_endpoint(error).port();
  }
  if (listeners_.empty()) return std::unexpected(bind_error(found.front(), host, error));
  for (Listener& listener : listeners_) asio::co_spawn(core_.io, accept_on(listener), asio::detached);
  io_thread_ = std::thread([this] { run_io(); });
  for (std::size_t i = 0; i < std::max<std::size_t>(core_.options.workers, 1); ++i)
    workers_.emplace_back([this] { run_worker(); });
  return {};
}

void RealServer::run_io() {
  for (;;) {
    try {
      core_.io.run();
      return;
    } catch (const std::exception& error) {  // a task of a handler; the other streams go on
      log_error("http", "a task on the I/O thread threw: {}", error.what());
    }
  }
}

void RealServer::run_worker() {
  while (!core_.work.closed()) {
    std::optional<std::shared_ptr<Exchange>> exchange = core_.work.pop_for(kWorkerNap);
    if (!exchange) continue;
    try {
      handler_(std::move(*exchange));
    } catch (const std::exception& error) {  // its exchange is dropped, so the client gets a 500
      log_error("http", "a handler threw: {}", error.what());
    }
  }
}

asio::awaitable<void> RealServer::accept_on(Listener& listener) {
  while (listener.acceptor.is_open()) {
    auto [error, socket] = co_await listener.acceptor.async_accept(kAwait);
    if (!listener.acceptor.is_open()) break;
    if (!error) {
      admit(std::move(socket));
    } else if (is_out_of_resources(error)) {
      log_warning("http", "cannot accept a connection: {}", error.message());
      listener.back_off.expires_after(std::chrono::milliseconds(kAcceptBackOffMs));
      (void)co_await listener.back_off.async_wait(kAwait);
    }
  }
}

void RealServer::admit(tcp::socket socket) {
  using Admission = Connection::Admission;
  const bool full = core_.connection_count >= core_.options.limits.connections_max;
  if (full && core_.refused_count >= kRefusedMax) return;  // the socket closes itself
  try {
    std::make_shared<Connection>(core_, std::move(socket), full ? Admission::Refused : Admission::Served)->start();
  } catch (const std::exception& error) {
    log_error("http", "cannot serve a connection: {}", error.what());
  }
}

void RealServer::close_listeners() {
  SocketError ignored;
  for (Listener& listener : listeners_) {
    listener.acceptor.close(ignored);
    listener.back_off.cancel();
  }
}

void RealServer::stop_accepting() {
  core_.mailbox->post([this] { close_listeners(); });
}

void RealServer::stop() {
  CHECK(std::this_thread::get_id() != io_thread_.get_id() || !io_thread_.joinable());
  core_.mailbox->post([this] {
    close_listeners();
    // cut() runs handlers' tasks and ends coroutines later, so the set does not change while we walk it.
    for (Connection* connection : core_.connections) connection->cut(Connection::Why::ClientGone);
    alive_.reset();
    core_.alarm.cancel();
  });
  core_.work.close();
  // The I/O thread ends by itself when the last connection has: nothing of theirs is left in the context.
  if (io_thread_.joinable()) io_thread_.join();
  core_.mailbox->close();
  for (std::thread& worker : workers_)
    if (worker.joinable()) worker.join();
  workers_.clear();
  while (core_.work.try_pop()) {
  }
}
}  // namespace

Core::Core(ServerOptions server_options, Server::ErrorResponder responder)
    : options(std::move(server_options)),
      error_responder(std::move(responder)),
      work(std::max<std::size_t>(options.limits.connections_max, 1)) {
  mailbox = std::make_shared<Mailbox>([this] {
    asio::post(io, [this] {
      mailbox->drain();
      settle();
    });
  });
}

void Core::settle() {
  for (std::size_t i = 0; i < touched.size(); ++i) touched[i]->flush();
  touched.clear();
  arm_alarm();
}

void Core::arm_alarm() {
  const std::optional<std::int64_t> due_us = timers.next_due_us();
  if (!due_us || (alarm_due_us != 0 && alarm_due_us <= *due_us)) return;
  alarm_due_us = *due_us;
  alarm.expires_at(asio::steady_timer::time_point(std::chrono::microseconds(*due_us)));
  alarm.async_wait([this](const SocketError& error) {
    if (error) return;  // moved to an earlier time, or the end
    alarm_due_us = 0;
    run_due_timers();
    settle();
  });
}

void Core::run_due_timers() {
  const std::int64_t now_us = clock.now_us();  // once: tasks that add due tasks wait for the next round
  while (auto due = timers.pop_due(now_us)) due->second(due->first);
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler, ErrorResponder error_responder) {
  CHECK(handler && error_responder);
  auto server = std::make_unique<RealServer>(std::move(options), std::move(handler), std::move(error_responder));
  TRY(server->open());
  return server;
}

}  // namespace hearth::http
