"""The weights of a GGUF as a state to go on from: `python3 read_back.py IN.gguf OUT.pt`, then train.py --from-weights OUT.pt.

What is committed is the file alone, and a machine that trained may be gone: Q8_0 loses next to nothing.
"""
import pathlib
import sys

import gguf
import numpy
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from export import NAMES  # noqa: E402
from model import Model  # noqa: E402


def tensor_name(key):
    if key in ("embedding", "final"):
        return {"embedding": "token_embd", "final": "output_norm"}[key] + ".weight"
    _, layer, name = key.split(".")
    return f"blk.{layer}.{NAMES[name]}.weight"


def main():
    source, out = sys.argv[1:3]
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(source).tensors}
    weights = {}
    for key, like in Model().state_dict().items():
        tensor = tensors[tensor_name(key)]
        data = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        weights[key] = torch.tensor(numpy.array(data, dtype=numpy.float32)).reshape(like.shape)
    torch.save({"kept": weights, "model": weights}, out)


if __name__ == "__main__":
    main()
