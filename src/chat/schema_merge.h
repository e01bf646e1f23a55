// Schemas made simpler before they become a grammar: what allOf, $ref with siblings and alternatives with shared keywords
// mean as one schema. Pure.
#pragma once

#include "base/json.h"

namespace hearth::chat {

// Both at once. Where a keyword of both cannot be one, the narrower or the first is taken, so that what the result allows
// may be less than both, never more than either of them says about that keyword.
[[nodiscard]] Json merge_schemas(const Json& first, const Json& second);

// The schema without this member.
[[nodiscard]] Json without_member(const Json& schema, std::string_view key);

// Types as the schema names them ("string", ...), or what its keywords speak of; empty: any.
[[nodiscard]] std::vector<std::string> schema_types(const Json& schema);

}  // namespace hearth::chat
