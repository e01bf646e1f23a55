// For tests and fuzzers: small chat templates in the manner of each model family, with the special texts of its vocabulary.
// Written here; they do to a conversation what the families' own do (split at tags, look for words, trim, cut).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::chat {

struct TestFamily {
  std::string_view name;
  std::string_view text;
  std::vector<std::string> special_texts;
};

inline constexpr std::string_view kQwenLike = R"jinja(
{%- macro tools_block() -%}
# Tools
<tools>
{%- for tool in tools %}{{ '\n' }}{{ tool | tojson }}{% endfor %}
</tools>
{%- endmacro -%}
{%- if tools -%}
<|im_start|>system{{ '\n' }}{% if messages[0].role == 'system' %}{{ messages[0].content + '\n\n' }}{% endif %}{{ tools_block() }}<|im_end|>{{ '\n' }}
{%- elif messages[0].role == 'system' -%}
<|im_start|>system{{ '\n' + messages[0].content }}<|im_end|>{{ '\n' }}
{%- endif -%}
{%- set ns = namespace(last=messages | length - 1, found=false) -%}
{%- for message in messages[::-1] -%}
  {%- if not ns.found and message.role == 'user' and not (message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) -%}
    {%- set ns.found = true -%}{%- set ns.last = messages | length - 1 - loop.index0 -%}
  {%- endif -%}
{%- endfor -%}
{%- for message in messages -%}
  {%- if message.role == 'user' or (message.role == 'system' and not loop.first) -%}
    {{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
  {%- elif message.role == 'assistant' -%}
    {%- set content = message.content or '' -%}{%- set thought = '' -%}
    {%- if message.reasoning_content is string -%}{%- set thought = message.reasoning_content -%}
    {%- elif '</think>' in content -%}
      {%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') -%}
      {%- set content = content.split('</think>')[-1].lstrip('\n') -%}
    {%- endif -%}
    {%- if loop.index0 > ns.last -%}
      {{ '<|im_start|>assistant\n<think>\n' + thought.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
    {%- else -%}
      {{ '<|im_start|>assistant\n' + content }}
    {%- endif -%}
    {%- for call in message.tool_calls or [] -%}
      {{ '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}{{ '}\n</tool_call>' }}
    {%- endfor -%}
    {{ '<|im_end|>\n' }}
  {%- elif message.role == 'tool' -%}
    {%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}{{ '<|im_start|>user' }}{%- endif -%}
    {{ '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
    {%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}{{ '<|im_end|>\n' }}{%- endif -%}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- if enable_thinking is defined and not enable_thinking -%}{{ '<think>\n\n</think>\n\n' }}{%- endif -%}{%- endif -%}
)jinja";

inline constexpr std::string_view kLlamaLike = R"jinja(
{{- bos_token -}}
{%- for message in messages -%}
  {%- if message.role == 'tool' -%}
    {{ '<|start_header_id|>ipython<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}
  {%- elif message.tool_calls -%}
    {%- if message.tool_calls | length != 1 -%}{{ raise_exception('This model only supports single tool-calls at once!') }}{%- endif -%}
    {{ '<|start_header_id|>assistant<|end_header_id|>\n\n{"name": "' + message.tool_calls[0].function.name + '", "parameters": ' + message.tool_calls[0].function.arguments | tojson + '}<|eot_id|>' }}
  {%- else -%}
    {{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' }}
    {%- if tools and loop.first -%}{% for tool in tools %}{{ tool | tojson(indent=4) + '\n\n' }}{% endfor %}{%- endif -%}
    {{ message.content | trim + '<|eot_id|>' }}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif -%}
)jinja";

inline constexpr std::string_view kGemmaLike = R"jinja(
{{- bos_token -}}
{%- for message in messages -%}
  {%- set role = 'model' if message.role == 'assistant' else message.role -%}
  {{ '<|turn>' + role + '\n' }}
  {%- if loop.first and tools -%}{% for tool in tools %}<|tool>declaration:{{ tool.function.name }}{{ '{description:<|"|>' + tool.function.description + '<|"|>}' }}<tool|>{% endfor %}{%- endif -%}
  {%- if message.reasoning_content and message.tool_calls -%}{{ '<|channel>thought\n' + message.reasoning_content + '<channel|>' }}{%- endif -%}
  {{ message.content | trim if message.content is string else '' }}
  {%- for call in message.tool_calls or [] -%}
    {{ '<|tool_call>call:' + call.function.name + '{' }}{% for key, value in call.function.arguments | dictsort %}{{ key + ':<|"|>' ~ value ~ '<|"|>' }}{{ ',' if not loop.last }}{% endfor %}{{ '}<tool_call|>' }}
  {%- endfor -%}
  {{ '<turn|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|turn>model\n' }}{%- endif -%}
)jinja";

inline constexpr std::string_view kHarmonyLike = R"jinja(
{{- '<|start|>system<|message|>Reasoning: ' + (reasoning_effort or 'medium') + '\n\n# Valid channels: analysis, commentary, final.<|end|>' -}}
{%- if tools or messages[0].role == 'system' -%}
  {{ '<|start|>developer<|message|>' }}{% if messages[0].role == 'system' %}{{ '# Instructions\n\n' + messages[0].content + '\n\n' }}{% endif %}
  {%- if tools -%}{{ '# Tools\n\nnamespace functions {\n\n' }}{% for tool in tools %}{{ '// ' + tool.function.description + '\ntype ' + tool.function.name + ' = (_: {' }}{% for key, schema in tool.function.parameters.properties.items() %}{{ key + ': ' + (schema.type | string) + ', ' }}{% endfor %}{{ '}) => any;\n\n' }}{% endfor %}{{ '}' }}{%- endif -%}
  {{ '<|end|>' }}
{%- endif -%}
{%- set last = namespace(name=none) -%}
{%- for message in messages -%}
  {%- if message.role == 'assistant' -%}
    {%- if '<|channel|>analysis<|message|>' in (message.content or '') -%}{{ raise_exception('You have passed a message containing <|channel|> tags in the content field.') }}{%- endif -%}
    {%- if message.tool_calls -%}
      {%- if message.reasoning_content -%}{{ '<|start|>assistant<|channel|>analysis<|message|>' + message.reasoning_content + '<|end|>' }}{%- endif -%}
      {%- for call in message.tool_calls -%}
        {%- set last.name = call.function.name -%}
        {{ '<|start|>assistant to=functions.' + call.function.name + '<|channel|>commentary json<|message|>' }}{{ call.function.arguments | tojson }}{{ '<|call|>' }}
      {%- endfor -%}
    {%- else -%}
      {{ '<|start|>assistant<|channel|>final<|message|>' + message.content + '<|end|>' }}
    {%- endif -%}
  {%- elif message.role == 'tool' -%}
    {{ '<|start|>functions.' ~ last.name ~ ' to=assistant<|channel|>commentary<|message|>' }}{{ message.content | tojson }}{{ '<|end|>' }}
  {%- elif message.role == 'user' or not loop.first -%}
    {{ '<|start|>' + message.role + '<|message|>' + message.content + '<|end|>' }}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start|>assistant' }}{%- endif -%}
)jinja";

inline constexpr std::string_view kDeepSeekLike = R"jinja(
{%- set ns = namespace(system='', first=true) -%}
{%- for message in messages if message.role == 'system' -%}
  {%- set ns.system = ns.system + ('' if ns.first else '\n\n') + message.content -%}{%- set ns.first = false -%}
{%- endfor -%}
{%- if tools -%}
  {%- set ns.system = ns.system + '\n\n## Tools\n' -%}
  {%- for tool in tools -%}{%- set ns.system = ns.system + '### ' + tool.function.name + '\nDescription: ' + tool.function.description + '\nParameters: ' + (tool.function.parameters | tojson) + '\n' -%}{%- endfor -%}
{%- endif -%}
{{- bos_token + ns.system -}}
{%- for message in messages -%}
  {%- if message.role == 'user' -%}{{ '<｜User｜>' + message.content }}
  {%- elif message.role == 'assistant' -%}
    {{ '<｜Assistant｜></think>' if loop.index0 == 0 or messages[loop.index0 - 1].role == 'user' else '' }}
    {%- set content = message.content or '' -%}
    {%- if '</think>' in content -%}{%- set content = content.split('</think>', 1)[1] -%}{%- endif -%}
    {{ content }}
    {%- if message.tool_calls -%}{{ '<｜tool▁calls▁begin｜>' }}{% for call in message.tool_calls %}{{ '<｜tool▁call▁begin｜>' + call.function.name + '<｜tool▁sep｜>' }}{{ call.function.arguments | tojson }}{{ '<｜tool▁call▁end｜>' }}{% endfor %}{{ '<｜tool▁calls▁end｜>' }}{%- endif -%}
    {{ '<｜end▁of▁sentence｜>' }}
  {%- elif message.role == 'tool' -%}{{ '<｜tool▁output▁begin｜>' + message.content + '<｜tool▁output▁end｜>' }}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<｜Assistant｜>' }}{{ '<think>' if thinking else '</think>' }}{%- endif -%}
)jinja";

inline constexpr std::string_view kGlmLike = R"jinja(
[gMASK]<sop>
{%- if tools -%}
<|system|>{{ '\n# Tools\n<tools>\n' }}{% for tool in tools %}{{ tool | tojson(ensure_ascii=False) + '\n' }}{% endfor %}{{ '</tools>' }}
{%- endif -%}
{%- set ns = namespace(last=-1) -%}
{%- for m in messages -%}{%- if m.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- for m in messages -%}
  {%- if m.role == 'user' -%}<|user|>{{ '\n' + m.content }}{{ '/nothink' if enable_thinking is defined and not enable_thinking and not m.content.endswith('/nothink') else '' }}
  {%- elif m.role == 'assistant' -%}
    <|assistant|>{%- set content = m.content or '' -%}
    {%- set thought = m.reasoning_content if m.reasoning_content is string else '' -%}
    {{ '\n<think>' + (thought.strip() if loop.index0 > ns.last else '') + '</think>' }}
    {%- if content.strip() -%}{{ '\n' + content.strip() }}{%- endif -%}
    {%- for call in m.tool_calls or [] -%}
      {{ '\n<tool_call>' + call.function.name }}{% for key, value in call.function.arguments.items() %}{{ '\n<arg_key>' + key + '</arg_key>\n<arg_value>' }}{{ value if value is string else value | tojson(ensure_ascii=False) }}{{ '</arg_value>' }}{% endfor %}{{ '\n</tool_call>' }}
    {%- endfor -%}
  {%- elif m.role == 'tool' -%}
    {%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}{{ '<|observation|>' }}{%- endif -%}
    {{ '\n<tool_response>\n' + m.content + '\n</tool_response>' }}
  {%- elif m.role == 'system' -%}<|system|>{{ '\n' + m.content }}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{{ '\n<think></think>' if enable_thinking is defined and not enable_thinking else '' }}{%- endif -%}
)jinja";

inline constexpr std::string_view kMistralLike = R"jinja(
{{- bos_token -}}
{%- for message in messages -%}
  {%- if message.role == 'system' -%}{{ '[SYSTEM_PROMPT]' + message.content + '[/SYSTEM_PROMPT]' }}
  {%- elif message.role == 'user' -%}
    {%- if tools and loop.last -%}{{ '[AVAILABLE_TOOLS]' + tools | tojson + '[/AVAILABLE_TOOLS]' }}{%- endif -%}
    {{ '[INST]' + message.content + '[/INST]' }}
  {%- elif message.role == 'assistant' -%}
    {{ message.content if message.content is string else '' }}
    {%- for call in message.tool_calls or [] -%}
      {%- if call.id | length != 9 -%}{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{%- endif -%}
      {{ '[TOOL_CALLS]' + call.function.name + '[CALL_ID]' + call.id + '[ARGS]' }}{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}
    {%- endfor -%}
    {{ eos_token }}
  {%- elif message.role == 'tool' -%}
    {%- if message.tool_call_id | length != 9 -%}{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{%- endif -%}
    {{ '[TOOL_RESULTS]' + message.tool_call_id + '[TOOL_CONTENT]' + message.content | string + '[/TOOL_RESULTS]' }}
  {%- endif -%}
{%- endfor -%}
)jinja";

inline constexpr std::string_view kKimiLike = R"jinja(
{%- if tools -%}<|im_system|>tool_declare<|im_middle|>{{ tools | tojson }}<|im_end|>{%- endif -%}
{%- set count = namespace(value=0) -%}
{%- for message in messages -%}
  {{ '<|im_' + ('user' if message.role == 'user' else 'assistant' if message.role == 'assistant' else 'system') + '|>' + message.role + '<|im_middle|>' }}
  {%- if message.role == 'tool' -%}{{ '## Return of ' + message.tool_call_id + '\n' }}{%- endif -%}
  {{ message.content or '' }}
  {%- if message.tool_calls -%}<|tool_calls_section_begin|>{% for call in message.tool_calls %}<|tool_call_begin|>{{ 'functions.' + call.function.name + ':' + (count.value | string) }}<|tool_call_argument_begin|>{{ call.function.arguments | tojson }}<|tool_call_end|>{% set count.value = count.value + 1 %}{% endfor %}<|tool_calls_section_end|>{%- endif -%}
  <|im_end|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|im_assistant|>assistant<|im_middle|>{%- endif -%}
)jinja";

inline constexpr std::string_view kMiniMaxLike = R"jinja(
{{- ']~!b[' + ']~b]system\n' -}}
{{- messages[0].content if messages[0].role == 'system' else 'You are a helpful assistant.' -}}
{%- if tools -%}{{ '\n\n# Tools\n<tools>\n' }}{% for tool in tools %}{{ '<tool>' ~ tool.function | tojson(ensure_ascii=False) ~ '</tool>\n' }}{% endfor %}{{ '</tools>' }}{%- endif -%}
{{- '[e~[\n' -}}
{%- for message in messages -%}
  {%- if message.role == 'user' or (message.role == 'system' and not loop.first) -%}{{ ']~b]' + message.role + '\n' + message.content + '[e~[\n' }}
  {%- elif message.role == 'assistant' -%}
    {{ ']~b]ai\n' }}
    {%- set content = message.content or '' -%}
    {%- if message.reasoning_content -%}{{ '<think>\n' ~ message.reasoning_content ~ '\n</think>\n\n' }}{%- elif '</think>' in content -%}{%- set content = content.split('</think>')[-1].strip('\n') -%}{%- endif -%}
    {{ content }}
    {%- if message.tool_calls -%}
      {{ '\n<minimax:tool_call>' }}{% for call in message.tool_calls %}{{ '\n<invoke name="' + call.function.name + '">' }}{% for key, value in call.function.arguments.items() %}{{ '\n<parameter name="' + key + '">' }}{{ value | tojson(ensure_ascii=False) if value is not string else value }}{{ '</parameter>' }}{% endfor %}{{ '\n</invoke>' }}{% endfor %}{{ '\n</minimax:tool_call>' }}
    {%- endif -%}
    {{ '[e~[\n' }}
  {%- elif message.role == 'tool' -%}{{ ']~b]tool\n<response>' + message.content + '</response>[e~[\n' }}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ ']~b]ai\n<think>\n' }}{%- endif -%}
)jinja";

inline const std::vector<TestFamily>& test_families() {
  static const std::vector<TestFamily> families = {
      {"Qwen", kQwenLike, {"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"}},
      {"Llama 3", kLlamaLike, {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>"}},
      {"Gemma", kGemmaLike, {"<bos>", "<eos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|tool>", "<tool|>", "<|tool_call>", "<tool_call|>", "<|\"|>"}},
      {"gpt-oss", kHarmonyLike, {"<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|call|>", "<|return|>", "<|constrain|>"}},
      {"DeepSeek", kDeepSeekLike, {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>", "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>", "<think>", "</think>"}},
      {"GLM", kGlmLike, {"[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "/nothink"}},
      {"Mistral", kMistralLike, {"<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[CALL_ID]", "[ARGS]", "[TOOL_CONTENT]"}},
      {"Kimi", kKimiLike, {"<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>", "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"}},
      {"MiniMax", kMiniMaxLike, {"]~!b[", "]~b]", "[e~[", "<think>", "</think>", "<minimax:tool_call>", "</minimax:tool_call>"}}};
  return families;
}

}  // namespace hearth::chat
