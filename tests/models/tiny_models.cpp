// The tensors of the tiny models, and writing and caching their files.
#include "tiny_models.h"

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <memory>
#include <system_error>
#include <vector>

#include <ggml.h>
#include <gguf.h>

#include "base/random.h"
#include "tiny_vocabulary.h"

namespace hearth::tiny_models {
namespace {

// Part of every cached file's name: raise it when the numbers in the tensors change.
constexpr unsigned kWeightsVersion = 1;

std::uint64_t hash_of(const void* bytes, std::size_t size) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3ULL;
  return hash;
}

struct Tensors {
  gguf_context* gguf;
  ggml_context* ggml;
  const Spec& spec;

  // Nearly normal numbers around `mean`, from four uniform draws: no libm, so the same bits everywhere.
  std::vector<float> draw(const std::string& name, std::size_t count, float mean, float deviation) const {
    const std::uint64_t stream = mix_u64(spec.seed, hash_of(name.data(), name.size()));
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t bits = mix_u64(stream, i);
      const auto sum =
          static_cast<float>((bits & 0xFFFFU) + ((bits >> 16U) & 0xFFFFU) + ((bits >> 32U) & 0xFFFFU) + (bits >> 48U));
      values[i] = mean + deviation * (sum / 65536.0F - 2.0F) * 1.7320508F;
    }
    return values;
  }

  void add(const std::string& name, ggml_type type, const std::vector<std::int64_t>& sizes,
           const std::vector<float>& values) {
    ggml_tensor* tensor = ggml_new_tensor(ggml, type, static_cast<int>(sizes.size()), sizes.data());
    ggml_set_name(tensor, name.c_str());
    if (type == GGML_TYPE_F32) {
      std::copy(values.begin(), values.end(), static_cast<float*>(tensor->data));
    } else {
      ggml_quantize_chunk(type, values.data(), tensor->data, 0, ggml_nrows(tensor), tensor->ne[0], nullptr);
    }
    gguf_add_tensor(gguf, tensor);
  }

  // `gain` 1 keeps the size of what goes through; a little more makes the context matter beside the last token.
  void matrix(const std::string& name, const std::vector<std::int64_t>& sizes, float gain = 1.5F) {
    const ggml_type type = spec.weights == WeightType::F32   ? GGML_TYPE_F32
                           : spec.weights == WeightType::F16 ? GGML_TYPE_F16
                                                             : GGML_TYPE_Q8_0;
    std::size_t count = 1;
    for (const std::int64_t size : sizes) count *= static_cast<std::size_t>(size);
    add(name, type, sizes, draw(name, count, 0, gain / std::sqrt(static_cast<float>(sizes[0]))));
  }

  void plain(const std::string& name, const std::vector<std::int64_t>& sizes, float mean, float deviation) {
    std::size_t count = 1;
    for (const std::int64_t size : sizes) count *= static_cast<std::size_t>(size);
    add(name, GGML_TYPE_F32, sizes, draw(name, count, mean, deviation));
  }
  void norm(const std::string& name, std::int64_t size) { plain(name, {size}, 1.0F, 0.1F); }
};

void add_attention(Tensors& to, const std::string& block, const Shape& shape, bool gated) {
  const std::int64_t width = to.spec.width;
  const std::int64_t head = shape.head_width;
  const std::int64_t queries = head * shape.heads;
  to.matrix(block + "attn_q.weight", {width, gated ? 2 * queries : queries});
  to.matrix(block + "attn_k.weight", {width, head * shape.kv_heads});
  to.matrix(block + "attn_v.weight", {width, head * shape.kv_heads});
  to.matrix(block + "attn_output.weight", {queries, width});
  to.norm(block + "attn_q_norm.weight", head);
  to.norm(block + "attn_k_norm.weight", head);
}

