// Which dialect a template means, over small templates of our own and, where HEARTH_TEMPLATES names a folder of them, over
// the templates of real models.
#include "chat/dialect.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

using namespace hearth::chat;

namespace {

struct Intended {
  const char* file;
  const char* dialect;
};
// Of the template collection: the file's name without .jinja.
const Intended kIntended[] = {
    {"Apertus-8B-Instruct", "apertus"},
    {"Apriel-1.6-15b-Thinker-fixed", "apriel"},
    {"Bielik-11B-v3.0-Instruct", "qwen3"},
    {"ByteDance-Seed-OSS", "seed-oss"},
    {"Cohere2MoE", "command"},
    {"CohereForAI-c4ai-command-r-plus-tool_use", "command-r"},
    {"CohereForAI-c4ai-command-r7b-12-2024-tool_use", "command"},
    {"GLM-4.6", "glm4"},
    {"GLM-4.7-Flash", "glm4.7"},
    {"GigaChat3-10B-A1.8B", "gigachat"},
    {"GigaChat3.1-10B-A1.8B", "gigachat"},
    {"HuggingFaceTB-SmolLM3-3B", "qwen3"},
    {"Kimi-K2-Instruct", "kimi-k2"},
    {"Kimi-K2-Thinking", "kimi-k2"},
    {"LFM2-8B-A1B", "lfm2"},
    {"LFM2.5-8B-A1B", "lfm2"},
    {"LFM2.5-Instruct", "lfm2"},
    {"MiMo-VL", "qwen3"},
    {"MiniMax-M2", "minimax-m2"},
    {"MiniMax-M3", "minimax-m3"},
    {"Mistral-Small-3.2-24B-Instruct-2506", "mistral-v11"},
    {"NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "nemotron3"},
    {"NVIDIA-Nemotron-Nano-v2", "nemotron"},
    {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "hermes"},
    {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "hermes"},
    {"Qwen-QwQ-32B", "qwen3"},
    {"Qwen-Qwen2.5-7B-Instruct", "qwen3"},
    {"Qwen-Qwen3-0.6B", "qwen3"},
    {"Qwen3-Coder", "qwen3-coder"},
    {"Qwen3.5-4B", "qwen3-coder"},
    {"Reka-Edge", "qwen3"},
    {"StepFun3.5-Flash", "qwen3-coder"},
    {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek-r1"},
    {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "deepseek-r1"},
    {"deepseek-ai-DeepSeek-V3.1", "deepseek-v3.1"},
    {"deepseek-ai-DeepSeek-V3.2", "deepseek-v3.2"},
    {"deepseek-ai-DeepSeek-V4-Flash-0731", "deepseek-v4"},
    {"deepseek-ai-DeepSeek-V4", "deepseek-v4"},
    {"fireworks-ai-llama-3-firefunction-v2", "firefunction"},
    {"google-gemma-2-2b-it", "gemma3"},
    {"google-gemma-4-31B-it-interleaved", "gemma4"},
    {"google-gemma-4-31B-it", "gemma4"},
    {"ibm-granite-granite-3.3-2B-Instruct", "granite3"},
    {"ibm-granite-granite-4.0", "granite"},
    {"ibm-granite-granite-4.1", "granite"},
    {"llama-cpp-deepseek-r1", "deepseek-r1"},
    {"llama-cpp-rwkv-world", "generic"},
    {"meetkai-functionary-medium-v3.1", "functionary"},
    {"meetkai-functionary-medium-v3.2", "functionary-v3.2"},
    {"meta-llama-Llama-3.1-8B-Instruct", "llama3"},
    {"meta-llama-Llama-3.2-3B-Instruct", "llama3"},
    {"meta-llama-Llama-3.3-70B-Instruct", "llama3"},
    {"microsoft-Phi-3.5-mini-instruct", "phi4"},
    {"mistralai-Ministral-3-14B-Reasoning-2512", "magistral"},
    {"mistralai-Mistral-Nemo-Instruct-2407", "mistral"},
    {"moonshotai-Kimi-K2", "kimi-k2"},
    {"openai-gpt-oss-120b", "gpt-oss"},
    {"openbmb-MiniCPM5-1B", "minicpm"},
    {"poolside-Laguna-S-2.1", "glm4.7"},
    {"poolside-Laguna-XS-2.1", "glm4"},
    {"poolside-Laguna-XS.2", "glm4"},
    {"tencent-Hy3", "hunyuan"},
    {"unsloth-Apriel-1.5", "apriel"},
    {"unsloth-mistral-Devstral-Small-2507", "mistral-v11"},
    {"upstage-Solar-Open-100B", "solar"},
};

}  // namespace

TEST_CASE("every name and alias of a dialect is found, without regard to case, and means one dialect only") {
  std::set<std::string_view> seen;
  for (const Dialect& dialect : all_dialects()) {
    INFO(dialect.name);
    CHECK(find_dialect(dialect.name) == &dialect);
    CHECK(seen.insert(dialect.name).second);
    for (const std::string_view alias : dialect.aliases) {
      CHECK(find_dialect(alias) == &dialect);
      CHECK(seen.insert(alias).second);
    }
    CHECK(dialect.think_open.empty() == dialect.think_close.empty());
  }
  CHECK(find_dialect("Qwen3-Coder") == find_dialect("qwen3-coder"));
  CHECK(find_dialect("klingon") == nullptr);
  CHECK(find_dialect("") == nullptr);
}

TEST_CASE("the dialect is chosen by what only one family's template says") {
  const auto chosen = [](const char* text) { return std::string(choose_dialect(text, {}).name); };
  CHECK(chosen("") == "generic");
  CHECK(chosen("{{ messages[0].content }}") == "generic");
  CHECK(chosen("<|im_start|>assistant\n<tool_call>\n{\"name\": ") == "qwen3");
  CHECK(chosen("<|im_start|> <tool_call>\n<function=") == "qwen3-coder");
  CHECK(chosen("[TOOL_CALLS] [ARGS] [THINK]") == "magistral");
  CHECK(chosen("[TOOL_CALLS] [ARGS]") == "mistral-v11");
  CHECK(chosen("[TOOL_CALLS]") == "mistral");
  CHECK(chosen("<start_of_turn>model") == "gemma3");
}

TEST_CASE("a template that says nothing of calls leaves the choice to the vocabulary") {
  const std::vector<std::string> llama{"<|begin_of_text|>", "<|python_tag|>"};
  CHECK(choose_dialect("{{ x }}", llama).name == "llama3");
  const std::vector<std::string> qwen{"<|im_start|>", "<tool_call>"};
  CHECK(choose_dialect("", qwen).name == "qwen3");
  CHECK(choose_dialect("[TOOL_CALLS]", qwen).name == "mistral");  // the template comes first
}

TEST_CASE("each template of a real model means its family's dialect") {
  const char* folder = std::getenv("HEARTH_TEMPLATES");
  if (folder == nullptr) return;
  for (const Intended& intended : kIntended) {
    std::ifstream file(std::filesystem::path(folder) / (std::string(intended.file) + ".jinja"));
    if (!file) continue;
    std::stringstream text;
    text << file.rdbuf();
    CHECK_MESSAGE(std::string(choose_dialect(text.str(), {}).name) == std::string(intended.dialect),
                  std::string(intended.file));
  }
}
