// The way from a request's bytes to its prompt, step by step and per template: `prompt_bench [TEMPLATES_FOLDER]`. Without a
// folder (or HEARTH_TEMPLATES) the small templates of the tests are measured. Times are medians of 15 runs in ms. Then what
// a second project shares of the first one's prompt, as the template has it and with --tools-first.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "chat/canonicalizer.h"
#include "chat/renderer.h"
#include "chat/test_families.h"
#include "wire/anthropic_request.h"

namespace {

using namespace hearth;
using namespace hearth::chat;
using Clock = std::chrono::steady_clock;

constexpr int kRuns = 15;

struct Named {
  std::string name;
  std::string text;
  std::vector<std::string> specials;
};

std::string repeated(std::string_view text, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  out.resize(bytes);
  return out;
}

// In the sizes of a coding agent: 31 KB of tools, 6.8 KB of system text with the project's folder in its middle.
Json head(const std::string& project) {
  Json tools = Json::array();
  for (int i = 0; i < 12; ++i) {
    const Json schema = Json::object(
        {{"type", "object"},
         {"properties", Json::object({{"path", Json::object({{"type", "string"}, {"description", "Where."}})},
                                      {"count", Json::object({{"type", "integer"}, {"default", 3}})}})},
         {"required", Json::Array{"path"}}});
    tools.push(Json::object({{"name", std::format("Tool{}", i)},
                             {"description", repeated("Does a thing with a file, and says how it went. ", 2400)},
                             {"input_schema", schema}}));
  }
  const std::string rules = repeated("Work carefully and read before you write. ", 3565);
  const std::string system = rules + "Your notes lie in " + project + "/notes.\n" + rules.substr(0, 3200);
  return Json::object({{"model", "m"},
                       {"max_tokens", 100},
                       {"system", Json::Array{Json::object({{"type", "text"}, {"text", system}})}},
                       {"tools", std::move(tools)}});
}

// The first turn of an agent: about 45 KB.
std::string first_turn(const std::string& project) {
  Json body = head(project);
  body.set("messages",
           Json::Array{Json::object({{"role", "user"}, {"content", "Fix the failing test."}}),
                       Json::object({{"role", "system"}, {"content", repeated("The environment. ", 9000)}})});
  return body.dump();
}

// Its 75th: about 400 KB.
std::string long_talk() {
  Json body = head("/home/ann/work");
  const std::string code = repeated("const value = compute(index, { flag: true, label: \"<x>\" });\n", 4600);
  Json::Array messages{Json::object({{"role", "user"}, {"content", "Begin."}})};
  for (int i = 0; i < 75; ++i) {
    const std::string id = std::format("toolu_{:024}", i);
    messages.push_back(Json::object(
        {{"role", "assistant"},
         {"content", Json::Array{Json::object({{"type", "text"}, {"text", "Looking further."}}),
                                 Json::object({{"type", "tool_use"},
                                               {"id", id},
                                               {"name", "Tool1"},
                                               {"input", Json::object({{"path", std::format("/src/{}.ts", i)},
                                                                       {"count", i}})}})}}}));
    messages.push_back(Json::object(
        {{"role", "user"},
         {"content", Json::Array{Json::object({{"type", "tool_result"}, {"tool_use_id", id}, {"content", code}})}}}));
  }
  body.set("messages", std::move(messages));
  return body.dump();
}

std::shared_ptr<const Renderer> renderer(const Named& source, HeadOrder order) {
  return *Renderer::create({.text = source.text,
                            .bos_text = "<s>",
                            .eos_text = "</s>",
                            .special_texts = source.specials,
                            .switches = {.head_order = order}});
}

struct Times {
  double decode = 0, canonicalize = 0, render = 0;
  std::size_t prompt_bytes = 0;  // 0: refused
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Times measure(const Renderer& renderer, const std::string& body) {
  std::vector<double> decode, steady, render;
  Times times;
  for (int run = 0; run < kRuns; ++run) {
    const auto a = Clock::now();
    auto request = wire::decode_messages(body);
    const auto b = Clock::now();
    const Conversation conversation = canonicalize(std::move(request->conversation));
    const auto c = Clock::now();
    const Result<Prompt> prompt = renderer.render(conversation);
    const auto d = Clock::now();
    const auto ms = [](auto from, auto to) { return std::chrono::duration<double, std::milli>(to - from).count(); };
    decode.push_back(ms(a, b));
    steady.push_back(ms(b, c));
    render.push_back(ms(c, d));
    times.prompt_bytes = prompt ? prompt->text().size() : 0;
  }
  times.decode = median(decode);
  times.canonicalize = median(steady);
  times.render = median(render);
  return times;
}

std::size_t shared_bytes(const Renderer& renderer) {
  std::vector<std::string> texts;
  for (const char* project : {"/home/ann/work", "/home/ann/other"}) {
    auto request = wire::decode_messages(first_turn(project));
    const Result<Prompt> prompt = renderer.render(canonicalize(std::move(request->conversation)));
    texts.push_back(prompt ? prompt->text() : "");
  }
  const auto differ = std::ranges::mismatch(texts[0], texts[1]);
  return static_cast<std::size_t>(differ.in1 - texts[0].begin());
}

std::vector<Named> sources(const std::filesystem::path& folder) {
  std::vector<Named> all;
  if (!folder.empty()) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".jinja") continue;
      std::ifstream file(entry.path(), std::ios::binary);
      // Some special texts, so that they are searched for as with a vocabulary.
      all.push_back({entry.path().stem().string(), std::string((std::istreambuf_iterator<char>(file)), {}),
                     test_families()[0].special_texts});
    }
  } else {
    for (const TestFamily& family : test_families())
      all.push_back({std::string(family.name), std::string(family.text), family.special_texts});
  }
  std::ranges::sort(all, {}, &Named::name);
  return all;
}

}  // namespace