void add_recurrent(Tensors& to, const std::string& block, const Shape& shape) {
  const std::int64_t width = to.spec.width;
  const std::int64_t inner = shape.state_width * shape.state_value_heads;
  const std::int64_t channels = inner + 2LL * shape.state_width * shape.state_key_heads;
  to.matrix(block + "attn_qkv.weight", {width, channels});
  to.matrix(block + "attn_gate.weight", {width, inner});
  to.plain(block + "ssm_conv1d.weight", {shape.convolution, channels}, 0.25F, 0.25F);
  to.plain(block + "ssm_dt.bias", {shape.state_value_heads}, -1.0F, 0.5F);
  to.plain(block + "ssm_a", {shape.state_value_heads}, -0.3F, 0.05F);  // negative: the state decays
  to.plain(block + "ssm_beta.weight", {width, shape.state_value_heads}, 0, 0.1F);
  to.plain(block + "ssm_alpha.weight", {width, shape.state_value_heads}, 0, 0.1F);
  to.norm(block + "ssm_norm.weight", shape.state_width);
  to.matrix(block + "ssm_out.weight", {inner, width});
}

void add_feed_forward(Tensors& to, const std::string& block, const Shape& shape) {
  const std::int64_t width = to.spec.width;
  if (to.spec.kind == Kind::Moe) {
    const std::int64_t inner = shape.expert_feed_forward;
    to.plain(block + "ffn_gate_inp.weight", {width, shape.experts}, 0, 0.2F);
    to.matrix(block + "ffn_gate_exps.weight", {width, inner, shape.experts});
    to.matrix(block + "ffn_up_exps.weight", {width, inner, shape.experts});
    to.matrix(block + "ffn_down_exps.weight", {inner, width, shape.experts});
    return;
  }
  to.matrix(block + "ffn_gate.weight", {width, shape.feed_forward});
  to.matrix(block + "ffn_up.weight", {width, shape.feed_forward});
  to.matrix(block + "ffn_down.weight", {shape.feed_forward, width});
}

// A tied output would make each token its own likeliest successor; so the output matrix is its own. Its rows' loudness
// keeps answers readable: bytes that are no ASCII text and special tokens are rare, the end of a turn is as the spec says.
void add_output(Tensors& to) {
  const Vocabulary& words = vocabulary();
  const std::size_t width = to.spec.width;
  std::vector<float> rows =
      to.draw("output.weight", words.tokens.size() * width, 0, 2.0F / std::sqrt(static_cast<float>(width)));
  for (std::size_t token = 0; token < words.tokens.size(); ++token) {
    const bool special = token >= words.first_special;
    const float loudness = token == words.turn_end         ? to.spec.end_scale
                           : special                       ? 0.2F
                           : is_plain(words.tokens[token]) ? 1.0F
                                                           : 0.4F;
    for (std::size_t i = 0; i < width; ++i) rows[token * width + i] *= loudness;
  }
  const ggml_type type = to.spec.weights == WeightType::Q8_0  ? GGML_TYPE_Q8_0
                         : to.spec.weights == WeightType::F16 ? GGML_TYPE_F16
                                                              : GGML_TYPE_F32;
  to.add("output.weight", type, {static_cast<std::int64_t>(width), static_cast<std::int64_t>(words.tokens.size())},
         rows);
}

void add_tensors(Tensors& to) {
  const Shape shape = shape_of(to.spec);
  const std::int64_t width = to.spec.width;
  to.matrix("token_embd.weight", {width, static_cast<std::int64_t>(vocabulary().tokens.size())}, 4.0F);
  to.norm("output_norm.weight", width);
  add_output(to);
  for (std::uint32_t layer = 0; layer < to.spec.layers; ++layer) {
    const std::string block = std::format("blk.{}.", layer);
    const bool recurrent = to.spec.kind == Kind::Hybrid && layer % 2 == 0;
    to.norm(block + "attn_norm.weight", width);
    if (recurrent)
      add_recurrent(to, block, shape);
    else
      add_attention(to, block, shape, to.spec.kind == Kind::Hybrid);
    if (to.spec.kind == Kind::Hybrid || to.spec.kind == Kind::Window)
      to.norm(block + "post_attention_norm.weight", width);
    if (to.spec.kind != Kind::Hybrid) to.norm(block + "ffn_norm.weight", width);
    add_feed_forward(to, block, shape);
    if (to.spec.kind == Kind::Window) to.norm(block + "post_ffw_norm.weight", width);
  }
}

