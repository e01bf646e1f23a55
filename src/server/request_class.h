// What kind of work a request is, for the order in which the engine takes it. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "link/job.h"
#include "wire/anthropic_request.h"

namespace hearth::server {

// Side: what a client asks beside the conversation and a person does not wait for at that moment: titles, summaries of a
// line, classifiers, quota probes. They are known by their shape: no tools, a short prompt, a short answer or one held
// to a schema.
[[nodiscard]] link::Priority priority_of(const wire::MessagesRequest& request, std::size_t body_bytes);

// "interactive", "side", "batch"
[[nodiscard]] std::string_view name_of(link::Priority priority);

}  // namespace hearth::server
