// For tests and fuzzers: a small template in the manner of each model family, with the special texts of its vocabulary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/test_templates.h"
#include "chat/test_templates_more.h"

namespace hearth::chat {

struct TestFamily {
  std::string_view name;
  std::string_view text;
  std::vector<std::string> special_texts;
};

inline const std::vector<TestFamily>& test_families() {
  static const std::vector<TestFamily> families = {
      {"Qwen",
       kQwenLike,
       {"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<tool_call>", "</tool_call>", "<tool_response>",
        "</tool_response>", "<think>", "</think>"}},
      {"Llama 3",
       kLlamaLike,
       {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>"}},
      {"Gemma",
       kGemmaLike,
       {"<bos>", "<eos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|tool>", "<tool|>", "<|tool_call>",
        "<tool_call|>", "<|\"|>"}},
      {"gpt-oss",
       kHarmonyLike,
       {"<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|call|>", "<|return|>", "<|constrain|>"}},
      {"DeepSeek",
       kDeepSeekLike,
       {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>",
        "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>", "<think>", "</think>"}},
      {"GLM",
       kGlmLike,
       {"[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<think>", "</think>",
        "<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "/nothink"}},
      {"Mistral",
       kMistralLike,
       {"<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]",
        "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[CALL_ID]", "[ARGS]",
        "[TOOL_CONTENT]"}},
      {"Kimi",
       kKimiLike,
       {"<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>",
        "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
        "<|tool_call_argument_begin|>", "<|tool_call_end|>"}},
      {"MiniMax",
       kMiniMaxLike,
       {"]~!b[", "]~b]", "[e~[", "<think>", "</think>", "<minimax:tool_call>", "</minimax:tool_call>"}}};
  return families;
}

}  // namespace hearth::chat
