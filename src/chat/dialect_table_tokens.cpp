// Dialects whose calls open with control tokens of their vocabulary, as the families' own chat templates write them.
#include "chat/dialect_table.h"

namespace hearth::chat {
namespace {

CallWords dsml(std::string_view section_begin, std::string_view section_end) {
  return {.section_begin = section_begin,
          .section_end = section_end,
          .call_join = "\n",
          .name_begin = "<｜DSML｜invoke name=\"",
          .name_end = "\">\n",
          .arguments_end = "</｜DSML｜invoke>",
          .key_begin = "<｜DSML｜parameter name=\"",
          .key_end = "\" string=\"true\">",
          .key_end_json = "\" string=\"false\">",
          .value_end = "</｜DSML｜parameter>\n"};
}
CallWords deepseek_json(std::string_view name_begin, std::string_view name_end, std::string_view arguments_end,
                        std::string_view join) {
  return {.section_begin = "<｜tool▁calls▁begin｜>",
          .section_end = "<｜tool▁calls▁end｜>",
          .call_begin = "<｜tool▁call▁begin｜>",
          .call_end = "<｜tool▁call▁end｜>",
          .call_join = join,
          .name_begin = name_begin,
          .name_end = name_end,
          .arguments_end = arguments_end};
}

void add_gpt_oss_and_deepseek(std::vector<Dialect>& all) {
  all.push_back({.name = "gpt-oss",
                 .about = "gpt-oss: Harmony channels, <|channel|>commentary to=functions.N<|message|>{JSON}<|call|>",
                 .aliases = {"harmony", "gptoss"},
                 .think_open = "<|channel|>analysis<|message|>",
                 .think_close = "<|end|>",
                 .think_close_written = "<|end|><|start|>assistant<|channel|>final<|message|>",
                 .writing = CallWriting::Harmony,
                 .words = {.call_begin = "<|channel|>commentary to=functions.",
                           .call_end = "<|call|>",
                           .call_join = "<|start|>assistant",
                           .name_end = " <|constrain|>json<|message|>"},
                 .opening = OpeningKind::ControlToken,
                 .parallel = false,
                 .turn_ends = {"<|return|>", "<|call|>"}});
  all.push_back({.name = "deepseek-r1",
                 .about = "DeepSeek R1: <｜tool▁call▁begin｜>function<｜tool▁sep｜>N, then {JSON} in a fence",
                 .aliases = {"deepseek-r1-distill"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::NamedJson,
                 .words = deepseek_json("function<｜tool▁sep｜>", "\n```json\n", "\n```", "\n"),
                 .opening = OpeningKind::ControlToken,
                 .turn_ends = {"<｜end▁of▁sentence｜>"}});
  all.push_back(all.back());
  all.back().name = "deepseek-v3";
  all.back().about = "DeepSeek V3: as deepseek-r1, seldom with thoughts";
  all.back().aliases = {"deepseek"};
  all.push_back(all.back());
  all.back().name = "deepseek-v3.1";
  all.back().about = "DeepSeek V3.1: <｜tool▁call▁begin｜>N<｜tool▁sep｜>{JSON}<｜tool▁call▁end｜>";
  all.back().aliases = {};
  all.back().think_close_written = kThinkClose;
  all.back().words = deepseek_json("", "<｜tool▁sep｜>", "", "");
  all.push_back(all.back());
  all.back().name = "deepseek-v3.2";
  all.back().about = "DeepSeek V3.2: DSML, <｜DSML｜function_calls><｜DSML｜invoke name=\"N\">";
  all.back().writing = CallWriting::Tagged;
  all.back().words = dsml("<｜DSML｜function_calls>\n", "\n</｜DSML｜function_calls>");
  all.push_back(all.back());
  all.back().name = "deepseek-v4";
  all.back().about = "DeepSeek V4: DSML, <｜DSML｜tool_calls><｜DSML｜invoke name=\"N\">";
  all.back().aliases = {"dsml"};
  all.back().words = dsml("<｜DSML｜tool_calls>\n", "\n</｜DSML｜tool_calls>");
}
void add_kimi_and_minimax(std::vector<Dialect>& all) {
  all.push_back(
      {.name = "kimi-k2",
       .about = "Kimi K2: <|tool_call_begin|>functions.N:0<|tool_call_argument_begin|>{JSON}<|tool_call_end|>",
       .aliases = {"kimi"},
       .think_open = kThinkOpen,
       .think_close = kThinkClose,
       .think_close_written = kThinkClose,
       .writing = CallWriting::NamedJson,
       .words = {.section_begin = "<|tool_calls_section_begin|>",
                 .section_end = "<|tool_calls_section_end|>",
                 .call_begin = "<|tool_call_begin|>",
                 .call_end = "<|tool_call_end|>",
                 .name_begin = "functions.",
                 .name_end = ":0<|tool_call_argument_begin|>"},
       .opening = OpeningKind::ControlToken,
       .turn_ends = {"<|im_end|>"}});
  all.push_back({.name = "minimax-m2",
                 .about = "MiniMax M2: <minimax:tool_call><invoke name=\"N\"><parameter name=\"K\">V",
                 .aliases = {"minimax"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::Tagged,
                 .words = {.section_begin = "<minimax:tool_call>\n",
                           .section_end = "\n</minimax:tool_call>",
                           .call_join = "\n",
                           .name_begin = "<invoke name=\"",
                           .name_end = "\">\n",
                           .arguments_end = "</invoke>",
                           .key_begin = "<parameter name=\"",
                           .key_end = "\">",
                           .key_end_json = "\">",
                           .value_end = "</parameter>\n"},
                 .opening = OpeningKind::ControlToken,
                 .turn_ends = {"[e~["}});
  all.push_back({.name = "minimax-m3",
                 .about = "MiniMax M3: as minimax-m2 with an element per argument, each tag after ]<]minimax[>[",
                 .aliases = {},
                 .think_open = "<mm:think>",
                 .think_close = "</mm:think>",
                 .think_close_written = "</mm:think>",
                 .writing = CallWriting::Elements,
                 .words = {.section_begin = "]<]minimax[>[<tool_call>\n",
                           .section_end = "\n]<]minimax[>[</tool_call>",
                           .call_join = "\n",
                           .name_begin = "]<]minimax[>[<invoke name=\"",
                           .name_end = "\">",
                           .arguments_end = "]<]minimax[>[</invoke>",
                           .key_begin = "]<]minimax[>[<",
                           .key_end = ">",
                           .key_end_json = ">",
                           .value_end = "]<]minimax[>[</",
                           .value_end_after_key = ">"},
                 .opening = OpeningKind::ControlToken,
                 .turn_ends = {"[e~["}});
}
void add_mistral(std::vector<Dialect>& all) {
  all.push_back({.name = "mistral",
                 .about = "Mistral 7B v3, Nemo, Mistral Small 3.1: [TOOL_CALLS][{JSON}]",
                 .aliases = {"mistral-v3", "mistral-v7", "mistral-nemo"},
                 .writing = CallWriting::JsonList,
                 .words = json_list("[TOOL_CALLS]", ""),
                 .opening = OpeningKind::ControlToken,
                 .turn_ends = {"</s>"}});
  all.push_back({.name = "mistral-v11",
                 .about = "Devstral, Mistral Small 3.2: [TOOL_CALLS]N[ARGS]{JSON}",
                 .aliases = {"devstral", "mistral-small-3.2"},
                 .writing = CallWriting::NamedJson,
                 .words = {.call_begin = "[TOOL_CALLS]", .name_end = "[ARGS]"},
                 .opening = OpeningKind::ControlToken,
                 .turn_ends = {"</s>"}});
  all.push_back(all.back());
  all.back().name = "magistral";
  all.back().about = "Magistral, Ministral 3: as mistral-v11, thoughts in [THINK]";
  all.back().aliases = {"ministral", "ministral3", "mistral-v13"};
  all.back().think_open = "[THINK]";
  all.back().think_close = "[/THINK]";
  all.back().think_close_written = "[/THINK]";
}

}  // namespace

void add_control_token_dialects(std::vector<Dialect>& all) {
  add_gpt_oss_and_deepseek(all);
  add_kimi_and_minimax(all);
  add_mistral(all);
}

}  // namespace hearth::chat
