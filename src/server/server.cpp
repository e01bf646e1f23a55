// See server.h.
#include "server/server.h"

#include <array>
#include <chrono>
#include <format>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "server/batch_routes.h"
#include "server/cache_desk.h"
#include "server/cache_settings.h"
#include "server/call.h"
#include "server/messages.h"
#include "server/status.h"

namespace hearth::server {
namespace {

enum class Action {
  Root,
  Hello,
  Health,
  Messages,
  CountTokens,
  BatchCreate,
  BatchList,
  Batch,
  ModelList,
  Model,
  Status,
  Metrics,
  Cache,
  // the desk
  CacheStats,
  CacheList,
  CacheWhy,
  CacheProbe,
  CacheClear,
  CachePin,
  CacheUnpin,
  CacheExport,
  CacheImport
};

// What takes room from the others, or brings foreign bytes in.
bool is_operators(Action action) {
  return action == Action::Cache || action == Action::CachePin || action == Action::CacheUnpin ||
         action == Action::CacheExport || action == Action::CacheImport;
}

// A base URL given with /v1 makes clients ask for /v1/v1/...; both mean the same. A slash at the end means nothing.
std::string_view plain_path(std::string_view path) {
  if (path.starts_with("/v1/v1/")) path.remove_prefix(3);
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

constexpr std::string_view kModelPrefix = "/v1/models/";
constexpr std::string_view kBatchesPrefix = "/v1/messages/batches/";

}  // namespace

struct Hall::Route {
  std::string_view path;  // ends with '/': whatever follows belongs to it
  std::string_view method;
  Action action;
  KeyNeeded key_needed;
};

namespace {

// The whole face of the server. GET routes answer HEAD too.
constexpr std::array kRoutes = {
    Hall::Route{"/v1/messages", "POST", Action::Messages, KeyNeeded::Yes},
    Hall::Route{"/v1/messages/count_tokens", "POST", Action::CountTokens, KeyNeeded::Yes},
    Hall::Route{"/v1/messages/batches", "POST", Action::BatchCreate, KeyNeeded::Yes},
    Hall::Route{"/v1/messages/batches", "GET", Action::BatchList, KeyNeeded::Yes},
    Hall::Route{kBatchesPrefix, "GET", Action::Batch, KeyNeeded::Yes},
    Hall::Route{kBatchesPrefix, "POST", Action::Batch, KeyNeeded::Yes},
    Hall::Route{kBatchesPrefix, "DELETE", Action::Batch, KeyNeeded::Yes},
    Hall::Route{"/v1/models", "GET", Action::ModelList, KeyNeeded::Yes},
    Hall::Route{kModelPrefix, "GET", Action::Model, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/status", "GET", Action::Status, KeyNeeded::Yes},
    Hall::Route{"/metrics", "GET", Action::Metrics, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache", "POST", Action::Cache, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/stats", "GET", Action::CacheStats, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/list", "GET", Action::CacheList, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/why", "GET", Action::CacheWhy, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/probe", "POST", Action::CacheProbe, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/clear", "POST", Action::CacheClear, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/pin", "POST", Action::CachePin, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/unpin", "POST", Action::CacheUnpin, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/export", "POST", Action::CacheExport, KeyNeeded::Yes},
    Hall::Route{"/v1/hearth/cache/import", "POST", Action::CacheImport, KeyNeeded::Yes},
    Hall::Route{"/", "GET", Action::Root, KeyNeeded::No},
    Hall::Route{"/api/hello", "GET", Action::Hello, KeyNeeded::No},
    Hall::Route{"/health", "GET", Action::Health, KeyNeeded::No},
    Hall::Route{"/v1/health", "GET", Action::Health, KeyNeeded::No},
};

bool method_fits(const Hall::Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && route.method == "GET");
}

bool path_fits(const Hall::Route& route, std::string_view path) {
  const bool prefix = route.path.size() > 1 && route.path.ends_with('/');
  return prefix ? path.starts_with(route.path) && path.size() > route.path.size() : path == route.path;
}

// Of several lines with this path the one that takes the method, or else the first.
const Hall::Route* find_route(std::string_view path, std::string_view method) {
  const Hall::Route* found = nullptr;
  for (const auto& route : kRoutes) {
    if (!path_fits(route, path)) continue;
    if (method_fits(route, method)) return &route;
    if (found == nullptr) found = &route;
  }
  return found;
}

std::string methods_of(std::string_view path) {
  std::string methods;
  for (const auto& route : kRoutes)
    if (path_fits(route, path)) methods += std::string(route.method) + (route.method == "GET" ? ", HEAD, " : ", ");
  return methods + "OPTIONS";
}

std::int64_t unix_now_s() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

// A preflight carries no key, by design of the browsers.
KeyNeeded key_needed_for(const http::Request& request, const Hall::Route* route) {
  if (request.method == "OPTIONS") return KeyNeeded::No;
  return route != nullptr ? route->key_needed : KeyNeeded::Yes;
}

// A browser asks first whether a page of its origin may call. The origin was checked before this.
void answer_preflight(const std::shared_ptr<Call>& call) {
  const auto* headers = call->request().header("access-control-request-headers");
  call->respond({.status = 204,
                 .headers = {{"access-control-allow-methods", "GET, HEAD, POST, DELETE, OPTIONS"},
                             {"access-control-allow-headers", headers ? *headers : "*"},
                             {"access-control-max-age", "600"}},
                 .body = ""});
}

}  // namespace

Hall::Hall(AccessRules access, KeepAliveRules keep_alive, const Clock& clock, std::string pdf_program,
           std::string batch_folder)
    : access_(std::move(access)),
      clock_(clock),
      desk_{
          .models = {}, .pdfs = documents::PdfReader(std::move(pdf_program)), .running = {}, .keep_alive = keep_alive},
      batches_(
          std::move(batch_folder),
          [this](std::shared_ptr<http::Exchange> exchange, const BatchOwner& owner) {
            answer_batched(std::move(exchange), owner);
          },
          clock, unix_now_s) {}

// The access was checked when the batch was made.
void Hall::answer_batched(std::shared_ptr<http::Exchange> exchange, const BatchOwner& owner) {
  const auto call = std::make_shared<Call>(std::move(exchange), log_, clock_);
  call->record.owner = owner.owner;
  call->record.cache_salt = owner.cache_salt;
  answer_message(call, desk_, CameBy::Batch);
}

bool Hall::takes_body(const http::Request& head) const {
  const Route* route = find_route(plain_path(head.path), head.method);
  // What is open to everybody has no use for a body: else strangers could fill the room that all bodies share.
  return key_needed_for(head, route) == KeyNeeded::Yes && check_access(access_, head, KeyNeeded::Yes).has_value();
}

void Hall::handle(std::shared_ptr<http::Exchange> exchange) {
  const auto call = std::make_shared<Call>(std::move(exchange), log_, clock_);
  const http::Request& request = call->request();
  const std::string_view path = plain_path(request.path);
  const Route* route = find_route(path, request.method);
  const bool preflight = request.method == "OPTIONS";

  if (auto allowed = check_access(access_, request, key_needed_for(request, route)); !allowed)
    return call->respond_error(allowed.error());
  call->record.owner = owner_of(access_, request);
  call->record.cache_salt = cache_salt(access_, request);
  if (const auto* origin = request.header("origin")) {
    call->add_header("access-control-allow-origin", *origin);
    call->add_header("access-control-expose-headers", "request-id, retry-after");
    call->add_header("vary", "origin");
  }
  if (preflight) return answer_preflight(call);
  if (!route) {
    return call->respond_error(
        {ErrorKind::NotFound, std::format("there is no {} {} here; the Anthropic Messages API is "
                                          "at POST /v1/messages",
                                          request.method, replace_invalid_utf8(request.path))});
  }
  if (!method_fits(*route, request.method)) {
    const std::string methods = methods_of(path);
    call->add_header("allow", methods);
    return call->respond_error(
        405, {ErrorKind::InvalidInput, std::format("{} takes {}, not {}", path, methods, request.method)});
  }
  dispatch(call, *route, path);
}

void Hall::dispatch(const std::shared_ptr<Call>& call, const Route& route, std::string_view path) {
  if (refusing_s_ > 0 && route.method == "POST") {
    call->set_retry_after_s(refusing_s_);
    return call->respond_error({ErrorKind::Unavailable, "the server is shutting down; ask again when it is back"});
  }
  if (is_operators(route.action) && !is_operator(access_, call->request()))
    return call->respond_error({ErrorKind::Forbidden, "the cache is everybody's: only the first key may change it"});
  switch (route.action) {
    case Action::Messages: return answer_message(call, desk_);
    case Action::CountTokens: return answer_count_tokens(call, desk_);
    case Action::BatchCreate: return answer_batch_create(call, batches_);
    case Action::BatchList: return answer_batch_list(call, batches_);
    case Action::Batch: return answer_batch(call, batches_, path.substr(kBatchesPrefix.size()));
    case Action::ModelList: return answer_model_list(call, desk_.models);
    case Action::Model: return answer_model(call, desk_.models, path.substr(kModelPrefix.size()));
    case Action::Status: return answer_status(call, desk_.models, log_);
    case Action::Metrics: return answer_metrics(call, desk_.models, log_);
    case Action::Cache: return answer_cache_budget(call, desk_.models);
    case Action::CacheStats: return answer_cache_stats(call, desk_.models);
    case Action::CacheList: return answer_cache_list(call, desk_.models, viewer_of(access_, *call));
    case Action::CacheWhy: return answer_cache_why(call, log_, viewer_of(access_, *call));
    case Action::CacheProbe: return answer_cache_probe(call, desk_.models, desk_.pdfs);
    case Action::CacheClear: return answer_cache_clear(call, desk_.models, viewer_of(access_, *call));
    case Action::CachePin: return answer_cache_hold(call, desk_.models, Hold::Pin);
    case Action::CacheUnpin: return answer_cache_hold(call, desk_.models, Hold::Unpin);
    case Action::CacheExport: return answer_cache_export(call, desk_.models);
    case Action::CacheImport: return answer_cache_import(call, desk_.models);
    case Action::Health: return answer_health(call, desk_.models, refusing_s_ > 0);
    case Action::Hello: return call->respond_json(200, Json::object({{"hello", "hearth"}}));
    case Action::Root: return answer_root(call, desk_.models);
  }
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, const Clock& clock) {
  TRY(check_bind(options.access));
  auto server = std::unique_ptr<Server>(new Server(options, clock));
  Hall& hall = server->hall_;
  hall.batches().load();  // before anybody can ask for one
  options.http.takes_body = [&hall](const http::Request& head) { return hall.takes_body(head); };
  TRY_ASSIGN(server->http_, http::Server::start(
                                std::move(options.http),
                                [&hall](std::shared_ptr<http::Exchange> exchange) { hall.handle(std::move(exchange)); },
                                plain_error_response));
  hall.batches().start();
  return server;
}

Server::Server(const ServerOptions& options, const Clock& clock)
    : hall_(options.access, options.keep_alive, clock, options.pdf_program, options.batch_folder) {
  hall_.desk().waiting_max = options.waiting_max;
}

Server::~Server() { stop(); }

void Server::begin_drain(std::int64_t retry_after_s) {
  hall_.refuse_new_work(retry_after_s);
  hall_.batches().begin_stop();  // what of them runs is run again after the next start
}

void Server::stop() {
  hall_.batches().stop();
  if (http_) http_->stop();
}

}  // namespace hearth::server
