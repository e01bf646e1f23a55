// See status.h.
#include "server/status.h"

#include <format>
#include <optional>
#include <utility>
#include <vector>

#include "base/utf8.h"

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

// Gathers the engines' counters; answers when all are here or the time is over. I/O thread only, once begun.
struct StatusGathering {
  std::shared_ptr<Call> call;
  const RequestLog* log = nullptr;
  LoadingState loading;
  std::vector<Json> models;
  std::size_t missing_count = 0;
  bool answered = false;

  void answer() {
    if (std::exchange(answered, true)) return;
    Json list = Json::array();
    for (auto& model : models) list.push(std::move(model));
    Json body = Json::object({{"version", HEARTH_VERSION}, {"models", std::move(list)}});
    if (loading.loading) {
      body.set("loading", Json::object({{"name", loading.name}, {"fraction", static_cast<double>(loading.fraction)}}));
    }
    body.set("requests_total", log->totals_json());
    body.set("requests", log->counters_json());
    body.set("repairs", log->repairs_json());
    body.set("recent", log->recent_json(call->record.cache_salt));
    call->respond_json(200, body);
  }
};

}  // namespace

void answer_root(const std::shared_ptr<Call>& call, const ServedModels& models) {
  std::string text = "Hearth serves the Anthropic Messages API here: POST /v1/messages\n";
  for (const auto& model : models.all()) text += std::format("model: {}\n", model->card.id);
  if (models.loading().loading) text += "still loading\n";
  call->respond({.status = 200, .headers = {{"content-type", "text/plain; charset=utf-8"}}, .body = std::move(text)});
}

void answer_health(const std::shared_ptr<Call>& call, const ServedModels& models) {
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
  auto gathering = std::make_shared<StatusGathering>();
  gathering->call = call;
  gathering->log = &log;
  gathering->loading = models.loading();
  call->exchange()->post([gathering, all = models.all()] {
    gathering->missing_count = all.size();
    for (const auto& model : all) gathering->models.push_back(model_status(*model));
    if (all.empty()) return gathering->answer();
    gathering->call->exchange()->after_ms(kStatsWait_ms, [gathering] { gathering->answer(); });
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i]->engine->stats([gathering, i](Result<link::StatsReply> reply) {
        gathering->call->exchange()->post([gathering, i, reply = std::move(reply)] {
          if (gathering->answered) return;
          if (reply) gathering->models[i].set("counters", counters_json(*reply));
          if (--gathering->missing_count == 0) gathering->answer();
        });
      });
    }
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
