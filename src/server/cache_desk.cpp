// See cache_desk.h. Each answer asks the engine of one model: the one that ?model= or the body names, else the first.
#include "server/cache_desk.h"

#include <charconv>
#include <format>
#include <optional>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "server/cache_verdict.h"
#include "server/prepared_prompt.h"
#include "server/status.h"
#include "wire/anthropic_request.h"

namespace hearth::server {
namespace {

constexpr std::size_t kNameBytesMax = 1024;

// The value of one member of "a=b&c=d"; empty when it is not there.
std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view member = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), member.size() + 1));
    if (member.size() > name.size() && member.starts_with(name) && member[name.size()] == '=')
      return percent_decoded(member.substr(name.size() + 1));
  }
  return {};
}

Result<std::uint64_t> query_number(std::string_view query, std::string_view name) {
  const std::string text = query_value(query, name);
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || (read.ec == std::errc{} && read.ptr == text.data() + text.size())) return value;
  return fail(ErrorKind::InvalidInput, std::format("?{}= is no whole number", name));
}

Result<std::shared_ptr<const ServedModel>> model_of(const Call& call, const ServedModels& models) {
  const std::string name = query_value(call.request().query, "model");
  if (name.empty()) return models.choose(name);
  if (auto model = models.find(name)) return model;
  return fail(ErrorKind::NotFound, std::format("model: {} is not served here; GET /v1/models lists what is",
                                               replace_invalid_utf8(name.substr(0, kNameBytesMax))));
}

Json spans_json(const std::vector<link::TierSpan>& spans) {
  Json list = Json::array();
  std::uint32_t begin = 0;
  for (const auto& span : spans) {
    list.push(Json::object({{"begin", begin}, {"end", span.end}, {"tier", word(span.tier)}}));
    begin = span.end;
  }
  return list;
}

Json line_json(const link::CacheLine& line) {
  return Json::object({{"id", line.id},
                       {"own", line.own},
                       {"pinned", line.pinned},
                       {"tokens", line.tokens},
                       {"uses", line.uses},
                       {"used_ms_ago", line.used_ms_ago},
                       {"tiers", spans_json(line.spans)}});
}

Json numbers_json(const std::map<std::string, std::uint64_t>& numbers) {
  Json json = Json::object();
  for (const auto& [name, value] : numbers) json.set(name, value);
  return json;
}

// Asks, and answers with what `tell` makes of the reply.
template <class Tell>
void ask_cache(const std::shared_ptr<Call>& call, const std::shared_ptr<const ServedModel>& model,
               link::CacheRequest request, Tell tell) {
  model->engine->cache(std::move(request), [call, tell = std::move(tell)](Result<link::CacheReply> reply) {
    call->exchange()->post([call, tell, reply = std::move(reply)] {
      if (!reply) return call->respond_error(reply.error());
      tell(*reply);
    });
  });
}

Json explanation_json(const RequestRecord& record, bool with_text) {
  const link::Explanation& told = *record.explanation;
  const CacheVerdict verdict = judge(record.places, told);
  Json json = Json::object({{"known_tokens", told.known_tokens},
                            {"line_tokens", told.line_tokens},
                            {"lost", word(told.lost)},
                            {"beyond", word(told.beyond)},
                            {"too_much", verdict.too_much}});
  if (!verdict.why.empty()) json.set("why", verdict.why);
  if (!verdict.cure.empty()) json.set("cure", verdict.cure);
  if (told.gone)
    json.set("gone", Json::object({{"position", told.gone->position},
                                   {"ms_ago", told.gone->ms_ago},
                                   {"for_tokens", told.gone->for_tokens}}));
  if (told.beyond == link::Beyond::Differs && with_text)
    json.set("text", Json::object({{"before", replace_invalid_utf8(told.before)},
                                   {"was", replace_invalid_utf8(told.was)},
                                   {"is", replace_invalid_utf8(told.is)}}));
  return json;
}

