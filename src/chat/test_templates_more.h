// For tests and fuzzers: small chat templates in the manner of DeepSeek, GLM, Mistral, Kimi and MiniMax. Written here; they do to a
// conversation what the families' own do (split at tags, look for words, trim, cut).
#pragma once

#include <string_view>

namespace hearth::chat {

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

}  // namespace hearth::chat
