// Dialects of the other families, as their own chat templates write them; generic comes last.
#include "chat/dialect_table.h"

namespace hearth::chat {
namespace {

void add_llama_and_gemma(std::vector<Dialect>& all) {
  all.push_back({.name = "llama3",
                 .about = "Llama 3.1, 3.2, 3.3: bare {\"name\": N, \"parameters\": {...}}, also after <|python_tag|>",
                 .aliases = {"llama", "llama3.1", "llama3.2", "llama3.3"},
                 .writing = CallWriting::Json,
                 .words = {.call_join = "; ", .arguments_key = "parameters"},
                 .parallel = false,
                 .turn_ends = {"<|eot_id|>", "<|eom_id|>"}});
  all.push_back({.name = "llama4",
                 .about = "Llama 4: [N(K=V), N(K=V)]",
                 .aliases = {"pythonic"},
                 .writing = CallWriting::Pythonic,
                 .words = {.call_join = ", "},
                 .silent = {"<|python_start|>", "<|python_end|>"},
                 .turn_ends = {"<|eot|>", "<|eom|>"}});
  all.push_back({.name = "gemma3",
                 .about = "Gemma 2 and 3: no form of its own; <tool_call>{JSON}</tool_call> as Hearth asks for",
                 .aliases = {"gemma", "gemma2"},
                 .writing = CallWriting::Json,
                 .words = tool_call_json(),
                 .turn_ends = {"<end_of_turn>"}});
  all.push_back({.name = "gemma4",
                 .about = "Gemma 4: <|tool_call>call:N{K:<|\"|>V<|\"|>}<tool_call|>, thoughts in <|channel>thought",
                 .aliases = {},
                 .think_open = "<|channel>thought",
                 .think_close = "<channel|>",
                 .think_close_written = "\n<channel|>",
                 .writing = CallWriting::Gemma,
                 .words = {.call_begin = "<|tool_call>", .call_end = "<tool_call|>", .name_begin = "call:"},
                 .opening = OpeningKind::ControlToken,
                 .turn_ends = {"<turn|>", "<|tool_response>"}});
}
void add_command_and_lfm(std::vector<Dialect>& all) {
  all.push_back({.name = "command",
                 .about = "Command R7B, Command A, Cohere 2: <|START_ACTION|>[{JSON}]<|END_ACTION|>",
                 .aliases = {"command-r7b", "command-a", "cohere"},
                 .think_open = "<|START_THINKING|>",
                 .think_close = "<|END_THINKING|>",
                 .think_close_written = "<|END_THINKING|>",
                 .writing = CallWriting::JsonList,
                 .words = {.section_begin = "<|START_ACTION|>",
                           .section_end = "<|END_ACTION|>",
                           .call_join = ",\n    ",
                           .name_key = "tool_name",
                           .arguments_key = "parameters"},
                 .opening = OpeningKind::ControlToken,
                 .silent = {"<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"},
                 .turn_ends = {"<|END_OF_TURN_TOKEN|>"}});
  all.push_back({.name = "command-r",
                 .about = "Command R, R+: Action: and a JSON list in a fence",
                 .aliases = {"command-r-plus"},
                 .writing = CallWriting::JsonList,
                 .words = {.section_begin = "Action:\n```json\n",
                           .section_end = "\n```",
                           .call_join = ",\n",
                           .name_key = "tool_name",
                           .arguments_key = "parameters"},
                 .turn_ends = {"<|END_OF_TURN_TOKEN|>"}});
  all.push_back({.name = "lfm2",
                 .about = "LFM 2, 2.5: <|tool_call_start|>[N(K=V)]<|tool_call_end|>",
                 .aliases = {"lfm2.5"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkClose,
                 .writing = CallWriting::Pythonic,
                 .words = json_list("<|tool_call_start|>", "<|tool_call_end|>"),
                 .opening = OpeningKind::ControlToken,
                 .turn_ends = {"<|im_end|>"}});
  all.push_back({.name = "phi4",
                 .about = "Phi 4 mini, Phi 3: <|tool_call|>[{JSON}]<|/tool_call|>",
                 .aliases = {"phi", "phi3", "phi4-mini"},
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::JsonList,
                 .words = json_list("<|tool_call|>", "<|/tool_call|>"),
                 .turn_ends = {"<|end|>", "<|im_end|>"}});
}
void add_apertus_and_apriel(std::vector<Dialect>& all) {
  all.push_back({.name = "apertus",
                 .about = "Apertus: <|tools_prefix|>[{\"N\": {JSON}}]<|tools_suffix|>",
                 .aliases = {},
                 .think_open = "<|inner_prefix|>",
                 .think_close = "<|inner_suffix|>",
                 .think_close_written = "<|inner_suffix|>",
                 .writing = CallWriting::JsonList,
                 .words = json_list("<|tools_prefix|>", "<|tools_suffix|>"),
                 .opening = OpeningKind::ControlToken,
                 .turn_ends = {"<|assistant_end|>"}});
  all.back().words.name_key = "";
  all.push_back({.name = "apriel",
                 .about = "Apriel 1.5, 1.6: <tool_calls>[{JSON}]</tool_calls>, [BEGIN FINAL RESPONSE] ends the thought",
                 .aliases = {},
                 .think_open = "Here are my reasoning steps:",
                 .think_close = "[BEGIN FINAL RESPONSE]",
                 .think_close_written = "\n[BEGIN FINAL RESPONSE]\n",
                 .writing = CallWriting::JsonList,
                 .words = json_list("<tool_calls>", "</tool_calls>"),
                 .silent = {"[END FINAL RESPONSE]"},
                 .turn_ends = {"<|end|>"}});
}
void add_functionary_and_others(std::vector<Dialect>& all) {
  all.push_back({.name = "functionary",
                 .about = "Functionary 3.1: <function=N>{JSON}</function>",
                 .aliases = {"functionary-v3.1"},
                 .writing = CallWriting::NamedJson,
                 .words = {.name_begin = "<function=", .name_end = ">", .arguments_end = "</function>"},
                 .turn_ends = {"<|eot_id|>", "<|eom_id|>"}});
  all.push_back({.name = "functionary-v3.2",
                 .about = "Functionary 3.2: >>>all and text, >>>N and {JSON}",
                 .aliases = {},
                 .writing = CallWriting::NamedJson,
                 .words = {.call_begin = ">>>", .name_end = "\n"},
                 .prompt_begins_answer = ">>>",
                 .silent = {">>>all\n"},
                 .turn_ends = {"<|eot_id|>"}});
  all.push_back({.name = "firefunction",
                 .about = "Firefunction 2: functools[{JSON}]",
                 .aliases = {},
                 .writing = CallWriting::JsonList,
                 .words = json_list(" functools", ""),
                 .turn_ends = {"<|eot_id|>"}});
  all.push_back({.name = "gigachat",
                 .about = "GigaChat 3: {JSON} after <|function_call|> or a turn named \"function call\"",
                 .aliases = {"gigachat3"},
                 .writing = CallWriting::Json,
                 .words = {.call_begin = "<|function_call|>"},
                 .opening = OpeningKind::ControlToken,
                 .parallel = false,
                 .turn_ends = {"<|message_sep|>"}});
  all.push_back({.name = "solar",
                 .about = "Solar Open: <|tool_call:begin|>ID<|tool_call:name|>N<|tool_call:args|>{JSON}",
                 .aliases = {},
                 .think_open = "<|think|>",
                 .think_close = "<|end|>",
                 .think_close_written = "<|end|><|begin|>assistant<|content|>",
                 .writing = CallWriting::NamedJson,
                 .words = {.section_begin = "<|begin|>assistant<|tool_calls|>",
                           .section_end = "<|calls|>",
                           .call_begin = "<|tool_call:begin|>",
                           .call_end = "<|tool_call:end|>",
                           .name_begin = "call0<|tool_call:name|>",
                           .name_end = "<|tool_call:args|>"},
                 .opening = OpeningKind::ControlToken,
                 .silent = {"<|begin|>assistant", "<|content|>"},
                 .turn_ends = {"<|end|>", "<|calls|>"}});
}
void add_generic(std::vector<Dialect>& all) {
  all.push_back({.name = "generic",
                 .about = "any other: thoughts in <think>, <thinking>, <thought>, [THINK] and the like; every common "
                          "shape of a call is read",
                 .think_open = kThinkOpen,
                 .think_close = kThinkClose,
                 .other_thoughts = {{.open = "<thinking>", .close = "</thinking>"},
                                    {.open = "<thought>", .close = "</thought>"},
                                    {.open = "[THINK]", .close = "[/THINK]"},
                                    {.open = "<seed:think>", .close = "</seed:think>"},
                                    {.open = "◁think▷", .close = "◁/think▷"}},
                 .think_close_written = kThinkCloseWritten,
                 .writing = CallWriting::Json,
                 .words = tool_call_json(),
                 .turn_ends = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "</s>", "<end_of_turn>"}});
}

}  // namespace

void add_other_dialects(std::vector<Dialect>& all) {
  add_llama_and_gemma(all);
  add_command_and_lfm(all);
  add_apertus_and_apriel(all);
  add_functionary_and_others(all);
  add_generic(all);
}

}  // namespace hearth::chat
