// See request_class.h.
#include "server/request_class.h"

namespace hearth::server {
namespace {

// Measured: title requests of Claude Code and OpenCode have 2 to 8 KB, its classifier asks for 64 tokens. A compaction
// has no tools either in some clients, but the whole conversation in its body.
constexpr std::size_t kSideBodyBytesMax = 24 * 1024;
constexpr std::uint32_t kSideAnswerTokensMax = 256;

}  // namespace

link::Priority priority_of(const wire::MessagesRequest& request, std::size_t body_bytes) {
  const auto& conversation = request.conversation;
  const bool is_short = body_bytes <= kSideBodyBytesMax && conversation.messages.size() <= 2;
  const bool says_little = request.max_tokens <= kSideAnswerTokensMax || !request.output_format.is_null();
  return conversation.tools.empty() && is_short && says_little ? link::Priority::Side : link::Priority::Interactive;
}

std::string_view name_of(link::Priority priority) {
  switch (priority) {
    case link::Priority::Interactive: return "interactive";
    case link::Priority::Side: return "side";
    case link::Priority::Batch: return "batch";
  }
  return "unknown";
}

}  // namespace hearth::server
