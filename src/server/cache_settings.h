// POST /v1/hearth/cache {"ram_bytes": 1073741824} or {"ram_bytes": "auto"}: how much RAM the prefix cache of each model may
// use from now on. Answers with what was set. What is over a smaller budget leaves the cache at once; nothing else changes.
#pragma once

#include <memory>

#include "server/call.h"
#include "server/served_models.h"

namespace hearth::server {

void answer_cache_budget(const std::shared_ptr<Call>& call, const ServedModels& models);

}  // namespace hearth::server
