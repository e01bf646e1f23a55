// See batch_routes.h.
#include "server/batch_routes.h"

#include <algorithm>
#include <charconv>
#include <format>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "server/status.h"

namespace hearth::server {
namespace {

constexpr std::size_t kPageDefault = 20, kPageMost = 1000;  // Anthropic's own
constexpr std::string_view kJsonLines = "application/x-jsonl";
constexpr std::size_t kPiece_bytes = 64 * 1024;  // of results; twice so much waits for a slow client at most

BatchOwner owner_of_call(const Call& call) {
  return {.owner = call.record.owner, .cache_salt = call.record.cache_salt};
}

// The name that the client called us by is the one it can call again, and where something in front of us speaks TLS, so does the
// client: over http:// it would send its key in the open.
std::string results_url(const Call& call, std::string_view id) {
  const std::string* host = call.request().header("host");
  const std::string* scheme = call.request().header("x-forwarded-proto");
  const bool tls = scheme != nullptr && std::string_view(*scheme).substr(0, scheme->find(',')) == "https";
  const std::string base = host != nullptr ? (tls ? "https://" : "http://") + *host : std::string();
  return std::format("{}/v1/messages/batches/{}/results", base, id);
}

Json card_json(const Call& call, wire::BatchCard card) {
  card.results_url = results_url(call, card.id);
  return wire::batch_json(card);
}

void respond_card(const std::shared_ptr<Call>& call, Result<wire::BatchCard> card) {
  if (!card) return call->respond_error(card.error());
  call->respond_json(200, card_json(*call, std::move(*card)));
}

// Not on this worker: there are few, and all other requests need them. `work` waits for the disk; what it returns answers the call, on
// the I/O thread.
template <class Work>
void answer_later(const std::shared_ptr<Call>& call, Batches& batches, std::size_t body_bytes, Work work) {
  const auto taken = batches.call_later(body_bytes, [call, work = std::move(work)]() mutable {
    call->exchange()->post([answer = work()]() mutable { answer(); });
  });
  if (!taken) call->respond_error(taken.error());
}

// "a=1&b=2", percent-decoded.
std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) return percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
  }
  return std::nullopt;
}

Result<std::size_t> page_size(std::string_view query) {
  const auto text = query_value(query, "limit");
  if (!text) return kPageDefault;
  std::size_t limit = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (read.ec != std::errc{} || read.ptr != text->data() + text->size() || limit < 1 || limit > kPageMost)
    return fail(ErrorKind::InvalidInput, std::format("limit: give a number from 1 to {}", kPageMost));
  return limit;
}

// The results on their way to a client that reads as fast as it likes: a piece is read when the one before has left. Begins on
// the I/O thread, goes on by turns there and on the batches' reading line. Kept alive by what it waits for; when that is
// dropped, the client is gone or the server ends.
class ResultsStream : public std::enable_shared_from_this<ResultsStream> {
 public:
  ResultsStream(std::shared_ptr<Call> call, Batches& batches, std::shared_ptr<BatchResults> results)
      : call_(std::move(call)), batches_(batches), results_(std::move(results)) {}
  ~ResultsStream() {
    if (!whole_) call_->exchange()->abort();
  }
  ResultsStream(const ResultsStream&) = delete;
  ResultsStream& operator=(const ResultsStream&) = delete;

  void begin(std::string first) {
    call_->exchange()->begin_stream(200, call_->headers({{"content-type", std::string(kJsonLines)}}));
    call_->record.times.headers_us = call_->since_received_us();
    if (call_->request().method == "HEAD") return end();  // nothing is read for nobody
    send(std::move(first));
  }

 private:
  void send(std::string piece) {
    if (!piece.empty()) call_->exchange()->write(std::move(piece));
    if (results_->at_end()) return end();
    call_->exchange()->when_unsent_at_most(
        kPiece_bytes, [self = shared_from_this()] { self->batches_.read_later([self] { self->go_on(); }); });
  }

  void end() {
    whole_ = true;
    call_->exchange()->finish();
    call_->finish_record(200);
  }

  // Half of the results must not look like all of them: without the rest the connection is cut.
  void go_on() {
    auto piece = results_->next(kPiece_bytes);
    if (piece) return send(std::move(*piece));
    log_info("server", "{}: {}", call_->request_id(), piece.error().message);
  }

  const std::shared_ptr<Call> call_;
  Batches& batches_;
  const std::shared_ptr<BatchResults> results_;
  bool whole_ = false;
};