// Enough for all tensors as F32, which is more than any of the types takes.
std::size_t arena_bytes(const Spec& spec) {
  const std::size_t width = spec.width;
  const std::size_t per_layer = 48 * width * width + 64 * width;
  return (2 * vocabulary().tokens.size() * width + spec.layers * per_layer) * sizeof(float) + (8U << 20U);
}

using Gguf = std::unique_ptr<gguf_context, decltype(&gguf_free)>;
using Ggml = std::unique_ptr<ggml_context, decltype(&ggml_free)>;

}  // namespace

Result<void> write(const Spec& spec, const std::string& file) {
  if (spec.width == 0 || spec.width % 64 != 0 || spec.width > 4096 || spec.layers == 0 || spec.layers > 64 ||
      spec.context_tokens < 256 || spec.window_tokens < 16)
    return fail(ErrorKind::InvalidInput,
                "a tiny model needs a width of 64 x n up to 4096, 1 to 64 layers, a context of at least "
                "256 tokens and a window of at least 16");
  const Gguf gguf(gguf_init_empty(), gguf_free);
  const Ggml ggml(ggml_init({.mem_size = arena_bytes(spec), .mem_buffer = nullptr, .no_alloc = false}), ggml_free);
  if (!gguf || !ggml) return fail(ErrorKind::NoMemory, "no memory for the tiny model's tensors");
  set_metadata(gguf.get(), spec);
  Tensors tensors{gguf.get(), ggml.get(), spec};
  add_tensors(tensors);
  const std::string unfinished = std::format("{}.{}.part", file, ::getpid());
  std::error_code failed;
  if (!gguf_write_to_file(gguf.get(), unfinished.c_str(), false)) {
    std::filesystem::remove(unfinished, failed);
    return fail(ErrorKind::Io, std::format("cannot write {}", unfinished));
  }
  std::filesystem::rename(unfinished, file, failed);
  if (failed) return fail(ErrorKind::Io, std::format("cannot rename to {}: {}", file, failed.message()));
  return {};
}

Result<std::string> path(const Spec& spec) {
  const Gguf gguf(gguf_init_empty(), gguf_free);
  set_metadata(gguf.get(), spec);
  gguf_set_val_u64(gguf.get(), "seed", spec.seed);
  gguf_set_val_f32(gguf.get(), "end", spec.end_scale);
  gguf_set_val_u32(gguf.get(), "weights", kWeightsVersion * 16 + static_cast<unsigned>(spec.weights));
  std::vector<unsigned char> bytes(gguf_get_meta_size(gguf.get()));
  gguf_get_meta_data(gguf.get(), bytes.data());
  const char* chosen = std::getenv("HEARTH_TEST_MODELS");
  std::error_code failed;
  const std::filesystem::path folder = chosen != nullptr
                                           ? std::filesystem::path(chosen)
                                           : std::filesystem::temp_directory_path(failed) / "hearth-tiny-models";
  std::filesystem::create_directories(folder, failed);
  const std::string file =
      (folder / std::format("tiny-{}-{:016x}.gguf", kind_name(spec.kind), hash_of(bytes.data(), bytes.size())))
          .string();
  if (!std::filesystem::exists(file, failed)) TRY(write(spec, file));
  return file;
}

Result<std::string> path(Kind kind) {
  Spec spec;
  spec.kind = kind;
  return path(spec);
}

}  // namespace hearth::tiny_models
