// The routes of the Message Batches API: create, look, list, cancel, delete, results. Runs on a worker; what
// needs the disk goes on where a slow disk makes nobody else wait (Batches::call_later).
#pragma once

#include <memory>
#include <string_view>

#include "server/batches.h"
#include "server/call.h"

namespace hearth::server {

// POST and GET /v1/messages/batches.
void answer_batch_create(const std::shared_ptr<Call>& call, Batches& batches);
void answer_batch_list(const std::shared_ptr<Call>& call, const Batches& batches);
// GET and DELETE /v1/messages/batches/{id}, GET .../{id}/results, POST .../{id}/cancel. `rest` is what follows the prefix.
void answer_batch(const std::shared_ptr<Call>& call, Batches& batches, std::string_view rest);

}  // namespace hearth::server
