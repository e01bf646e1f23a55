// The chat template that serves where a model file has none, or one that cannot be compiled: ChatML with tools and
// thoughts in the way the Qwen models were trained on.
#pragma once

#include <string_view>

namespace hearth::chat {

inline constexpr std::string_view kBuiltinTemplate = R"jinja(
{%- if tools -%}
<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content + '\n\n' }}{% endif -%}
# Tools

You may call one or more of these tools. Each line describes one:
<tools>
{%- for tool in tools %}{{ '\n' }}{{ tool | tojson }}{% endfor %}
</tools>

To call a tool, answer with a JSON object inside <tool_call> tags:
<tool_call>
{"name": <tool name>, "arguments": <object of arguments>}
</tool_call><|im_end|>{{ '\n' }}
{%- elif messages[0].role == 'system' -%}
<|im_start|>system{{ '\n' + messages[0].content }}<|im_end|>{{ '\n' }}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == 'tool' -%}
    {%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}<|im_start|>user{%- endif -%}
    {{ '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
    {%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}<|im_end|>{{ '\n' }}{%- endif -%}
  {%- elif message.role != 'system' or not loop.first -%}
    {{ '<|im_start|>' + message.role + '\n' }}
    {%- if message.reasoning_content -%}
      {{ '<think>\n' + message.reasoning_content + '\n</think>\n\n' }}
    {%- endif -%}
    {{ message.content }}
    {%- for call in message.tool_calls or [] -%}
      {%- if message.content or not loop.first -%}{{ '\n' }}{%- endif -%}
      {{ '<tool_call>\n{"name": ' }}{{ call.function.name | tojson }}{{ ', "arguments": ' }}
      {%- if call.function.arguments is string -%}
        {{ call.function.arguments }}
      {%- else -%}
        {{ call.function.arguments | tojson }}
      {%- endif -%}
      {{ '}\n</tool_call>' }}
    {%- endfor -%}
    <|im_end|>{{ '\n' }}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant{{ '\n' }}
  {%- if enable_thinking is defined and enable_thinking is false -%}
    {{ '<think>\n\n</think>\n\n' }}
  {%- endif -%}
{%- endif -%}
)jinja";

}  // namespace hearth::chat
