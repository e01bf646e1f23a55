// For tests and fuzzers: small chat templates in the manner of Qwen, Llama 3, Gemma and gpt-oss. Written here; they do to a
// conversation what the families' own do (split at tags, look for words, trim, cut).
#pragma once

#include <string_view>

namespace hearth::chat {

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

}  // namespace hearth::chat
