// See status.h.
#include "server/status.h"

#include <algorithm>
#include <format>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "server/metrics.h"

namespace hearth::server {
namespace {

// The engine answers within a step of its loop; one that restarts is reported without its counters.
constexpr std::int64_t kStatsWait_ms = 1000;

std::string_view state_name(models::EngineState state) {
  switch (state) {
    case models::EngineState::Loading: return "loading";
    case models::EngineState::Ready: return "ok";
    case models::EngineState::Restarting: return "restarting";
    case models::EngineState::Failed: return "failed";
    case models::EngineState::Stopped: return "stopped";
    case models::EngineState::Unloaded: return "unloaded";
  }
  return "unknown";
}

Json model_status(const ServedModel& model) {
  const auto& hello = *model.hello;
  const auto jobs = model.admission->counts();
  return Json::object({{"id", model.card.id},
                       {"name", hello.name},
                       {"architecture", hello.architecture},
                       {"description", hello.description},
                       {"context_tokens", model.context_tokens()},
                       {"live_context_tokens", model.live_context_tokens()},
                       {"trained_context_tokens", hello.trained_context_tokens},
                       {"parallel", hello.parallel_jobs},
                       {"parameters", hello.parameter_count},
                       {"weights_bytes", hello.weights_bytes},
                       {"memory_kind", hello.memory_kind},
                       {"backend", hello.backend},
                       {"kv_types", hello.kv_types},
                       {"thinking", model.renderer->supports_thinking()},
                       {"dialect", std::string(model.dialect->name)},
                       {"state", state_name(model.engine->state())},
                       {"engine_pid", model.engine->process_id()},
                       {"restart_count", model.engine->restart_count()},
                       {"jobs_waiting", jobs.waiting},
                       {"jobs_running", jobs.running},
                       {"live_jobs", jobs.waiting + jobs.running}});
}

Json counters_json(const link::StatsReply& reply) {
  Json counters = Json::object();
  for (const auto& [name, value] : reply.counters) counters.set(name, value);
  return counters;
}

using Replies = std::vector<std::optional<link::StatsReply>>;  // in the order of the models; none came: nullopt
using AllModels = std::vector<std::shared_ptr<const ServedModel>>;

// Gathers the engines' counters; done when all are here or the time is over. I/O thread only, once begun.
struct Gathering {
  Replies replies;
  std::size_t missing_count = 0;
  std::function<void(const Replies&)> done;  // called once

