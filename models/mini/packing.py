"""Conversations as trees of tokens, so that what their turns share is computed once.

Several asks go to the same tools. A sequence is that trunk, the end of a history and the brief's tools, and from it hang the asks, and from
each its answers, with a thought or without. A token sees its own path to the root; its position is its depth, as if each path stood alone.
"""
import pathlib

import torch

from model import Shape

BRIEF, ASK, GO = "<|brief|>", "\n<|ask|>", "\n<|go|>\n"
TAIL_MOST = 480
CHECKOUT = pathlib.Path(__file__).parent.parent.parent
PROSE = "\n".join(path.read_text() for path in sorted(CHECKOUT.glob("*.md")) + sorted(CHECKOUT.glob("docs/*.md")))  # of this project itself


class Piece:
    """Tokens that follow a parent piece (a number; -1: nothing), and which of them are to be learned."""

    def __init__(self, tokens, parent, answer_from=None):
        self.tokens, self.parent = tokens, parent
        self.learned = () if answer_from is None else range(answer_from, len(tokens))


def add_answers(pieces, sample, trunk, tokenizer, source, both):
    """The sample's answer as leaves of the trunk: with a thought, without, or both."""
    with_thought = source.chance(0.5)
    for thinks in ((True, False) if both else (with_thought,)):
        lead = tokenizer.encode(GO + ("<think>\n" if thinks else "<think>\n\n</think>\n\n"))
        answer = tokenizer.encode((sample.thought + "\n</think>\n\n" if thinks else "") + sample.text) + [tokenizer.ids["<|im_end|>"]]
        pieces.append(Piece(lead + answer, trunk, len(lead)))


def cut_brief(prompt):
    """(history, the brief's tools, its ask with what was done and the ask again)."""
    history, brief = prompt[:prompt.rindex(BRIEF)], prompt[prompt.rindex(BRIEF):].split(GO)[0]
    at = brief.index(ASK)
    return history, brief[:at], brief[at:]


def tail_of(history, tokenizer, source):
    """What stands before the brief, as much as the window may show: tool definitions, what was said and done, other text. The model
    learns to pass it over."""
    count = source.random.randint(4, 90) if source.chance(0.3) else source.random.randint(90, TAIL_MOST)
    kind = source.random.random()
    if kind < 0.12:
        line = tokenizer.encode(" ".join(source.sentence() for _ in range(count // 6 + 1)))[:count]
    elif kind < 0.25 and PROSE:
        start = source.random.randrange(len(PROSE))
        line = tokenizer.encode(PROSE[start:start + 6 * count])[:count]
    else:
        return tokenizer.encode(history)[-count:]
    return line + tokenizer.encode("<|im_end|>\n<|im_start|>assistant\n")


def tree_of(talk, tokenizer, source, others=()):
    """The pieces of one turn of a conversation, behind the very history it had; others: conversations of one sample that go to the same
    tools. Turns of one conversation do not share a tree: what the first did stands before the second's brief."""
    sample = source.pick(talk.samples)
    history, tools, asked = cut_brief(sample.prompt)
    pieces = [Piece(tail_of(history, tokenizer, source) + tokenizer.encode(tools), -1)]
    for other in others:
        pieces.append(Piece(tokenizer.encode(cut_brief(other.samples[0].prompt)[2]), 0))
        add_answers(pieces, other.samples[0], len(pieces) - 1, tokenizer, source, both=False)
    pieces.append(Piece(tokenizer.encode(asked), 0))
    add_answers(pieces, sample, len(pieces) - 1, tokenizer, source, both=source.chance(0.4))
    return pieces


def weights_of(tokens, tokenizer):
    """What each token counts when it is learned: the decisions more, which tool and where a value begins; the first letters of a
    parameter's name less, for Hearth's constraint leaves only names that are declared."""
    out = [1.0] * len(tokens)
    for before, weight in (("<function=", 3.0), (">\n", 3.0), ("<parameter=", 0.3)):
        mark = tokenizer.encode(before)
        for i in range(len(mark), len(tokens)):
            if tokens[i - len(mark):i] == mark:
                out[i] = weight
    return out


class Sequence:
    """One tree as flat lists: tokens, positions, the piece of each token, and (index, target, piece, weight) to learn."""

    def __init__(self, pieces, tokenizer):
        self.tokens, self.positions, self.piece_of, self.targets = [], [], [], []
        depth_at_end, self.ancestors = [], []
        for number, piece in enumerate(pieces):
            start = depth_at_end[piece.parent] if piece.parent >= 0 else 0
            self.ancestors.append((self.ancestors[piece.parent] | {piece.parent} if piece.parent >= 0 else set()) | {number})
            base = len(self.tokens)
            self.tokens += piece.tokens
            self.positions += range(start, start + len(piece.tokens))
            self.piece_of += [number] * len(piece.tokens)
            depth_at_end.append(start + len(piece.tokens))
            weights = weights_of(piece.tokens, tokenizer)
            self.targets += [(base + i - 1, piece.tokens[i], number, weights[i]) for i in piece.learned]


def batch_of(sequences, dtype):
    """(tokens, positions, mask to add to scores, flat indices, targets, the answer each belongs to, its weight), padded to the longest."""
    longest = max(len(s.tokens) for s in sequences)
    longest = (longest + 15) // 16 * 16
    count = len(sequences)
    tokens = torch.zeros(count, longest, dtype=torch.long)
    positions = torch.zeros(count, longest, dtype=torch.long)
    seen = torch.zeros(count, longest, longest, dtype=torch.bool)
    indices, targets, leaves, weights, answers = [], [], [], [], 0
    for row, s in enumerate(sequences):
        n = len(s.tokens)
        tokens[row, :n] = torch.tensor(s.tokens)
        positions[row, :n] = torch.tensor(s.positions)
        pieces = len(s.ancestors)
        related = torch.zeros(pieces, pieces, dtype=torch.bool)
        for i, ancestors in enumerate(s.ancestors):
            related[i, list(ancestors)] = True
        of = torch.tensor(s.piece_of)
        depth = positions[row, :n]
        seen[row, :n, :n] = related[of][:, of].tril() & (depth[:, None] - depth[None, :] < Shape.window)
        seen[row, n:, 0] = True
        indices += [row * longest + i for i, _, _, _ in s.targets]
        targets += [t for _, t, _, _ in s.targets]
        numbers = {piece: answers + n for n, piece in enumerate(dict.fromkeys(p for _, _, p, _ in s.targets))}
        leaves += [numbers[p] for _, _, p, _ in s.targets]
        weights += [w for _, _, _, w in s.targets]
        answers += len(numbers)
    mask = torch.zeros(count, 1, longest, longest, dtype=dtype).masked_fill(~seen[:, None], -30000.0)
    return tokens, positions, mask, torch.tensor(indices), torch.tensor(targets), torch.tensor(leaves), torch.tensor(weights)
