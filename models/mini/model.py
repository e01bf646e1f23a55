"""The network: a small transformer with a sliding window in every layer, tensor for tensor what libllama runs as "gemma3".

Of each head's 64 dimensions the first 16 turn with the position (RoPE), the rest match content at any distance. The first two
layers begin as what copying needs: layer 0 looks one, two and three tokens back, and at the six around the seventh together; layer 1 finds
where the last three tokens stood before, of several such places the one with the like before it, and points at what followed.
Random weights find that too, after a few hundred times more text.
"""
import math

import torch
import torch.nn.functional as F

from tokenizer import SIZE


class Shape:
    vocabulary = SIZE
    width = 288
    layers = 6
    heads = 5
    head_width = 64
    rotary = 16
    feed_forward = 704
    window = 768
    rope_base = 10000.0
    epsilon = 1e-6


def norm(x, weight):
    return F.rms_norm(x, (x.shape[-1],), weight.to(x.dtype), Shape.epsilon)


def rope_tables(positions):
    """positions: (batch, length) or (length,); the tables have a dimension for the heads."""
    half = Shape.rotary // 2
    rates = Shape.rope_base ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = positions.double()[..., None, :, None] * rates
    return angles.cos().float(), angles.sin().float()


def causal_mask(length):
    far = torch.ones(length, length, dtype=torch.bool).tril().logical_not()
    if length > Shape.window:
        far |= torch.ones(length, length, dtype=torch.bool).tril(-Shape.window)
    return torch.zeros(length, length).masked_fill(far, -30000.0)


def rotate(x, cos, sin):
    half = Shape.rotary // 2
    a, b, rest = x.split([half, half, x.shape[-1] - 2 * half], -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)


class Tree:
    """What is added to the scores of lines that share a trunk: near, trunk to trunk (lines, T, T); far, branches to trunk (lines, slots x S, T);
    own, each slot to itself (lines x slots, S, S). The line is trunk, slot, slot, ..."""

    def __init__(self, near, far, own):
        per_head = lambda mask, lines: mask.view(lines, 1, -1, *mask.shape[1:]).expand(-1, Shape.heads, -1, -1, -1).reshape(-1, *mask.shape[1:])
        lines = len(near)
        self.near, self.far, self.own = per_head(near, lines), per_head(far, lines), per_head(own, lines)

    def attend(self, q, k, v):
        trunk, slot, width = self.near.shape[-1], self.own.shape[-1], q.shape[-1]
        (q_trunk, q), (k_trunk, k), (v_trunk, v) = (x.split([trunk, x.shape[1] - trunk], 1) for x in (q, k, v))
        apart = lambda x: x.reshape(-1, slot, width)
        top = torch.bmm(torch.baddbmm(self.near, q_trunk, k_trunk.transpose(1, 2)).softmax(-1), v_trunk)
        far = torch.baddbmm(self.far, q, k_trunk.transpose(1, 2)).view(-1, slot, trunk)
        own = torch.baddbmm(self.own, apart(q), apart(k).transpose(1, 2))
        far, own = torch.cat([far, own], -1).softmax(-1).split([trunk, slot], -1)
        below = torch.bmm(far.reshape(len(q), -1, trunk), v_trunk).view(-1, slot, width) + torch.bmm(own, apart(v))
        return torch.cat([top, below.view(len(q), -1, width)], 1)


