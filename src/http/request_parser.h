// RequestParser: bytes of one HTTP/1.x request in, one Request out. Beast's parser does the grammar; this adds the rules
// that keep two readers from seeing two different requests (one length only, one Host, no doubtful framing).
// One thread. Used for exactly one request; how the bytes are cut never changes the result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/http.h"

namespace hearth::http {

class RequestParser {
 public:
  enum class Progress { NeedMore, HeaderDone, Complete, Failed };
  struct Step {
    Progress progress = Progress::NeedMore;
    std::size_t consumed = 0;
  };
  struct Failure {
    int status = 400;
    std::string message;
  };

  RequestParser(std::size_t header_bytes_max, std::size_t body_bytes_max);
  ~RequestParser();

  // What is not consumed must be given again, with more behind it. HeaderDone is reported once, and only for a request
  // that has a body. REQUIRES: not Complete or Failed before.
  [[nodiscard]] Step push(std::string_view bytes);

  // After Failed.
  [[nodiscard]] const Failure& failure() const;
  // From HeaderDone on.
  [[nodiscard]] bool expects_continue() const;
  [[nodiscard]] bool keep_alive() const;
  [[nodiscard]] bool is_http_1_0() const;
  // Known before Complete too: a failure inside a HEAD request is answered without a body.
  [[nodiscard]] bool is_head() const;
  // From HeaderDone on.
  [[nodiscard]] const Request& head() const;
  // REQUIRES: Complete, or HeaderDone: then without the body. Once; nothing is pushed after it.
  [[nodiscard]] Request take_request();

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;  // Beast stays out of this header
};

}  // namespace hearth::http
