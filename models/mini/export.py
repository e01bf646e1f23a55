"""Writes the trained state as GGUF: `python3 export.py STATE.pt OUT.gguf [q8_0|f16|f32]`."""
import json
import pathlib
import sys

import gguf
import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from model import Shape  # noqa: E402
from tokenizer import SPECIALS, Tokenizer  # noqa: E402

HERE = pathlib.Path(__file__).parent
CONTEXT = 65536
NORMAL, CONTROL = 1, 3
# libllama's names, by ours.
NAMES = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down", "attn_norm": "attn_norm",
         "attn_post": "post_attention_norm", "ffn_norm": "ffn_norm", "ffn_post": "post_ffw_norm", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm"}


def set_facts(writer, form):
    writer.add_name("Hearth mini")
    writer.add_type("model")
    writer.add_description("The demonstration model built into Hearth: files and commands, asked for plainly.")
    writer.add_license("mit")
    writer.add_file_type({"f32": gguf.LlamaFileType.ALL_F32, "f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}[form])
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(Shape.width)
    writer.add_block_count(Shape.layers)
    writer.add_feed_forward_length(Shape.feed_forward)
    writer.add_head_count(Shape.heads)
    writer.add_head_count_kv(Shape.heads)
    writer.add_key_length(Shape.head_width)
    writer.add_value_length(Shape.head_width)
    writer.add_layer_norm_rms_eps(Shape.epsilon)
    writer.add_rope_dimension_count(Shape.rotary)
    writer.add_rope_freq_base(Shape.rope_base)
    writer.add_sliding_window(Shape.window)
    writer.add_uint32("gemma3.attention.sliding_window_pattern", 4096)  # a period that no layer ends: all have the window
    writer.add_float32("gemma3.rope.freq_base_swa", Shape.rope_base)
    # Copying wants the likeliest token.
    writer.add_float32("general.sampling.temp", 0.0)
    writer.add_int32("general.sampling.top_k", 1)
    writer.add_float32("general.sampling.top_p", 1.0)


def set_tokenizer(writer):
    tokenizer = Tokenizer()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("deepseek-coder")
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_types([CONTROL if i < len(SPECIALS) else NORMAL for i in range(len(tokenizer.tokens))])
    writer.add_token_merges([" ".join(m) for m in tokenizer.merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(tokenizer.ids["<|im_end|>"])
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template((HERE / "template.jinja").read_text())


def add_tensor(writer, name, tensor, form):
    data = tensor.detach().float().numpy()
    if data.ndim == 1 or form == "f32":
        writer.add_tensor(name, data)
    elif form == "f16":
        writer.add_tensor(name, data.astype(numpy.float16))
    else:
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)


def main():
    state, out = sys.argv[1:3]
    form = sys.argv[3] if len(sys.argv) > 3 else "q8_0"
    weights = torch.load(state)["kept"]
    writer = gguf.GGUFWriter(out, "gemma3")
    set_facts(writer, form)
    set_tokenizer(writer)
    add_tensor(writer, "token_embd.weight", weights["embedding"], form)
    add_tensor(writer, "output_norm.weight", weights["final"], form)
    for layer in range(Shape.layers):
        for ours, theirs in NAMES.items():
            add_tensor(writer, f"blk.{layer}.{theirs}.weight", weights[f"blocks.{layer}.{ours}"], form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(json.dumps({"file": out, "bytes": pathlib.Path(out).stat().st_size}))


if __name__ == "__main__":
    main()