class Line:
    """The same for lines that share nothing: one mask (lines or 1, 1, L, L)."""

    def __init__(self, mask, lines, length):
        self.mask = mask.expand(lines, Shape.heads, -1, -1).reshape(-1, length, length)  # one addend of the heads' products

    def attend(self, q, k, v):
        return torch.bmm(torch.baddbmm(self.mask, q, k.transpose(1, 2)).softmax(-1), v)


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        d, h, f = Shape.width, Shape.heads * Shape.head_width, Shape.feed_forward
        weight = lambda *size: torch.nn.Parameter(torch.randn(*size) * size[-1] ** -0.5)
        one = lambda n, value=1.0: torch.nn.Parameter(torch.full((n,), value))
        self.q, self.k, self.v, self.o = weight(h, d), weight(h, d), weight(h, d), weight(d, h)
        self.gate, self.up, self.down = weight(f, d), weight(f, d), weight(d, f)
        self.attn_norm, self.attn_post, self.ffn_norm, self.ffn_post = one(d), one(d, 0.5), one(d), one(d, 0.25)
        self.q_norm, self.k_norm = one(Shape.head_width), one(Shape.head_width)

    def forward(self, x, cos, sin, seen):
        batch, length, _ = x.shape
        y = norm(x, self.attn_norm)
        split = lambda w: F.linear(y, w.to(y.dtype)).view(batch, length, Shape.heads, Shape.head_width).transpose(1, 2)
        flat = lambda t: t.reshape(batch * Shape.heads, length, Shape.head_width)
        q = flat(rotate(norm(split(self.q), self.q_norm * Shape.head_width ** -0.5), cos, sin))
        k = flat(rotate(norm(split(self.k), self.k_norm), cos, sin))
        y = seen.attend(q, k, flat(split(self.v))).view(batch, Shape.heads, length, Shape.head_width)
        y = y.transpose(1, 2).reshape(batch, length, -1)
        x = x + norm(F.linear(y, self.o.to(y.dtype)), self.attn_post)
        y = norm(x, self.ffn_norm)
        y = F.gelu(F.linear(y, self.gate.to(y.dtype)), approximate="tanh") * F.linear(y, self.up.to(y.dtype))
        return x + norm(F.linear(y, self.down.to(y.dtype)), self.ffn_post)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Parameter(torch.randn(Shape.vocabulary, Shape.width) * Shape.width ** -0.5)
        self.blocks = torch.nn.ModuleList(Layer() for _ in range(Shape.layers))
        self.final = torch.nn.Parameter(torch.full((Shape.width,), 1.0))
        with torch.no_grad():
            self.begin_as_copier()

    def forward(self, tokens, positions=None, seen=None, wanted=None, dtype=torch.float32):
        """Logits at the flat indices `wanted` of tokens, or at all. positions, and the Tree or Line of what is seen: of a plain line unless given."""
        length = tokens.shape[1]
        x = (F.embedding(tokens, self.embedding) * math.sqrt(Shape.width)).to(dtype)
        cos, sin = (t.to(dtype) for t in rope_tables(torch.arange(length) if positions is None else positions))
        seen = Line(causal_mask(length)[None, None].to(dtype), len(tokens), length) if seen is None else seen
        for block in self.blocks:
            x = block(x, cos, sin, seen)
        x = x.reshape(-1, Shape.width)
        if wanted is not None:
            x = x[wanted]
        return F.linear(norm(x, self.final), self.embedding.to(dtype)).float()

    def begin_as_copier(self):
        """Dimensions of the stream: 0 is one and the same for every token, [1, 160) say which token, the others are empty:
        [160, 256) take 32 for each of the three tokens before, [256, 288) the mean of some six before those."""
        e, w = self.embedding, Shape.head_width
        e[:, 160:] = 0
        e[:, 0] = 2.5 / math.sqrt(Shape.width)
        first, second = self.blocks[0], self.blocks[1]
        half = Shape.rotary // 2
        near, wide = torch.tensor([1.0, 0.9, 0.8, 0.5, 0.2, 0.1, 0.0, 0.0]), torch.tensor([0.0, 0.2, 0.8, 0.6, 0.6, 0.6, 0.5, 0.5])
        # Layer 0: key and query are constant, the query is turned `back` steps; slow rates alone see several tokens at once.
        for number, head, back, strength in ((0, 0, 1, near), (1, 1, 2, near), (2, 2, 3, near), (3, 4, 6.5, wide)):
            rows = slice(head * w, (head + 1) * w)
            for matrix in (first.q, first.k, first.v):
                matrix[rows] = 0
            rates = Shape.rope_base ** (-torch.arange(half, dtype=torch.float64) / half)
            first.k[rows, 0][:half] = strength
            turned = (-back * rates).float()
            first.q[rows, 0][:half] = strength * turned.cos()
            first.q[rows, 0][half:2 * half] = strength * turned.sin()
            for i in range(32):  # the token's dimensions 1..32 go to the empty ones
                first.v[head * w + i, 1 + i] = 1
            first.o[:, rows] = 0
            for i in range(32):
                first.o[160 + 32 * number + i, head * w + i] = 1
        first.o[:, 3 * w:4 * w] *= 0.1
        first.q_norm.fill_(2.5)
        first.k_norm.fill_(2.5)
        first.attn_post.fill_(1.0)
        for head in range(3):  # layer 1: keys are the three tokens before; the query is this one and the two before
            rows = slice(head * w, (head + 1) * w)
            for matrix in (second.q, second.k, second.v):
                matrix[rows] = 0
            second.o[:, rows] = 0
            for i in range(16):
                for step in range(3):
                    at = head * w + 16 + 16 * step + i
                    second.k[at, 160 + 32 * step + i] = 1
                    second.q[at, 1 + i if step == 0 else 160 + 32 * (step - 1) + i] = 1
            for i in range(53):  # what stood there is what comes now
                second.v[head * w + i, 1 + 53 * head + i] = 1
                second.o[1 + 53 * head + i, head * w + i] = 1
        rows = slice(4 * w, 5 * w)
        for matrix in (second.q, second.k, second.v):
            matrix[rows] = 0
        second.o[:, rows] = 0
        for i in range(10):  # its last head: fewer dimensions of the three, and the six before them
            for step in range(3):
                at = 4 * w + 16 + 10 * step + i
                second.k[at, 160 + 32 * step + i] = 1
                second.q[at, 1 + i if step == 0 else 160 + 32 * (step - 1) + i] = 1
        for i in range(18):
            second.k[4 * w + 46 + i, 256 + i] = second.q[4 * w + 46 + i, 256 + i] = 1
        for i in range(w):
            second.v[4 * w + i, 1 + i] = 1
            second.o[1 + i, 4 * w + i] = 0.5
        second.o[:, 3 * w:4 * w] *= 0.1
        second.q_norm.fill_(1.6)
        second.k_norm.fill_(1.6)
        second.attn_post.fill_(2.0)
