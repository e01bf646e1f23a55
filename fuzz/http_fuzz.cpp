// Fuzzes the HTTP request parser: any bytes are a request, a refusal or a wish for more, the same one however they are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/request_parser.h"

namespace {
using hearth::http::Request;
using hearth::http::RequestParser;

// What became of the input when it came `step` bytes at a time.
std::string outcome(std::string_view input, std::size_t step) {
  RequestParser parser(4096, 4096);  // small, so that the fuzzer meets the limits
  std::string held;
  while (!input.empty()) {
    held += input.substr(0, step);
    input.remove_prefix(std::min(step, input.size()));
    for (;;) {
      const RequestParser::Step result = parser.push(held);
      held.erase(0, result.consumed);
      if (result.progress == RequestParser::Progress::Failed) return "failed";
      if (result.progress == RequestParser::Progress::Complete) {
        const Request request = parser.take_request();
        std::string all = request.method + ' ' + request.path + '?' + request.query + '\n' + request.body;
        for (const auto& [name, value] : request.headers) all += '\n' + name + '=' + value;
        return all;
      }
      if (result.progress != RequestParser::Progress::HeaderDone || held.empty()) break;
    }
  }
  return "more";
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = outcome(bytes, size + 1);
  if (outcome(bytes, 1) != whole || outcome(bytes, 7) != whole) std::abort();
  return 0;
}
