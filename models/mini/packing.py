"""Conversations as trees of tokens, so that what their turns share is computed once.

Several asks go to the same tools. A sequence is that trunk, the end of a history and the brief's tools, and from it hang the asks, and from
each its answers, with a thought or without. A token sees its own path to the root; its position is its depth, as if each path stood alone.
"""
import torch

from dialogues import pick_turn
from model import Shape, Tree
from words import PROSE

EMPTY, BRIEF, ASK, GO = "<|endoftext|>", "<|brief|>", "\n<|ask|>", "\n<|go|>\n"
TAIL_MOST = 320
SLOTS = 4
EMPTIES = 448  # in template.jinja
RUN, RUN_STANDS = 4, 56  # of the empty tokens a tree holds runs of four, and the last of each run counts for the rest of 56


class Piece:
    """Tokens that follow a parent piece (a number; -1: nothing), and which of them are to be learned. places: where they stand if not one
    behind the other; counts: for how many tokens alike each stands."""

    def __init__(self, tokens, parent, answer_from=None, places=None, counts=None):
        self.tokens, self.parent = tokens, parent
        self.places, self.counts = places or list(range(len(tokens))), counts or [1] * len(tokens)
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
    assert prompt.count(EMPTY) == EMPTIES
    history, brief = prompt[:prompt.index(EMPTY)], prompt[prompt.rindex(BRIEF):].split(GO)[0]
    at = brief.index(ASK)
    return history, brief[:at], brief[at:]


