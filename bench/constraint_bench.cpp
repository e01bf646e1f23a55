// What it costs to hold an answer to a grammar, with a vocabulary of 150,000 tokens and the tools of an agent:
//   constraint_bench [VOCABULARY]
// - the vocabulary's index and the grammar, once for each model and each list of tools
// - a model that knows what it writes: every token of a text with calls in it is checked and taken
// - a model of random weights: every token is refused and drawn anew
// Target: under 5 % of a decode step (10 ms, a fast small model's) for the first kind. Ends with 1 when a call that came of the
// random one is not what its schema asks for.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <format>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "chat/answer_grammar.h"
#include "chat/dialect.h"
#include "engine/constraint.h"

namespace {
using namespace hearth;
using engine::Token;

constexpr std::uint32_t kVocabulary = 151'936;
constexpr std::uint64_t kStepUs = 10'000;
constexpr std::size_t kToolCount = 30;

// 256 bytes, then words and pieces of words, half of them with a space in front, white space, punctuation; one control
// token at the end that ends a turn.
class BenchTokenizer final : public engine::Tokenizer {
 public:
  explicit BenchTokenizer(std::uint32_t count) {
    for (int byte = 0; byte < 256; ++byte) pieces_.emplace_back(1, static_cast<char>(byte));
    constexpr std::string_view kMarks = "{}[]\":,.<>/=_-()\n\t ;'`#*!?+&|$%@\\";
    for (const char a : kMarks)
      for (const char b : kMarks) pieces_.push_back(std::string{a, b});
    for (std::size_t n = 2; n <= 80; ++n) pieces_.emplace_back(n, ' ');
    for (std::uint64_t n = 0; pieces_.size() + 1 < count; ++n) {
      std::string word = mix_u64(n, 0) % 2 == 0 ? " " : "";
      for (std::uint64_t i = 0; i < 2 + mix_u64(n, 1) % 9; ++i)
        word += "etaoinshrdlucmfwypvbgkqjxz"[std::min(mix_u64(n, 2 * i + 2) % 26, mix_u64(n, 2 * i + 3) % 26)];
      pieces_.push_back(std::move(word));
    }
  }
  std::vector<Token> tokenize(std::string_view text, bool) const override {
    std::vector<Token> out;
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
    return out;
  }
  std::string piece(Token token) const override {
    return static_cast<std::size_t>(token) < pieces_.size() ? pieces_[token] : "";
  }
  std::string shown(Token token) const override { return piece(token).empty() ? "<|im_end|>" : piece(token); }
  bool is_end_of_generation(Token token) const override { return static_cast<std::size_t>(token) >= pieces_.size(); }
  std::string bos_text() const override { return ""; }
  std::string eos_text() const override { return "<|im_end|>"; }
  bool adds_bos() const override { return false; }
  std::vector<std::string> special_texts() const override { return {"<|im_end|>"}; }

 private:
  std::vector<std::string> pieces_;
};

std::vector<chat::Tool> bench_tools() {
  std::vector<chat::Tool> tools;
  for (std::size_t n = 0; n < kToolCount; ++n) {
    const auto schema = Json::parse(std::format(
        R"({{"type":"object","properties":{{"file_path":{{"type":"string","description":"where"}},
        "content_{0}":{{"type":"string"}},"limit":{{"type":"integer","minimum":1,"maximum":{1}}},
        "mode":{{"enum":["content","files","count_{0}"]}},"deep":{{"type":"boolean"}},
        "edits":{{"type":"array","items":{{"type":"object","properties":{{"old":{{"type":"string"}},"new":{{"type":"string"}}}},
        "required":["old","new"],"additionalProperties":false}},"maxItems":20}},"more":{{"type":"object"}}}},
        "required":["file_path","mode"],"additionalProperties":false}})",
        n, 100 + n * 37));
    tools.push_back({.name = std::format("Tool_{}", n), .description = "", .input_schema = *schema});
  }
  return tools;
}

struct Costs {
  std::vector<double> us;
  void print(const char* what) {
    std::ranges::sort(us);
    double sum = 0;
    for (const double one : us) sum += one;
    const double mean = sum / static_cast<double>(us.size());
    std::printf("  %-44s %9.2f us mean %9.2f median %9.2f p99 %10.2f most  %6.3f %% of a step\n", what, mean,
                us[us.size() / 2], us[us.size() * 99 / 100], us.back(), 100 * mean / static_cast<double>(kStepUs));
  }
};