// Few results are a whole response.
void answer_batch_results(const std::shared_ptr<Call>& call, Batches& batches, const std::string& id) {
  auto results = batches.results(owner_of_call(*call), id);
  if (!results) return call->respond_error(results.error());
  answer_later(call, batches, 0, [call, &batches, results = std::shared_ptr<BatchResults>(std::move(*results))] {
    return [call, &batches, results, first = results->next(kPiece_bytes)]() mutable {
      if (!first) return call->respond_error(first.error());
      if (results->at_end())
        return call->respond(
            {.status = 200, .headers = {{"content-type", std::string(kJsonLines)}}, .body = std::move(*first)});
      std::make_shared<ResultsStream>(call, batches, results)->begin(std::move(*first));
    };
  });
}

}  // namespace

void answer_batch_create(const std::shared_ptr<Call>& call, Batches& batches) {
  const std::size_t body_bytes = call->request().body.size();
  auto requests = wire::decode_batch(call->request().body);
  call->exchange()->drop_body();
  if (!requests) return call->respond_error(requests.error());
  answer_later(call, batches, body_bytes,
               [call, &batches, owner = owner_of_call(*call), requests = std::move(*requests)]() mutable {
                 return [call, card = batches.create(owner, std::move(requests))]() mutable {
                   respond_card(call, std::move(card));
                 };
               });
}

// Newest first; after_id goes on to older ones, before_id back to newer ones.
void answer_batch_list(const std::shared_ptr<Call>& call, const Batches& batches) {
  const std::string& query = call->request().query;
  const auto limit = page_size(query);
  if (!limit) return call->respond_error(limit.error());
  const auto after = query_value(query, "after_id"), before = query_value(query, "before_id");
  if (after && before)
    return call->respond_error({ErrorKind::InvalidInput, "give after_id or before_id, and not both"});
  std::vector<wire::BatchCard> all = batches.list(owner_of_call(*call));
  for (auto& card : all) card.results_url = results_url(*call, card.id);
  auto begin = all.begin(), end = all.end();
  if (after || before) {
    const auto at = std::ranges::find(all, after ? *after : *before, &wire::BatchCard::id);
    if (at == all.end())
      return call->respond_error({ErrorKind::NotFound, after ? "after_id: there is no message batch of that id"
                                                             : "before_id: there is no message batch of that id"});
    (after ? begin : end) = after ? at + 1 : at;
  }
  const bool has_more = end - begin > static_cast<std::ptrdiff_t>(*limit);
  if (has_more && before) begin = end - static_cast<std::ptrdiff_t>(*limit);
  if (has_more && !before) end = begin + static_cast<std::ptrdiff_t>(*limit);
  const std::vector<wire::BatchCard> page(begin, end);
  call->respond_json(200, wire::batch_list_json(page, has_more));
}

void answer_batch(const std::shared_ptr<Call>& call, Batches& batches, std::string_view rest) {
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string id = percent_decoded(rest.substr(0, slash));
  const std::string_view what = rest.substr(slash);
  const std::string& method = call->request().method;
  const BatchOwner owner = owner_of_call(*call);
  const bool reads = method == "GET" || method == "HEAD";
  if (what.empty() && reads) return respond_card(call, batches.find(owner, id));
  if (what == "/cancel" && method == "POST")
    return answer_later(call, batches, 0, [call, &batches, owner, id] {
      return [call, card = batches.cancel(owner, id)]() mutable { respond_card(call, std::move(card)); };
    });
  if (what.empty() && method == "DELETE")
    return answer_later(call, batches, 0, [call, &batches, owner, id] {
      return [call, id, removed = batches.remove(owner, id)] {
        if (!removed) return call->respond_error(removed.error());
        call->respond_json(200, wire::batch_deleted_json(id));
      };
    });
  if (what == "/results" && reads) return answer_batch_results(call, batches, id);
  const std::string_view methods = what.empty()         ? "GET, HEAD, DELETE, OPTIONS"
                                   : what == "/cancel"  ? "POST, OPTIONS"
                                   : what == "/results" ? "GET, HEAD, OPTIONS"
                                                        : "";
  if (methods.empty())
    return call->respond_error({ErrorKind::NotFound, "of a message batch there are /results and /cancel"});
  call->add_header("allow", std::string(methods));
  call->respond_error(405, {ErrorKind::InvalidInput, std::format("{} is taken there, not {}", methods, method)});
}

}  // namespace hearth::server
