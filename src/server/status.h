// The small routes: who lives here, is it well, what has it done. None of them waits for the engine's work.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/call.h"
#include "server/request_log.h"
#include "server/served_models.h"

namespace hearth::server {

// GET /: a few words for a person who opens the address.
void answer_root(const std::shared_ptr<Call>& call, const ServedModels& models);
// GET /health: 200 while messages are taken (a restarting engine takes them, an unloaded one is loaded for them), 503 while
// loading, after a failure, or while the server is shutting down.
void answer_health(const std::shared_ptr<Call>& call, const ServedModels& models, bool draining);
// GET /v1/models and /v1/models/{id}.
void answer_model_list(const std::shared_ptr<Call>& call, const ServedModels& models);
void answer_model(const std::shared_ptr<Call>& call, const ServedModels& models, std::string_view id);
// GET /v1/hearth/status: engines, counters, the last requests with the times of their steps.
void answer_status(const std::shared_ptr<Call>& call, const ServedModels& models, const RequestLog& log);
// GET /metrics: the same in numbers, for Prometheus (docs/metrics.md).
void answer_metrics(const std::shared_ptr<Call>& call, const ServedModels& models, const RequestLog& log);

// "%3A" -> ":"; broken escapes stay as they are.
[[nodiscard]] std::string percent_decoded(std::string_view text);

}  // namespace hearth::server