Result<link::CacheRequest> named_line(const Call& call, link::CacheAction action) {
  TRY_ASSIGN(const Json body, Json::parse(call.request().body));
  link::CacheRequest request{.action = action, .cache_salt = call.record.cache_salt, .line = body.string_at("line")};
  if (request.line.empty() || request.line.size() > kNameBytesMax)
    return fail(ErrorKind::InvalidInput, "line: give the id of a line, as GET /v1/hearth/cache/list shows it");
  return request;
}

}  // namespace

Viewer viewer_of(const AccessRules& rules, const Call& call) {
  return {.salt = call.record.cache_salt,
          .is_operator = is_operator(rules, call.request()),
          .shares = rules.cache_sharing == CacheSharing::All && rules.api_keys.size() > 1};
}

void answer_cache_stats(const std::shared_ptr<Call>& call, const ServedModels& models) {
  const auto model = model_of(*call, models);
  if (!model) return call->respond_error(model.error());
  (*model)->engine->stats([call, model = *model](Result<link::StatsReply> reply) {
    call->exchange()->post([call, model, reply = std::move(reply)] {
      if (!reply) return call->respond_error(reply.error());
      call->respond_json(200, Json::object({{"model", model->card.id},
                                            {"memory_kind", model->hello->memory_kind},
                                            {"kv_types", model->hello->kv_types},
                                            {"turns", model->turns->turn_count()},
                                            {"turn_bytes", model->turns->bytes()},
                                            {"counters", numbers_json(reply->counters)}}));
    });
  });
}

void answer_cache_list(const std::shared_ptr<Call>& call, const ServedModels& models, const Viewer& viewer) {
  const auto model = model_of(*call, models);
  if (!model) return call->respond_error(model.error());
  ask_cache(call, *model,
            {.action = link::CacheAction::List, .cache_salt = viewer.salt, .every_key = viewer.is_operator},
            [call, id = (*model)->card.id](const link::CacheReply& reply) {
              Json lines = Json::array();
              for (const auto& line : reply.lines) lines.push(line_json(line));
              call->respond_json(200, Json::object({{"model", id}, {"lines", std::move(lines)}}));
            });
}

void answer_cache_why(const std::shared_ptr<Call>& call, const RequestLog& log, const Viewer& viewer) {
  const std::string model = query_value(call->request().query, "model");
  Json list = Json::array();
  for (const RequestRecord& record : log.recent()) {
    const bool own = record.cache_salt == viewer.salt;
    if (!model.empty() && record.model != model && record.served_model != model) continue;
    if (!own && !viewer.is_operator) continue;
    Json json = Json::object({{"request_id", record.request_id},
                              {"model", record.model},
                              {"own", own},
                              {"prompt_tokens", record.prompt_tokens},
                              {"cached_tokens", record.cached_tokens}});
    // Where keys share a cache, the known line may be another key's.
    const bool with_text = own && (!viewer.shares || viewer.is_operator);
    if (record.explanation) json.set("computed", explanation_json(record, with_text));
    list.push(std::move(json));
  }
  call->respond_json(200, Json::object({{"requests", std::move(list)}}));
}

void answer_cache_probe(const std::shared_ptr<Call>& call, const ServedModels& models, documents::PdfReader& pdfs) {
  auto request =
      wire::decode_count_tokens(call->request().body, [&pdfs](std::string_view pdf) { return pdfs.text(pdf); });
  if (!request) return call->respond_error(request.error());
  const auto chosen =
      query_value(call->request().query, "model").empty() ? models.choose(request->model) : model_of(*call, models);
  if (!chosen) return call->respond_error(chosen.error());
  auto prepared = prepare_prompt(**chosen, std::move(request->conversation));
  if (!prepared) return call->respond_error(prepared.error());
  auto asked = [call, model = *chosen,
                ends = std::move(prepared->boundary_segments)](Result<link::TokenizeReply> reply) {
    if (!reply) return call->exchange()->post([call, error = reply.error()] { call->respond_error(error); });
    if (reply->count >= model->context_tokens())
      return call->exchange()->post([call, error = wire::prompt_too_long(reply->count, model->context_tokens() - 1)] {
        call->respond_error(error);
      });
    const auto boundaries = boundary_positions(ends, reply->segment_ends, reply->tokens.size());
    const auto places = places_of(boundaries, reply->count);
    model->engine->probe({.cache_salt = call->record.cache_salt, .tokens = std::move(reply->tokens)},
                         [call, model, places](Result<link::ProbeReply> found) {
                           call->exchange()->post([call, model, places, found = std::move(found)] {
                             if (!found) return call->respond_error(found.error());
                             call->respond_json(200, Json::object({{"model", model->card.id},
                                                                   {"prompt_tokens", places.prompt_tokens},
                                                                   {"cached_tokens", found->cached_tokens},
                                                                   {"instructions_end", places.instructions_end},
                                                                   {"previous_turn_end", places.previous_turn_end},
                                                                   {"tiers", spans_json(found->spans)}}));
                           });
                         });
  };
  (*chosen)->engine->tokenize(std::move(prepared->segments), false, std::move(asked));
}

