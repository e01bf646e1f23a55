// Renders one template for the differential test: `jinja_driver TEMPLATE [--repeat N]`, one JSON object of variables per line
// on standard input, one JSON object per line on standard output: {"text": ...} or {"error": ...}. With --repeat, the best
// time of N renders in ms is added, and the time to compile.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "jinja/template.h"

namespace {

using hearth::Json;
using hearth::jinja::Template;
using hearth::jinja::Variable;
using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::vector<Variable> variables_of(const Json& object) {
  std::vector<Variable> variables;
  for (const auto& [name, value] : object.as_object())
    variables.push_back({.name = name, .value = &value, .origin = Variable::Origin::PerElement, .source = 1});
  return variables;
}

Json render(const Template& compiled, const Json& variables, int repeat) {
  Json answer = Json::object();
  double best = 1e9;
  for (int i = 0; i < repeat; ++i) {
    const auto begin = Clock::now();
    auto rendered = compiled.render(variables_of(variables));
    best = std::min(best, milliseconds_since(begin));
    if (!rendered) return Json::object({{"error", rendered.error().message}});
    answer.set("text", std::move(rendered->text));
  }
  if (repeat > 1) answer.set("ms", best);
  return answer;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  const int repeat = count == 4 && std::string_view(arguments[2]) == "--repeat" ? std::atoi(arguments[3]) : 1;
  std::ifstream file(arguments[1], std::ios::binary);
  const std::string source((std::istreambuf_iterator<char>(file)), {});
  const auto begin = Clock::now();
  const auto compiled = Template::compile(source);
  const double compile_ms = milliseconds_since(begin);
  std::string line;
  while (std::getline(std::cin, line)) {
    if (!compiled) {
      std::cout << Json::object({{"error", compiled.error().message}}).dump() << '\n';
      continue;
    }
    const auto variables = Json::parse(line);
    if (!variables || !variables->is_object()) {
      std::cerr << "jinja_driver: a line is no JSON object\n";
      return 2;
    }
    Json answer = render(**compiled, *variables, repeat);
    if (repeat > 1) answer.set("compile_ms", compile_ms);
    std::cout << answer.dump() << '\n';
  }
  return 0;
}
