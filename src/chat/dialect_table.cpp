// Dialects whose calls open with a tag that prose could spell, each as the family's own chat template writes it.
// Adding a dialect is adding an entry here and its mark in dialect.cpp.
#include "chat/dialect_table.h"

namespace hearth::chat {
namespace {

// <tool_call><function=N><parameter=K>V</parameter></function></tool_call>
CallWords tool_call_tagged(std::string_view begin, std::string_view end) {
  return {.call_begin = begin,
          .call_end = end,
          .call_join = "\n",
          .name_begin = "<function=",
          .name_end = ">\n",
          .arguments_end = "</function>\n",
          .key_begin = "<parameter=",
          .key_end = ">\n",
          .key_end_json = ">\n",
          .value_end = "\n</parameter>\n"};
}
// <tool_call>N<arg_key>K</arg_key><arg_value>V</arg_value></tool_call>
CallWords tool_call_keys(std::string_view gap) {
  const bool lines = gap == "\n";
  return {.call_begin = "<tool_call>",
          .call_end = "</tool_call>",
          .call_join = gap,
          .name_end = gap,
          .key_begin = "<arg_key>",
          .key_end = lines ? "</arg_key>\n<arg_value>" : "</arg_key><arg_value>",
          .key_end_json = lines ? "</arg_key>\n<arg_value>" : "</arg_key><arg_value>",
          .value_end = lines ? "</arg_value>\n" : "</arg_value>"};
}

void add_qwen_and_hermes(std::vector<Dialect>& all) {
  all.push_back({.name = "qwen3",
                 .about = "Qwen 2.5, Qwen 3, QwQ, SmolLM3, MiMo, Bielik, Reka: <tool_call>{JSON}</tool_call>",
                 .aliases = {"qwen", "qwen2", "qwen2.5", "qwq", "smollm3", "mimo", "bielik", "reka"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::Json,
                 .words = tool_call_json(),
                 .turn_ends = {"<|im_end|>", "<|endoftext|>", "<sep>"}});
  all.push_back({.name = "qwen3-coder",
                 .about = "Qwen3-Coder, Qwen 3.5, Qwen 3.6, Step 3.5: <tool_call><function=N><parameter=K>V",
                 .aliases = {"qwen3.5", "qwen3.6", "qwen3-next-coder", "step3.5"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::Tagged,
                 .words = tool_call_tagged("<tool_call>\n", "</tool_call>"),
                 .turn_ends = {"<|im_end|>", "<|endoftext|>"}});
  all.push_back({.name = "hermes",
                 .about = "Hermes 2, 3 and 4: <tool_call>{JSON}</tool_call>",
                 .aliases = {"hermes2", "hermes3", "hermes4"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::Json,
                 .words = tool_call_json(),
                 .turn_ends = {"<|im_end|>", "<|eot_id|>"}});
}
void add_granite_and_nemotron(std::vector<Dialect>& all) {
  all.push_back({.name = "granite",
                 .about = "Granite 4: <tool_call>{JSON}</tool_call>",
                 .aliases = {"granite4", "granite-4"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::Json,
                 .words = tool_call_json(),
                 .turn_ends = {"<|end_of_text|>"}});
  all.push_back({.name = "granite3",
                 .about = "Granite 3: <|tool_call|>[{JSON}], thoughts in <think>, answers in <response>",
                 .aliases = {"granite-3"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = "</think><response>",
                 .writing = CallWriting::JsonList,
                 .words = json_list("<|tool_call|>", ""),
                 .silent = {"<response>", "</response>"},
                 .turn_ends = {"<|end_of_text|>"}});
  all.push_back({.name = "nemotron",
                 .about = "Nemotron Nano 2: <TOOLCALL>[{JSON}]</TOOLCALL>",
                 .aliases = {"nemotron2", "nemotron-nano-2", "nemotron-v2"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::JsonList,
                 .words = json_list("<TOOLCALL>", "</TOOLCALL>"),
                 .turn_ends = {"<SPECIAL_12>"}});
  all.push_back({.name = "nemotron3",
                 .about = "Nemotron 3: <tool_call><function=N><parameter=K>V",
                 .aliases = {"nemotron-3"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::Tagged,
                 .words = tool_call_tagged("<tool_call>\n", "</tool_call>\n"),
                 .turn_ends = {"<|im_end|>"}});
}
void add_seed_and_minicpm(std::vector<Dialect>& all) {
  all.push_back({.name = "seed-oss",
                 .about = "Seed-OSS: <seed:tool_call><function=N><parameter=K>V",
                 .aliases = {"seed"},
                 .think_open = "<seed:think>",
                 .think_close = "</seed:think>",
                 .think_close_written = "</seed:think>\n",
                 .writing = CallWriting::Tagged,
                 .words = tool_call_tagged("<seed:tool_call>\n", "</seed:tool_call>"),
                 .turn_ends = {"<seed:eos>"}});
  all.back().words.key_end = all.back().words.key_end_json = ">";
  all.back().words.value_end = "</parameter>\n";
  all.push_back({.name = "minicpm",
                 .about = "MiniCPM 5: <function name=\"N\"><param name=\"K\">V</param></function>",
                 .aliases = {"minicpm5"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::Tagged,
                 .words = {.call_join = "\n",
                           .name_begin = "<function name=\"",
                           .name_end = "\">",
                           .arguments_end = "</function>",
                           .key_begin = "<param name=\"",
                           .key_end = "\">",
                           .key_end_json = "\">",
                           .value_end = "</param>"},
                 .turn_ends = {"<|im_end|>", "</s>"}});
}
void add_glm_and_hunyuan(std::vector<Dialect>& all) {
  all.push_back({.name = "glm4",
                 .about = "GLM 4.5 and 4.6, Laguna XS: <tool_call>N<arg_key>K</arg_key><arg_value>V</arg_value>",
                 .aliases = {"glm", "glm4.5", "glm4.6", "laguna"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = "</think>\n",
                 .writing = CallWriting::Tagged,
                 .words = tool_call_keys("\n"),
                 .turn_ends = {"<|user|>", "<|observation|>", "<|endoftext|>", "</assistant>"}});
  all.push_back({.name = "glm4.7",
                 .about = "GLM 4.7, Laguna S: as glm4, without line ends",
                 .aliases = {"laguna-s", "glm5"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = "</think>",
                 .writing = CallWriting::Tagged,
                 .words = tool_call_keys(""),
                 .turn_ends = {"<|user|>", "<|observation|>", "<|endoftext|>", "</assistant>"}});
  all.push_back({.name = "hunyuan",
                 .about = "Hunyuan 3: <tool_call>N<tool_sep><arg_key>K</arg_key><arg_value>V, tags with a suffix",
                 .aliases = {"hy3"},
                 .think_open = "<think:opensource>",
                 .think_close = "</think:opensource>",
                 .think_close_written = "</think:opensource>",
                 .writing = CallWriting::Tagged,
                 .words = {.section_begin = "<tool_calls:opensource>\n",
                           .section_end = "\n</tool_calls:opensource>",
                           .call_begin = "<tool_call:opensource>",
                           .call_end = "</tool_call:opensource>",
                           .call_join = "\n",
                           .name_end = "<tool_sep:opensource>\n",
                           .key_begin = "<arg_key:opensource>",
                           .key_end = "</arg_key:opensource>\n<arg_value:opensource>",
                           .key_end_json = "</arg_key:opensource>\n<arg_value:opensource>",
                           .value_end = "</arg_value:opensource>\n"},
                 .turn_ends = {"<｜hy_eos:opensource｜>"}});
}

}  // namespace

void add_tagged_dialects(std::vector<Dialect>& all) {
  add_qwen_and_hermes(all);
  add_granite_and_nemotron(all);
  add_seed_and_minicpm(all);
  add_glm_and_hunyuan(all);
}

}  // namespace hearth::chat
