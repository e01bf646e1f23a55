// Result: how every room reports the world's errors (bad input, missing files, a dead peer).
// Our own mistakes are CHECKs (base/check.h), never Errors; user input never trips a CHECK.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace hearth {

// What the caller can do about an error; the wire maps each kind to one HTTP status.
enum class ErrorKind {
  InvalidInput,   // the request or file is wrong; repeating it will not help
  Unauthorized,   // no key, or a wrong one
  Forbidden,      // a Host or Origin that is not allowed
  NotFound,       // no such route, model, file or job
  TooLarge,       // over a named limit in bytes
  PromptTooLong,  // over the context window in tokens
  RateLimited,    // this caller sends too much
  Overloaded,     // a queue is full; try again later
  Unavailable,    // a part that is needed is down or was stopped
  NoMemory,       // the pre-flight or an allocation says it does not fit
  Io,             // the operating system refused; the message carries its words
  Internal,       // a fault on our side that could be reported instead of CHECKed
};

struct Error {
  ErrorKind kind = ErrorKind::Internal;
  std::string message;  // one sentence for a person, naming the next step where there is one
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return std::unexpected<Error>(Error{kind, std::move(message)});
}

}  // namespace hearth

// TRY(expression): the value of a Result, or return its error from this function.
// The two-step macro keeps the temporary's name unique per line.
#define HEARTH_CONCAT_INNER(a, b) a##b
#define HEARTH_CONCAT(a, b) HEARTH_CONCAT_INNER(a, b)
#define TRY_ASSIGN(declaration, expression)                                                                           \
  auto HEARTH_CONCAT(result_, __LINE__) = (expression);                                                               \
  if (!HEARTH_CONCAT(result_, __LINE__)) return std::unexpected(std::move(HEARTH_CONCAT(result_, __LINE__)).error()); \
  declaration = std::move(*HEARTH_CONCAT(result_, __LINE__))
#define TRY(expression)                                                           \
  do {                                                                            \
    auto result_of_try = (expression);                                            \
    if (!result_of_try) return std::unexpected(std::move(result_of_try).error()); \
  } while (false)
