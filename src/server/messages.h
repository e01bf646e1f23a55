// POST /v1/messages and POST /v1/messages/count_tokens: the path of a request, told in one function each. Runs on a
// worker until the prompt is rendered; from the tokens on it lives on the exchange's I/O thread.
#pragma once

#include <cstddef>
#include <memory>

#include "documents/pdf_reader.h"
#include "server/call.h"
#include "server/keep_alive.h"
#include "server/message_stream.h"
#include "server/retry_key.h"
#include "server/served_models.h"
#include "wire/anthropic_request.h"

namespace hearth::server {

// What the path of a request uses of the hall. Outlives every request.
struct MessageDesk {
  ServedModels models;
  documents::PdfReader pdfs;
  RunningJobs running;
  KeepAliveRules keep_alive;
  OutputLimits output;
  std::size_t waiting_max = 256;  // jobs of one model that may wait; an agent with its helpers has some ten
};

// A batch's requests are bounded by the batches themselves, wait for everybody else's, and are never joined.
enum class CameBy { Client, Batch };

void answer_message(const std::shared_ptr<Call>& call, MessageDesk& desk, CameBy came_by = CameBy::Client);

void answer_count_tokens(const std::shared_ptr<Call>& call, MessageDesk& desk);

// No prompt that comes of this request can have more tokens: a token is at least one byte, and templates and
// re-serialised tool schemas grow the body by less than this allows for.
[[nodiscard]] std::size_t prompt_tokens_bound(const wire::MessagesRequest& request, std::size_t body_bytes);

}  // namespace hearth::server