double now_us() {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The text as the longest tokens that fit, as a model that means it would say it.
void sensible(engine::Constraints& constraints, const engine::VocabularyIndex& index, const std::string& grammar,
              std::string_view text) {
  std::vector<Token> tokens;
  while (!text.empty()) {
    Token best = static_cast<unsigned char>(text.front());
    for (std::size_t token = 256; token < index.count(); ++token) {
      const std::string_view piece = index.piece(static_cast<Token>(token));
      if (piece.size() > index.piece(best).size() && text.starts_with(piece)) best = static_cast<Token>(token);
    }
    tokens.push_back(best);
    text.remove_prefix(index.piece(best).size());
  }
  for (const char* what : {"the first time", "from then on"}) {
    auto constraint = constraints.make(grammar, {});
    Costs costs;
    for (const Token token : tokens) {
      const double began = now_us();
      const bool fits = (*constraint)->allows(token) && (*constraint)->take(token);
      costs.us.push_back(now_us() - began);
      if (!fits) std::exit((std::fprintf(stderr, "the bench's own text is not allowed\n"), 1));
    }
    costs.print(std::format("{} sensible tokens, {}", tokens.size(), what).c_str());
  }
}

void random_model(engine::Constraints& constraints, const engine::VocabularyIndex& index, const std::string& grammar,
                  int answers, const char* what) {
  Costs costs;
  std::vector<float> logits(index.count());
  for (int answer = 0; answer < answers; ++answer) {
    auto constraint = constraints.make(grammar, {});
    for (int n = 0; n < 150; ++n) {
      for (std::size_t i = 0; i < logits.size(); ++i)
        logits[i] = static_cast<float>(mix_u64(static_cast<std::uint64_t>(answer * 1'000 + n), i) >> 40);
      const double began = now_us();
      const auto row = (*constraint)->masked(logits);
      const auto token = static_cast<Token>(std::ranges::max_element(row) - row.begin());
      const bool ends = index.ends_generation(token);
      if (row.empty() || (!ends && !(*constraint)->take(token)))
        std::exit((std::fprintf(stderr, "a random model got stuck\n"), 1));
      costs.us.push_back(now_us() - began);
      if (ends) break;
    }
  }
  costs.print(what);
}

}  // namespace

int main(int argc, char** argv) {
  const auto count = argc > 1 ? static_cast<std::uint32_t>(std::atoi(argv[1])) : kVocabulary;
  const auto tokenizer = std::make_shared<const BenchTokenizer>(count);
  double began = now_us();
  const engine::VocabularyIndex index(*tokenizer, count);
  std::printf("%u tokens indexed in %.1f ms\n", count, (now_us() - began) / 1e3);
  const std::vector<chat::Tool> tools = bench_tools();
  std::string said = "I will look at the files now and then say what is to be done. ";
  for (int i = 0; i < 4; ++i) said += said;
  for (const char* name : {"qwen3", "qwen3-coder"}) {
    chat::AnswerRules rules{.dialect = chat::find_dialect(name)};
    began = now_us();
    const std::string text = chat::answer_grammar(rules, tools).text;
    std::printf("%s: %zu tools, a grammar of %zu KB made in %.2f ms", name, tools.size(), text.size() / 1024,
                (now_us() - began) / 1e3);
    engine::Constraints constraints(tokenizer, count);
    (void)constraints.make("root ::= \"a\"\n", {});  // the index
    began = now_us();
    (void)constraints.make(text, {});
    std::printf(", compiled in %.2f ms\n", (now_us() - began) / 1e3);
    const std::string call =
        std::string_view(name) == "qwen3"
            ? "<tool_call>\n{\"name\": \"Tool_7\", \"arguments\": {\"file_path\": \"/home/user/source/main.cpp\", "
              "\"content_7\": \"" +
                  said + "\", \"mode\": \"count_7\", \"edits\": [{\"old\": \"a\", \"new\": \"" + said +
                  "\"}]}}\n</tool_call>"
            : "<tool_call>\n<function=Tool_7>\n<parameter=file_path>\n/home/user/source/main.cpp\n</parameter>\n"
              "<parameter=content_7>\n" +
                  said + "\n</parameter>\n<parameter=mode>\ncount_7\n</parameter>\n</function>\n</tool_call>";
    sensible(constraints, index, text, "<think>\n" + said + "</think>\n\n" + said + "\n" + call);
    rules.choice = chat::ToolChoice::Any;
    rules.may_think = false;
    random_model(constraints, index, chat::answer_grammar(rules, tools).text, 20, "random tokens, each masked");
  }
  engine::Constraints constraints(tokenizer, count);
  chat::AnswerRules rules{.dialect = chat::find_dialect("qwen3"),
                          .output_schema = *Json::parse(R"({"type":"object"})")};
  random_model(constraints, index, chat::answer_grammar(rules, {}).text, 10, "random tokens, any JSON object");
  return 0;
}