int main(int count, char** arguments) {
  set_log_level(LogLevel::Error);
  const char* named = count > 1 ? arguments[1] : std::getenv("HEARTH_TEMPLATES");
  const std::string talk = long_talk();
  const std::string first = first_turn("/home/ann/work");
  std::printf("%zu KB talk | %zu KB first turn; ms (medians of %d)\n", talk.size() / 1024, first.size() / 1024, kRuns);
  std::printf("%-46s %7s %7s %7s | %7s %7s | %9s %9s\n", "template", "decode", "canon.", "render", "decode", "c.+r.",
              "shared KB", "tools 1st");
  std::vector<double> steps;
  std::vector<double> opening;
  for (const Named& source : sources(named == nullptr ? "" : named)) {
    const auto plain = renderer(source, HeadOrder::AsTemplate);
    const Times long_times = measure(*plain, talk);
    const Times first_times = measure(*plain, first);
    std::printf("%-46.46s %7.2f %7.2f %7.2f | %7.2f %7.2f | %9.1f %9.1f%s\n", source.name.c_str(), long_times.decode,
                long_times.canonicalize, long_times.render, first_times.decode,
                first_times.canonicalize + first_times.render, static_cast<double>(shared_bytes(*plain)) / 1024,
                static_cast<double>(shared_bytes(*renderer(source, HeadOrder::ToolsFirst))) / 1024,
                long_times.prompt_bytes == 0 ? "  (refuses the talk)" : "");
    steps.push_back(long_times.canonicalize + long_times.render);
    opening.push_back(first_times.decode + first_times.canonicalize + first_times.render);
  }
  std::printf("canonicalize + render of the talk: median %.2f ms, slowest %.2f ms (limit 10)\n", median(steps),
              *std::ranges::max_element(steps));
  std::printf("first turn, decode to prompt: median %.2f ms, slowest %.2f ms (limit 25 with all else)\n",
              median(opening), *std::ranges::max_element(opening));
  return 0;
}
