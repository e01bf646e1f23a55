// The bytes before a response's body, and the framing of a stream's chunks. Pure functions.
#pragma once

#include <cstddef>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "http/http.h"

namespace hearth::http {

enum class Framing { Length, Chunked, UntilClose, NoBody };
enum class Reuse { KeepAlive, KeepAlive10, Close };  // KeepAlive10: an HTTP/1.0 client must be told

// Status line and headers with their empty line. Headers that are this room's (Content-Length, Transfer-Encoding,
// Connection, Date) are skipped when the caller gives them; control characters in values become spaces.
[[nodiscard]] std::string response_head(int status, const Headers& headers, Framing framing, std::size_t body_bytes,
                                        Reuse reuse, std::time_t now);

// True when this status never carries a body (1xx, 204, 304).
[[nodiscard]] bool status_has_no_body(int status);
// True when the caller's headers ask for the connection to end with this response.
[[nodiscard]] bool asks_to_close(const Headers& headers);
// "1f\r\n": what goes before a chunk of that many bytes; "\r\n" goes behind.
[[nodiscard]] std::string chunk_head(std::size_t bytes);
// "Sun, 06 Nov 1994 08:49:37 GMT"
[[nodiscard]] std::string http_date(std::time_t now);

}  // namespace hearth::http