  void finish() {
    if (const auto call = std::exchange(done, nullptr)) call(replies);
  }
};

// `done` is called on the I/O thread.
void gather(const std::shared_ptr<Call>& call, const AllModels& models, std::function<void(const Replies&)> done) {
  auto gathering = std::make_shared<Gathering>();
  gathering->done = std::move(done);
  call->exchange()->post([call, gathering, models] {
    gathering->replies.resize(models.size());
    gathering->missing_count = models.size();
    if (models.empty()) return gathering->finish();
    call->exchange()->after_ms(kStatsWait_ms, [gathering] { gathering->finish(); });
    for (std::size_t i = 0; i < models.size(); ++i) {
      models[i]->engine->stats([call, gathering, i](Result<link::StatsReply> reply) {
        call->exchange()->post([gathering, i, reply = std::move(reply)]() mutable {
          if (reply) gathering->replies[i] = std::move(*reply);
          if (--gathering->missing_count == 0) gathering->finish();
        });
      });
    }
  });
}

Json status_json(const AllModels& models, const Replies& replies, const LoadingState& loading, const RequestLog& log,
                 std::string_view salt) {
  Json list = Json::array();
  for (std::size_t i = 0; i < models.size(); ++i) {
    Json model = model_status(*models[i]);
    if (replies[i]) model.set("counters", counters_json(*replies[i]));
    list.push(std::move(model));
  }
  Json body = Json::object({{"version", HEARTH_VERSION}, {"models", std::move(list)}});
  if (loading.loading) {
    body.set("loading", Json::object({{"name", loading.name}, {"fraction", static_cast<double>(loading.fraction)}}));
  }
  body.set("requests_total", log.totals_json());
  body.set("requests", log.counters_json());
  body.set("repairs", log.repairs_json());
  body.set("recent", log.recent_json(salt));
  return body;
}

// What each model knows of itself now; one line per model under each name.
std::string gauges(const AllModels& models, const Replies& replies) {
  std::string out;
  const auto gauge = [&](std::string_view name, std::string_view type, std::string_view help, auto value_of) {
    out += metric_head(name, type, help);
    for (std::size_t i = 0; i < models.size(); ++i) {
      const std::optional<double> value = value_of(i);
      if (value) out += metric_line(name, models[i]->card.id, *value);
    }
  };
  const auto counter = [&](std::size_t i, const char* name) -> std::optional<double> {
    if (!replies[i] || !replies[i]->counters.contains(name)) return std::nullopt;
    return static_cast<double>(replies[i]->counters.at(name));
  };
  gauge("vllm:num_requests_running", "gauge", "Jobs that the engine works on.",
        [&](std::size_t i) { return std::optional(static_cast<double>(models[i]->admission->counts().running)); });
  gauge("vllm:num_requests_waiting", "gauge", "Jobs that wait for their turn.",
        [&](std::size_t i) { return std::optional(static_cast<double>(models[i]->admission->counts().waiting)); });
  gauge("vllm:num_preemptions_total", "counter", "Jobs that were set aside for others.",
        [&](std::size_t i) { return counter(i, "jobs_preempted"); });
  gauge("hearth_engine_restarts_total", "counter", "Engines that died and were replaced.",
        [&](std::size_t i) { return std::optional(static_cast<double>(models[i]->engine->restart_count())); });
  gauge("hearth_model_loaded", "gauge", "1 while the model's engine can work.", [&](std::size_t i) {
    return std::optional(models[i]->engine->state() == models::EngineState::Ready ? 1.0 : 0.0);
  });
  out += metric_head("hearth_cache_hit_tokens_total", "counter", "Prompt tokens found in the cache, by tier.");
  for (std::size_t i = 0; i < models.size(); ++i) {
    const double ram = counter(i, "tokens_from_ram").value_or(0), disk = counter(i, "tokens_from_disk").value_or(0);
    const auto line = [&](double tokens, std::string_view tier) {
      out += metric_line("hearth_cache_hit_tokens_total", models[i]->card.id, std::max(tokens, 0.0), tier);
    };
    if (!replies[i]) continue;
    line(counter(i, "tokens_cached").value_or(0) - ram - disk, "tier=\"live\"");
    line(ram, "tier=\"ram\"");
    line(disk, "tier=\"ssd\"");
  }
  std::set<std::string> names;
  for (const auto& reply : replies)
    if (reply)
      for (const auto& [name, value] : reply->counters) names.insert(name);
  for (const std::string& name : names)
    gauge("hearth_engine_" + name, "untyped", "The engine's own counter of this name.",
          [&](std::size_t i) { return counter(i, name.c_str()); });
  return out;
}

}  // namespace

void answer_root(const std::shared_ptr<Call>& call, const ServedModels& models) {
  std::string text = "Hearth serves the Anthropic Messages API here: POST /v1/messages\n";
  for (const auto& model : models.all()) text += std::format("model: {}\n", model->card.id);
  if (models.loading().loading) text += "still loading\n";
  call->respond({.status = 200, .headers = {{"content-type", "text/plain; charset=utf-8"}}, .body = std::move(text)});
}

void answer_health(const std::shared_ptr<Call>& call, const ServedModels& models, bool draining) {
  if (draining) return call->respond_json(503, Json::object({{"status", "draining"}}));
  const auto all = models.all();
  const auto loading = models.loading();
  if (all.empty() || loading.loading) {
    return call->respond_json(
        503, Json::object({{"status", "loading"}, {"progress", static_cast<double>(loading.fraction)}}));
  }
  // One model in trouble is the server in trouble: a health check has one answer.
  auto worst = models::EngineState::Ready;
  for (const auto& model : all) {
    const auto state = model->engine->state();
    if (state == models::EngineState::Failed || state == models::EngineState::Stopped) worst = state;
    if (state == models::EngineState::Restarting && worst == models::EngineState::Ready) worst = state;
  }
  const bool serves = worst == models::EngineState::Ready || worst == models::EngineState::Restarting;
  call->respond_json(serves ? 200 : 503, Json::object({{"status", state_name(worst)}}));
}

void answer_model_list(const std::shared_ptr<Call>& call, const ServedModels& models) {
  std::vector<wire::ModelCard> cards;
  for (const auto& model : models.all()) cards.push_back(model->card_now());
  call->respond_json(200, wire::model_list_json(cards));
}

void answer_model(const std::shared_ptr<Call>& call, const ServedModels& models, std::string_view id) {
  const std::string wanted = percent_decoded(id);
  if (const auto model = models.find(wanted)) return call->respond_json(200, wire::model_json(model->card_now()));
  call->respond_error({ErrorKind::NotFound, std::format("model: {} is not served here; GET /v1/models lists what is",
                                                        replace_invalid_utf8(wanted))});
}

void answer_status(const std::shared_ptr<Call>& call, const ServedModels& models, const RequestLog& log) {
  const AllModels all = models.all();
  gather(call, all, [call, all, loading = models.loading(), &log](const Replies& replies) {
    call->respond_json(200, status_json(all, replies, loading, log, call->record.cache_salt));
  });
}

void answer_metrics(const std::shared_ptr<Call>& call, const ServedModels& models, const RequestLog& log) {
  const AllModels all = models.all();
  gather(call, all, [call, all, &log](const Replies& replies) {
    std::string text = gauges(all, replies) + log.metrics().prometheus();
    text += metric_head("hearth_unsent_bytes", "gauge", "Bytes of all answers that wait for their clients.");
    text += std::format("hearth_unsent_bytes {}\n", call->exchange()->unsent_bytes_of_all());
    call->respond({.status = 200,
                   .headers = {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
                   .body = std::move(text)});
  });
}

std::string percent_decoded(std::string_view text) {
  const auto hex = [](char c) -> std::optional<int> {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return std::nullopt;
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size();
    const auto high = escape ? hex(text[i + 1]) : std::nullopt;
    const auto low = escape ? hex(text[i + 2]) : std::nullopt;
    if (high && low) {
      decoded.push_back(static_cast<char>(*high * 16 + *low));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

}  // namespace hearth::server
