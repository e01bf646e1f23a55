// Model text into events, per dialect and kind of text: MB/s when it comes in large pieces, then the time the parser (and the
// loop detector) add to a token of four bytes: mean, the slowest of 1,000 and the slowest of all. Medians of 5 runs.
// The aims: 50 MB/s, 20 us a token.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "chat/loop_detector.h"
#include "chat/stream_parser.h"

namespace {

using namespace hearth;
using namespace hearth::chat;
using Clock = std::chrono::steady_clock;

constexpr int kRuns = 5;
constexpr std::size_t kTextBytes = std::size_t{4} << 20;
constexpr std::size_t kPieceBytes = 1024;
constexpr std::size_t kTokenBytes = 4;
constexpr std::size_t kTokenTextBytes = std::size_t{1} << 19;

struct Kind {
  const char* name;
  const char* dialect;
  bool opened;
  std::string begin;
  std::string body;  // repeated
  std::string end;
};

std::vector<Kind> kinds() {
  const std::string prose = "The parser reads this line, then the next one; a < b and c[1] are `code` in it.\n";
  const std::string code = "  if (a[i] < b->size() && map[\"key\"] == '}') { return f(x, {1, 2}); }  // <tag> done\n";
  const std::string in_json = "  if (a[i] < b->size() && map[\\\"key\\\"] == '}') { return f(x, {1, 2}); }\\n";
  const std::string calls =
      "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": \"/src/a.cpp\", \"limit\": 40}}\n</tool_call>\n";
  return {
      {"prose", "qwen3", false, "", prose, ""},
      {"code in a fence", "qwen3", false, "```cpp\n", code, "```\n"},
      {"a thought", "qwen3", true, "", prose, "</think>\nok"},
      {"a file in JSON", "qwen3", false,
       "<tool_call>\n{\"name\": \"Write\", \"arguments\": {\"path\": \"/a\", \"content\": \"", in_json,
       "\"}}\n</tool_call>"},
      {"a file between tags", "qwen3-coder", false,
       "<tool_call>\n<function=Write>\n<parameter=path>\n/a\n</parameter>\n<parameter=content>\n", code,
       "</parameter>\n</function>\n</tool_call>"},
      {"many calls", "qwen3", false, "", calls, ""},
      {"many bare calls", "generic", false, "",
       "{\"name\": \"Read\", \"arguments\": {\"path\": \"/src/a.cpp\", \"limit\": 40}}\n", ""},
      {"many tagged calls", "qwen3-coder", false, "",
       "<tool_call>\n<function=Read>\n<parameter=path>\n/src/a.cpp\n</parameter>\n<parameter=limit>\n40\n</parameter>\n"
       "</function>\n</tool_call>\n",
       ""},
      {"a file in DSML", "deepseek-v4", false,
       "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"Write\">\n<｜DSML｜parameter name=\"content\" string=\"true\">",
       code, "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>"},
      {"a Harmony answer", "gpt-oss", false, "<|channel|>final<|message|>", prose, "<|return|>"},
  };
}

StreamParserOptions options_for(const Kind& kind) {
  StreamParserOptions options;
  options.dialect = find_dialect(kind.dialect);
  options.thinking_opened = kind.opened;
  options.tool_names = {"Read", "Write"};
  for (const char* schema :
       {R"({"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}},"required":["path"]})",
        R"({"type":"object","properties":{"path":{"type":"string"},"content":{"type":"string"}}})"}) {
    options.tool_schemas.push_back(*Json::parse(schema));
  }
  return options;
}

std::string text_of(const Kind& kind, std::size_t bytes) {
  std::string text = kind.begin;
  while (text.size() < bytes) text += kind.body;
  return text + kind.end;
}

// Seconds for the whole text, and the times of its pieces in microseconds, sorted.
struct Run {
  double seconds = 0;
  std::vector<double> pieces_us;
};

Run run(const Kind& kind, const std::string& text, std::size_t piece_bytes, bool detect) {
  StreamParser parser(options_for(kind));
  LoopDetector loops;
  Run result;
  std::size_t event_count = 0;
  const auto begin = Clock::now();
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.size(), at + piece_bytes);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    const auto from = Clock::now();
    for (const StreamEvent& event : parser.push(std::string_view(text).substr(at, end - at))) {
      ++event_count;
      if (const auto* said = std::get_if<TextDelta>(&event); detect && said != nullptr)
        static_cast<void>(loops.feed(said->text, LoopPlace::Speech));
    }
    if (piece_bytes == kTokenBytes)
      result.pieces_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - from).count());
    at = end;
  }
  event_count += parser.finish(TurnEnd::Finished).size();
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (event_count == 0) std::printf("no events\n");
  std::ranges::sort(result.pieces_us);
  return result;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

// With an argument: only the kinds whose names hold it.
int main(int argc, char** argv) {
  std::printf("%-22s %-12s %8s | per token: %8s %10s %10s\n", "text", "dialect", "MB/s", "mean us", "p99.9 us",
              "worst us");
  for (const Kind& kind : kinds()) {
    if (argc > 1 && !std::string_view(kind.name).contains(argv[1])) continue;
    const std::string text = text_of(kind, kTextBytes);
    const std::string short_text = text_of(kind, kTokenTextBytes);
    std::vector<double> rates, means, slow, worst;
    for (int i = 0; i < kRuns; ++i) {
      rates.push_back(static_cast<double>(text.size()) / 1e6 / run(kind, text, kPieceBytes, false).seconds);
      const Run tokens = run(kind, short_text, kTokenBytes, true);
      const auto count = tokens.pieces_us.size();
      double sum = 0;
      for (const double one : tokens.pieces_us) sum += one;
      means.push_back(sum / static_cast<double>(count));
      slow.push_back(tokens.pieces_us[count - count / 1000 - 1]);
      worst.push_back(tokens.pieces_us.back());
    }
    std::printf("%-22s %-12s %8.1f |            %8.2f %10.2f %10.2f\n", kind.name, kind.dialect, median(rates),
                median(means), median(slow), median(worst));
  }
  return 0;
}
