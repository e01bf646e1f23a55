// Who listens on a TCP port of this machine, as far as /proc tells. Reads files only; bounded.
#pragma once

#include <cstdint>
#include <string>

namespace hearth::http {

// "llama-server, process 4711", or empty when it cannot be known (another user's process, not Linux).
[[nodiscard]] std::string port_owner(std::uint16_t port);

}  // namespace hearth::http