def tail_of(history, tokenizer, source):
    """What stands before the empty tokens, as much as the window may show to the brief's first tokens: tool definitions, what was said and done, other text. The
    model learns to pass it over."""
    count = source.random.randint(4, TAIL_MOST)
    kind = source.random.random()
    if kind < 0.1:
        line = tokenizer.encode(" ".join(source.sentence() for _ in range(count // 6 + 1)))[:count]
    elif kind < 0.55 and PROSE:
        start = source.random.randrange(len(PROSE))
        line = tokenizer.encode(PROSE[start:start + 6 * count])[:count]
    else:
        return tokenizer.encode(history)[-count:]
    return line + tokenizer.encode("<|im_end|>\n<|im_start|>assistant\n")


def tree_of(talk, tokenizer, source, others=(), empty=EMPTIES):
    """The pieces of one turn of a conversation, behind the very history it had; others: turns of other conversations that go to the same
    tools. Turns of one conversation do not share a tree: what the first did stands before the second's brief. empty: how many empty tokens;
    fewer than the template has teach sooner."""
    sample = pick_turn(source, talk.samples)
    history, tools, asked = cut_brief(sample.prompt)
    pieces = [trunk_of(tail_of(history, tokenizer, source), empty, tokenizer.encode(tools), tokenizer.ids[EMPTY])]
    for other in others:
        pieces.append(Piece(tokenizer.encode(cut_brief(other.prompt)[2]), 0))
        add_answers(pieces, other, len(pieces) - 1, tokenizer, source, both=False)
    pieces.append(Piece(tokenizer.encode(asked), 0))
    add_answers(pieces, sample, len(pieces) - 1, tokenizer, source, both=source.chance(0.4))
    return pieces


def trunk_of(tail, empty, tools, empty_id):
    """The empty tokens are all but alike, so few stand for many: what sees them sees each as often as it counts. Half of a trunk's tokens are
    spared; the answers' loss is the same to the third digit."""
    runs = empty // RUN_STANDS
    places = list(range(len(tail)))
    counts = [1] * len(tail)
    for run in range(runs):
        places += range(len(tail) + (run + 1) * RUN_STANDS - RUN, len(tail) + (run + 1) * RUN_STANDS)
        counts += [1] * (RUN - 1) + [RUN_STANDS - RUN + 1]
    begin = len(tail) + runs * RUN_STANDS
    return Piece(tail + [empty_id] * (runs * RUN) + tools, -1, None, places + list(range(begin, begin + len(tools))), counts + [1] * len(tools))


def weights_of(tokens, tokenizer):
    """What each token counts when it is learned: the decisions more, which tool and where a value begins; the first letters of a
    parameter's name less, for Hearth's constraint leaves only names that are declared."""
    out = [1.0] * len(tokens)
    for before, weight in (("<function=", 5.0), ("Use ", 5.0), (">\n", 5.0), ("<parameter=", 0.3)):
        mark = tokenizer.encode(before)
        for i in range(len(mark), len(tokens)):
            if tokens[i - len(mark):i] == mark:
                out[i] = weight
    return out


class Branch:
    """An ask and its answers as one line of tokens behind the trunk; which token sees which is told by their pieces."""

    def __init__(self, numbers, pieces, depth, tokenizer):
        self.tokens, self.positions, self.piece_of, self.targets = [], [], [], []  # targets: (index, token, piece, weight)
        ends = {0: depth}
        for number in numbers:
            piece = pieces[number]
            start, base = ends[piece.parent], len(self.tokens)
            self.tokens += piece.tokens
            self.positions += range(start, start + len(piece.tokens))
            self.piece_of += [number] * len(piece.tokens)
            ends[number] = start + len(piece.tokens)
            weights = weights_of(piece.tokens, tokenizer)
            if piece.learned:
                weights[piece.learned[0]] = 3.0  # whether a tool is asked for at all
            self.targets += [(base + i - 1, piece.tokens[i], number, weights[i]) for i in piece.learned]
        self.related = {number: {number, pieces[number].parent} for number in numbers}  # two levels: the ask, its answers


class Sequence:
    """One tree: the trunk's tokens and slots of about one length, in each some branches one after the other. A branch sees the trunk and
    itself, so attention costs what its path is long, however many branches there are."""

    def __init__(self, pieces, tokenizer):
        self.trunk, self.trunk_places, self.trunk_counts = pieces[0].tokens, pieces[0].places, pieces[0].counts
        asks = [number for number, piece in enumerate(pieces) if piece.parent == 0]
        branches = [Branch([ask] + [n for n, p in enumerate(pieces) if p.parent == ask], pieces, self.trunk_places[-1] + 1, tokenizer) for ask in asks]
        self.slots = [[] for _ in range(min(SLOTS, len(branches)))]
        for branch in sorted(branches, key=lambda b: -len(b.tokens)):
            min(self.slots, key=slot_length).append(branch)
        self.slot_length = max(map(slot_length, self.slots))
        self.deepest = max(max(b.positions) for b in branches) + 1


def slot_length(branches):
    return sum(len(b.tokens) for b in branches)


def up(length):
    return (length + 15) // 16 * 16


class Batch:
    """Sequences with equally many slots, padded to the longest trunk and the longest slot: what model.Tree and the loss need."""

    def __init__(self, sequences, dtype):
        count, slots = len(sequences), len(sequences[0].slots)
        self.trunk, self.slot = up(max(len(s.trunk) for s in sequences)), up(max(s.slot_length for s in sequences))
        length = self.trunk + slots * self.slot
        self.tokens, self.positions = torch.zeros(count, length, dtype=torch.long), torch.zeros(count, length, dtype=torch.long)
        near = torch.zeros(count, self.trunk, self.trunk, dtype=torch.bool)
        far = torch.zeros(count, slots * self.slot, self.trunk, dtype=torch.bool)
        own = torch.zeros(count * slots, self.slot, self.slot, dtype=torch.bool)
        counts = torch.zeros(count, 1, self.trunk)
        targets, answers = [], 0
        for row, s in enumerate(sequences):
            n = len(s.trunk)
            self.tokens[row, :n] = torch.tensor(s.trunk)
            places = torch.tensor(s.trunk_places)
            self.positions[row, :n] = places
            near[row, :n, :n] = seen_of(places)
            near[row, n:, 0] = True  # padding sees something, as else it is no number
            counts[row, 0, :n] = torch.tensor(s.trunk_counts).log()
            for number, branches in enumerate(s.slots):
                base = 0
                for branch in branches:
                    end, at = base + len(branch.tokens), self.trunk + number * self.slot + base
                    self.tokens[row, at:at + end - base] = torch.tensor(branch.tokens)
                    self.positions[row, at:at + end - base] = torch.tensor(branch.positions)
                    own[row * slots + number, base:end, base:end] = own_of(branch)
                    leaves = {piece: answers + i for i, piece in enumerate(dict.fromkeys(p for _, _, p, _ in branch.targets))}
                    targets += [(row * length + at + i, token, leaves[piece], weight) for i, token, piece, weight in branch.targets]
                    answers += len(leaves)
                    base = end
            depth = self.positions[row, self.trunk:]
            far[row, :, :n] = depth[:, None] - places < Shape.window
        added = lambda seen, to: to.to(dtype).expand(seen.shape).masked_fill(~seen, -30000.0)
        self.near, self.far, self.own = added(near, counts), added(far, counts), added(own, torch.zeros(1))
        self.wanted, self.targets, self.leaves, self.weights = (torch.tensor(column) for column in zip(*targets))

    def tree(self):
        return Tree(self.near, self.far, self.own)


def seen_of(depth):
    return torch.ones(len(depth), len(depth), dtype=torch.bool).tril() & (depth[:, None] - depth[None, :] < Shape.window)


def own_of(branch):
    of = branch.piece_of
    numbers = {number: i for i, number in enumerate(branch.related)}
    related = torch.zeros(len(numbers), len(numbers), dtype=torch.bool)
    for number, sees in branch.related.items():
        related[numbers[number], [numbers[other] for other in sees if other in numbers]] = True
    index = torch.tensor([numbers[number] for number in of])
    return related[index][:, index] & seen_of(torch.tensor(branch.positions))
