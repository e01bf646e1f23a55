// Everything of a tiny model's file but the tensors: architecture, tokenizer, chat template, sampling. Pure.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <gguf.h>

#include "tiny_models.h"
#include "tiny_vocabulary.h"

namespace hearth::tiny_models {
namespace {

constexpr const char* kChatTemplate = R"JINJA({%- set last = namespace(asked=-1) -%}
{%- for message in messages -%}
  {%- if message.role == 'user' -%}{%- set last.asked = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- macro words(content) -%}
  {%- if content is string -%}{{ content }}
  {%- elif content -%}{%- for part in content -%}{%- if part.type == 'text' -%}{{ part.text }}{%- endif -%}{%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- if tools -%}
  {{- '<|im_start|>system\n' -}}
  {%- if messages and messages[0].role == 'system' -%}{{- words(messages[0].content) + '\n\n' -}}{%- endif -%}
  {{- 'You can call these functions, one JSON description per line:\n<tools>' -}}
  {%- for tool in tools -%}{{- '\n' -}}{{- tool | tojson -}}{%- endfor -%}
  {{- '\n</tools>\nTo call one, write its name and its arguments as JSON between these tags:\n' -}}
  {{- '<tool_call>\n{"name": "a-function", "arguments": {"a-parameter": "a value"}}\n</tool_call><|im_end|>\n' -}}
{%- elif messages and messages[0].role == 'system' -%}
  {{- '<|im_start|>system\n' + words(messages[0].content) + '<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role == 'assistant' -%}
    {{- '<|im_start|>assistant\n' -}}
    {%- if message.reasoning_content and loop.index0 > last.asked -%}
      {{- '<think>\n' + message.reasoning_content + '\n</think>\n\n' -}}
    {%- endif -%}
    {%- if message.content -%}{{- words(message.content) -}}{%- endif -%}
    {%- for tool_call in message.tool_calls or [] -%}
      {%- set called = tool_call.function if tool_call.function else tool_call -%}
      {%- if message.content or not loop.first -%}{{- '\n' -}}{%- endif -%}
      {{- '<tool_call>\n{"name": "' + called.name + '", "arguments": ' -}}
      {%- if called.arguments is string -%}{{- called.arguments -}}{%- else -%}{{- called.arguments | tojson -}}{%- endif -%}
      {{- '}\n</tool_call>' -}}
    {%- endfor -%}
    {{- '<|im_end|>\n' -}}
  {%- elif message.role == 'tool' -%}
    {%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}{{- '<|im_start|>user' -}}{%- endif -%}
    {{- '\n<tool_response>\n' + words(message.content) + '\n</tool_response>' -}}
    {%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}{{- '<|im_end|>\n' -}}{%- endif -%}
  {%- elif not (loop.first and message.role == 'system') -%}
    {{- '<|im_start|>' + message.role + '\n' + words(message.content) + '<|im_end|>\n' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' -}}
  {%- if enable_thinking is defined and not enable_thinking -%}{{- '<think>\n\n</think>\n\n' -}}{%- endif -%}
{%- endif -%})JINJA";

const char* architecture_of(Kind kind) {
  switch (kind) {
    case Kind::Attention: return "qwen3";
    case Kind::Hybrid: return "qwen35";
    case Kind::Moe: return "qwen3moe";
    case Kind::Window: return "gemma3";
  }
  return "";
}

void set_tokenizer(gguf_context* gguf) {
  const Vocabulary& words = vocabulary();
  const auto set_strings = [gguf](const char* key, const std::vector<std::string>& texts) {
    std::vector<const char*> pointers;
    for (const std::string& text : texts) pointers.push_back(text.c_str());
    gguf_set_arr_str(gguf, key, pointers.data(), pointers.size());
  };
  gguf_set_val_str(gguf, "tokenizer.ggml.model", "gpt2");
  gguf_set_val_str(gguf, "tokenizer.ggml.pre", "qwen2");
  set_strings("tokenizer.ggml.tokens", words.tokens);
  gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, words.types.data(), words.types.size());
  set_strings("tokenizer.ggml.merges", words.merges);
  gguf_set_val_u32(gguf, "tokenizer.ggml.eos_token_id", words.turn_end);
  gguf_set_val_u32(gguf, "tokenizer.ggml.padding_token_id", words.end_of_text);
  gguf_set_val_u32(gguf, "tokenizer.ggml.bos_token_id", words.end_of_text);
  gguf_set_val_bool(gguf, "tokenizer.ggml.add_bos_token", false);
  gguf_set_val_str(gguf, "tokenizer.chat_template", kChatTemplate);
}

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::Attention: return "attention";
    case Kind::Hybrid: return "hybrid";
    case Kind::Moe: return "moe";
    case Kind::Window: return "window";
  }
  return "";
}

std::optional<Kind> kind_of(std::string_view name) {
  for (const Kind kind : {Kind::Attention, Kind::Hybrid, Kind::Moe, Kind::Window})
    if (kind_name(kind) == name) return kind;
  return std::nullopt;
}

Shape shape_of(const Spec& spec) {
  Shape shape{};
  shape.head_width = 64;  // the smallest that every GPU back end's flash attention takes
  shape.heads = std::max(2U, spec.width / 64);
  shape.kv_heads = shape.heads / 2;
  shape.feed_forward = 3 * spec.width;
  shape.experts = 8;
  shape.expert_feed_forward = spec.width;
  shape.state_width = 32;
  shape.state_key_heads = std::max(2U, spec.width / 64);
  shape.state_value_heads = 2 * shape.state_key_heads;
  shape.convolution = 4;
  return shape;
}

void set_metadata(gguf_context* gguf, const Spec& spec) {
  const std::string architecture = architecture_of(spec.kind);
  const Shape shape = shape_of(spec);
  const auto set = [&](const char* key, std::uint32_t value) {
    gguf_set_val_u32(gguf, (architecture + "." + key).c_str(), value);
  };
  const auto set_float = [&](const char* key, float value) {
    gguf_set_val_f32(gguf, (architecture + "." + key).c_str(), value);
  };
  gguf_set_val_str(gguf, "general.architecture", architecture.c_str());
  gguf_set_val_str(gguf, "general.name", ("Hearth tiny " + std::string(kind_name(spec.kind))).c_str());
  gguf_set_val_str(gguf, "general.type", "model");
  gguf_set_val_f32(gguf, "general.sampling.temp", 0.6F);
  gguf_set_val_i32(gguf, "general.sampling.top_k", 20);
  gguf_set_val_f32(gguf, "general.sampling.top_p", 0.95F);
  set("block_count", spec.layers);
  set("context_length", spec.context_tokens);
  set("embedding_length", spec.width);
  set("feed_forward_length", shape.feed_forward);
  set("attention.head_count", shape.heads);
  set("attention.head_count_kv", shape.kv_heads);
  set("attention.key_length", shape.head_width);
  set("attention.value_length", shape.head_width);
  set_float("attention.layer_norm_rms_epsilon", 1e-6F);
  set_float("rope.freq_base", 1e6F);
  if (spec.kind == Kind::Moe) {
    set("expert_count", shape.experts);
    set("expert_used_count", 2);
    set("expert_feed_forward_length", shape.expert_feed_forward);
  }
  if (spec.kind == Kind::Window) {
    set("attention.sliding_window", spec.window_tokens);
    set("attention.sliding_window_pattern", 2);
  }
  if (spec.kind == Kind::Hybrid) {
    set("full_attention_interval", 2);
    set("ssm.conv_kernel", shape.convolution);
    set("ssm.state_size", shape.state_width);
    set("ssm.group_count", shape.state_key_heads);
    set("ssm.time_step_rank", shape.state_value_heads);
    set("ssm.inner_size", shape.state_width * shape.state_value_heads);
    set("rope.dimension_count", 32);
    constexpr std::array<std::int32_t, 4> kSections = {6, 5, 5, 0};
    gguf_set_arr_data(gguf, (architecture + ".rope.dimension_sections").c_str(), GGUF_TYPE_INT32, kSections.data(), 4);
  }
  set_tokenizer(gguf);
}

}  // namespace hearth::tiny_models
