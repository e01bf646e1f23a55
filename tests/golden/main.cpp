// Runs the golden corpus: `golden_run FOLDER [DIALECT [PART-OF-A-NAME]]`. Every case goes through the parser whole, cut in two
// at every place, and character by character; through the wire's encoder and the fold; and must give the same message each
// time; and is stopped at every place by the token limit, where half a value must not look whole. Then the properties: generated calls come back as themselves. Ends with `golden: N passed, N failed`; a case, and
// a property for one dialect, counts as one.
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <format>
#include <print>
#include <string>
#include <vector>

#include "base/random.h"
#include "cut_check.h"
#include "golden_case.h"
#include "message_of.h"
#include "properties.h"

namespace {

using namespace hearth;
using namespace hearth::golden;

// Over this size a text is cut in two at some places only.
constexpr std::size_t kEveryCutBytesMax = 4096;
constexpr std::size_t kSampledCuts = 64;

// A parser that never ends is named, not waited for. Of its own time: a machine that does other work is no endless loop.
constexpr std::time_t kCaseSecondsMax = 60;  // under a sanitizer the longest takes a few
std::array<char, 256> running{};

void begin_case(std::string_view name) {
  running.fill(0);
  name.copy(running.data(), running.size() - 2);
  const itimerval limit{.it_interval = {}, .it_value = {.tv_sec = kCaseSecondsMax, .tv_usec = 0}};
  setitimer(ITIMER_VIRTUAL, &limit, nullptr);
}
void on_alarm(int) {
  constexpr std::string_view kWords = "FAIL does not end: ";
  static_cast<void>(!write(1, kWords.data(), kWords.size()));
  static_cast<void>(!write(1, running.data(), std::strlen(running.data())));
  constexpr std::string_view kSummary = "\ngolden: 0 passed, 1 failed\n";
  static_cast<void>(!write(1, kSummary.data(), kSummary.size()));
  _exit(1);
}

struct Count {
  std::size_t passed = 0;
  std::size_t failed = 0;
};

std::string shown(std::string_view raw) {
  constexpr std::size_t kShownBytesMax = 1200;
  std::string out = Json(raw.substr(0, kShownBytesMax)).dump();
  return raw.size() <= kShownBytesMax ? out : std::format("{}... ({} bytes)", out, raw.size());
}

// What is wrong with the case; empty when nothing is.
std::string fault_of(const Case& golden) {
  const auto whole = events_of(golden, {});
  if (std::string fault = difference(golden, wired(whole, golden.ended)); !fault.empty()) return fault;
  const std::string journal = journal_of(whole);
  const Cuts cuts = every_cut(golden.raw);
  const auto pieces = events_of(golden, cuts);
  if (const std::string other = journal_of(pieces); other != journal) {
    return std::format("    character by character:{}\n    whole:{}\n", other, journal);
  }
  if (std::string fault = difference(golden, wired(pieces, golden.ended)); !fault.empty()) {
    return "    through the wire, character by character\n" + fault;
  }
  const bool every = golden.raw.size() <= kEveryCutBytesMax;
  const std::size_t count = every ? cuts.size() : std::min(kSampledCuts, cuts.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t cut = cuts[every ? i : mix_u64(golden.raw.size(), i) % cuts.size()];
    const auto events = events_of(golden, {cut});
    if (const std::string other = journal_of(events); other != journal) {
      return std::format("    cut in two at byte {}:{}\n    whole:{}\n", cut, other, journal);
    }
  }
  return fault_of_cuts(golden);
}

Count run_file(const std::string& file, const std::vector<ToolList>& tools, std::string_view part) {
  Count count;
  const auto cases = load_cases(file, tools);
  if (!cases) {
    std::println("FAIL {}", cases.error().message);
    return {.failed = 1};
  }
  for (const Case& golden : *cases) {
    if (!golden.name.contains(part)) continue;
    begin_case(std::format("{}: {}", golden.dialect->name, golden.name));
    const std::string fault = fault_of(golden);
    ++(fault.empty() ? count.passed : count.failed);
    if (fault.empty()) continue;
    std::println("FAIL {}: {}{}\n    raw {}", golden.dialect->name, golden.name,
                 golden.opened_think ? " (thought opened)" : "", shown(golden.raw));
    std::print("{}", fault);
  }
  return count;
}

// Files that nobody would run.
std::vector<std::string> files_of_no_dialect(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".json" || name == "tools") continue;
    const auto dialects = chat::all_dialects();
    if (std::ranges::find(dialects, name, &chat::Dialect::name) == dialects.end()) files.push_back(name + ".json");
  }
  return files;
}

std::string templates_beside(const std::string& folder) {
  const char* given = std::getenv("HEARTH_TEMPLATES");
  return given != nullptr ? given : folder + "/../../../shared/templates";
}

// A comparison that finds everything equal would pass every case.
bool comparison_can_fail() {
  Case golden;
  golden.content = Json::array();
  golden.stop_reason = "end_turn";
  return !difference(golden, wired({chat::TextDelta{"x"}}, chat::TurnEnd::Finished)).empty();
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2 || argument_count > 4) {
    std::println(stderr, "golden_run FOLDER [DIALECT [PART-OF-A-NAME]]");
    return 2;
  }
  signal(SIGVTALRM, on_alarm);
  const std::string folder = arguments[1];
  const std::string only = argument_count > 2 ? arguments[2] : "";
  const std::string part = argument_count > 3 ? arguments[3] : "";
  const auto tools = load_tools(folder);
  if (!tools) {
    std::println("FAIL {}\ngolden: 0 passed, 1 failed", tools.error().message);
    return 1;
  }
  Count all{.passed = 0, .failed = comparison_can_fail() ? 0U : 1U};
  for (const std::string& file : files_of_no_dialect(folder)) {
    std::println("FAIL {}: no dialect has this name", file);
    ++all.failed;
  }
  for (const chat::Dialect& dialect : chat::all_dialects()) {
    if (!only.empty() && only != dialect.name) continue;
    // A dialect without a file is a gap in the corpus.
    const Count count = run_file(std::format("{}/{}.json", folder, dialect.name), *tools, part);
    all.passed += count.passed;
    all.failed += count.failed;
    std::println("golden {:<18} {:4} passed, {} failed", dialect.name, count.passed, count.failed);
  }
  if (part.empty()) {
    begin_case("the properties");
    const PropertyCount properties = run_properties(templates_beside(folder), only);
    all.passed += properties.passed;
    all.failed += properties.failed;
    std::println("golden properties         {:4} passed, {} failed", properties.passed, properties.failed);
  }
  std::println("golden: {} passed, {} failed", all.passed, all.failed);
  return all.failed == 0 && all.passed > 0 ? 0 : 1;
}