void answer_cache_hold(const std::shared_ptr<Call>& call, const ServedModels& models, Hold hold) {
  const auto model = model_of(*call, models);
  if (!model) return call->respond_error(model.error());
  auto request = named_line(*call, hold == Hold::Pin ? link::CacheAction::Pin : link::CacheAction::Unpin);
  if (!request) return call->respond_error(request.error());
  ask_cache(call, *model, std::move(*request),
            [call](const link::CacheReply& reply) { call->respond_json(200, numbers_json(reply.numbers)); });
}

void answer_cache_clear(const std::shared_ptr<Call>& call, const ServedModels& models, const Viewer& viewer) {
  const auto model = model_of(*call, models);
  if (!model) return call->respond_error(model.error());
  const std::string& body = call->request().body;
  const auto asked = Json::parse(body.empty() ? "{}" : body);
  if (!asked) return call->respond_error(asked.error());
  const Json* all = asked->find("every_key");
  const bool every_key = all != nullptr && all->is_boolean() && all->as_boolean();
  if ((every_key || viewer.shares) && !viewer.is_operator)  // with --share-cache what is its own is everybody's
    return call->respond_error({ErrorKind::Forbidden, "only the first key may clear what belongs to the others"});
  ask_cache(call, *model, {.action = link::CacheAction::Clear, .cache_salt = viewer.salt, .every_key = every_key},
            [call](const link::CacheReply& reply) { call->respond_json(200, numbers_json(reply.numbers)); });
}

void answer_cache_export(const std::shared_ptr<Call>& call, const ServedModels& models) {
  const auto model = model_of(*call, models);
  if (!model) return call->respond_error(model.error());
  const auto offset = query_number(call->request().query, "offset");
  if (!offset) return call->respond_error(offset.error());
  auto request = named_line(*call, link::CacheAction::Export);
  if (!request) return call->respond_error(request.error());
  request->offset = *offset;
  ask_cache(call, *model, std::move(*request), [call](const link::CacheReply& reply) {
    const auto total = reply.numbers.find("total_bytes");
    http::Headers headers = {{"content-type", "application/octet-stream"}};
    if (total != reply.numbers.end()) headers.emplace_back("x-hearth-total-bytes", std::to_string(total->second));
    call->respond({.status = 200, .headers = std::move(headers), .body = reply.bytes});
  });
}

void answer_cache_import(const std::shared_ptr<Call>& call, const ServedModels& models) {
  const auto model = model_of(*call, models);
  if (!model) return call->respond_error(model.error());
  const auto offset = query_number(call->request().query, "offset");
  if (!offset) return call->respond_error(offset.error());
  if (call->request().body.size() > link::kTrunkPartBytesMax)
    return call->respond_error(
        {ErrorKind::TooLarge,
         std::format("give the file in parts of at most {} bytes, each with ?offset=", link::kTrunkPartBytesMax)});
  ask_cache(call, *model,
            {.action = link::CacheAction::Import,
             .cache_salt = call->record.cache_salt,
             .offset = *offset,
             .bytes = call->request().body},
            [call](const link::CacheReply& reply) { call->respond_json(200, numbers_json(reply.numbers)); });
}

}  // namespace hearth::server
