"""Conversations as trees of tokens, so that what their turns share is computed once.

All turns of a conversation begin with the same tools and the same ask; turn n + 1 adds one call and its result to what turn n
saw. A sequence is that trunk, and at each turn leaves hang from it: the answers, with a thought and without. A token sees its own
leaf and the trunk before it; its position is its depth, as if each path stood alone.
"""
import re

import torch

BRIEF, GO = "<|brief|>", "\n<|go|>\n"


class Piece:
    """Tokens that follow a parent piece; targets are counted only where `answer`."""

    def __init__(self, tokens, parent, answer_from=None):
        self.tokens, self.parent, self.answer_from = tokens, parent, answer_from


def tree_of(talk, tokenizer, source, tail_most=90):
    """The pieces of one conversation, parents first."""
    end = tokenizer.ids["<|im_end|>"]
    pieces, trunk_text, trunk = [], None, -1
    for sample in talk.samples:
        cut = sample.prompt.rindex(BRIEF)
        brief, opening = sample.prompt[cut:].split(GO)
        if trunk_text is None or not brief.startswith(trunk_text):
            tail = tokenizer.encode(sample.prompt[:cut])
            tail = tail[-source.random.randint(4, tail_most):] if source.chance(0.7) else tail[-3:]
            pieces.append(Piece(tail + tokenizer.encode(brief), -1))
        elif brief != trunk_text:
            pieces.append(Piece(tokenizer.encode(brief[len(trunk_text):]), trunk))
        if trunk_text != brief:
            trunk, trunk_text = len(pieces) - 1, brief
        thought = sample.thought + "\n</think>\n\n"
        both = source.chance(0.4)
        with_thought = source.chance(0.5)
        for thinks in ((True, False) if both else (with_thought,)):
            lead = tokenizer.encode(GO + ("<think>\n" if thinks else "<think>\n\n</think>\n\n"))
            answer = tokenizer.encode((thought if thinks else "") + sample.text) + [end]
            pieces.append(Piece(lead + answer, trunk, len(lead)))
    return pieces


class Sequence:
    """One tree as flat lists: tokens, positions, the piece of each token, and (index, target) pairs to learn."""

    def __init__(self, pieces):
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
            if piece.answer_from is not None:
                self.targets += [(base + i - 1, piece.tokens[i]) for i in range(piece.answer_from, len(piece.tokens))]


def batch_of(sequences, dtype):
    """(tokens, positions, mask to add to scores, flat indices, targets), padded to the longest."""
    longest = max(len(s.tokens) for s in sequences)
    longest = (longest + 15) // 16 * 16
    count = len(sequences)
    tokens = torch.zeros(count, longest, dtype=torch.long)
    positions = torch.zeros(count, longest, dtype=torch.long)
    seen = torch.zeros(count, longest, longest, dtype=torch.bool)
    indices, targets = [], []
    for row, s in enumerate(sequences):
        n = len(s.tokens)
        tokens[row, :n] = torch.tensor(s.tokens)
        positions[row, :n] = torch.tensor(s.positions)
        pieces = len(s.ancestors)
        related = torch.zeros(pieces, pieces, dtype=torch.bool)
        for i, ancestors in enumerate(s.ancestors):
            related[i, list(ancestors)] = True
        of = torch.tensor(s.piece_of)
        seen[row, :n, :n] = related[of][:, of].tril()
        seen[row, n:, 0] = True
        indices += [row * longest + i for i, _ in s.targets]
        targets += [t for _, t in s.targets]
    mask = torch.zeros(count, 1, longest, longest, dtype=dtype).masked_fill(~seen[:, None], -30000.0)
    return tokens, positions, mask, torch.tensor(indices), torch.tensor(targets)
