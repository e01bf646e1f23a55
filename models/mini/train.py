"""Trains the model from random numbers and a seed. `python3 train.py [--steps N] [--threads N] [--resume]`

Everything is drawn anew from the seed: no sample is seen twice. build/mini/state.pt is written every 100 steps and training
goes on from it with --resume.
"""
import argparse
import math
import pathlib
import queue
import random
import sys
import threading
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from dialogues import other_turns, make_conversation, make_template  # noqa: E402
from model import Model  # noqa: E402
from muon import Muon  # noqa: E402
from packing import EMPTIES, Batch, Sequence, tree_of  # noqa: E402
from tokenizer import Tokenizer  # noqa: E402
from words import Source  # noqa: E402

SEED = 7
POOL = 96                # conversations that are sorted by length and cut into batches
TOKENS_A_STEP = 6600
# From a step on: the longest path, and how many empty tokens stand before the brief. Short ones first: they teach more a second.
GROWTH = ((0, 640, 56), (900, 900, 56), (2400, 1200, 112), (8500, 1450, EMPTIES))
OTHERS = 11              # more asks that go to a sequence's tools: what is hard is which tool, and where its values stand


def make_sequence(seed, template, tokenizer, others, empty):
    source = Source(random.Random(seed))
    talk = make_conversation(seed, template)
    return Sequence(tree_of(talk, tokenizer, source, other_turns(talk, others), empty), tokenizer)


def growth_at(step):
    return [(most, empty) for begin, most, empty in GROWTH if step >= begin][-1]


def padded(sequences):
    return len(sequences) * (max(len(s.trunk) for s in sequences) + len(sequences[0].slots) * max(s.slot_length for s in sequences))


def batches(tokenizer, start, step):
    """Endless (number of the next conversation, sequences) with about TOKENS_A_STEP tokens each."""
    template, seed = make_template(), start
    while True:
        pool, (most, empty) = [], growth_at(step)
        while len(pool) < POOL:
            sequence = make_sequence(SEED * 10_000_000 + seed, template, tokenizer, OTHERS, empty)
            seed += 1
            if sequence.deepest <= most:
                pool.append(sequence)
        pool.sort(key=lambda s: (len(s.slots), s.slot_length // 64, len(s.trunk)))
        cut = []
        for sequence in pool:
            last = cut[-1] if cut else []
            if not last or len(last[0].slots) != len(sequence.slots) or padded(last + [sequence]) > TOKENS_A_STEP * 1.1:
                cut.append([])
            cut[-1].append(sequence)
        random.Random(seed).shuffle(cut)
        for group in cut:
            step += 1
            yield seed, group


def ahead(items, most=8):
    """The same items, made by a thread of its own while the network computes."""
    line = queue.Queue(most)

    def fill():
        for item in items:
            line.put(item)

    threading.Thread(target=fill, daemon=True).start()
    while True:
        yield line.get()


def optimizer_of(model, rate):
    named = list(model.named_parameters())
    is_matrix = lambda name, p: p.dim() == 2 and name != "embedding"
    return Muon((p for n, p in named if is_matrix(n, p)), [p for n, p in named if not is_matrix(n, p)], rate)


def rate_at(step, options):
    """Up in 60 steps, level for `hold` steps, then down in a line until the last."""
    if step < 60:
        return options.rate * (step + 1) / 60
    return options.rate * (1.0 if step < options.hold else 0.02 + 0.98 * (options.steps - step) / (options.steps - options.hold))


def whole_of(logits, targets, leaves):
    """How many answers would come out letter by letter if each time the likeliest token were taken, and of how many."""
    right = torch.ones(int(leaves.max()) + 1, dtype=torch.bool)
    right[leaves[logits.argmax(-1) != targets]] = False
    return int(right.sum()), len(right)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--hold", type=int, default=5500)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", default="build/mini")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--from-weights", default="", help="a state whose weights to begin with")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    model, tokenizer = Model(), Tokenizer()
    optimizer = optimizer_of(model, options.rate)
    step, seed, tokens, spent = 0, 0, 0, 0.0
    if options.resume:
        state = torch.load(out / "state.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, seed, tokens, spent = state["step"], state["seed"], state["tokens"], state["spent"]
    if options.from_weights:
        model.load_state_dict(torch.load(options.from_weights)["kept"])
    kept = {n: p.detach().clone() for n, p in model.named_parameters()}  # a slow average: what is exported
    if options.resume:
        kept = state["kept"]
    last, losses, rights, wholes = time.time(), [], [], []
    for seed, group in ahead(batches(tokenizer, seed, step)):
        if step >= options.steps:
            break
        batch = Batch(group, torch.bfloat16)
        logits = model(batch.tokens, batch.positions, batch.tree(), batch.wanted, torch.bfloat16)
        loss = (F.cross_entropy(logits, batch.targets, reduction="none") * batch.weights).sum() / batch.weights.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(rate_at(step, options))
        step += 1
        if step % 4 == 0:
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    kept[name].lerp_(parameter, max(0.02, 4 / (step + 4)))
        tokens += batch.tokens.numel()
        losses.append(loss.item())
        rights.append((logits.argmax(-1) == batch.targets).float().mean().item())
        wholes.append(whole_of(logits, batch.targets, batch.leaves))
        if step % 50 == 0:
            now = time.time()
            spent += now - last
            last = now
            print(f"step {step} loss {sum(losses) / len(losses):.4f} right {sum(rights) / len(rights):.4f} "
                  f"whole {sum(w[0] for w in wholes) / sum(w[1] for w in wholes):.3f} tokens {tokens / 1e6:.2f}M {tokens / spent:.0f}/s "
                  f"{spent / 60:.1f} min conversations {seed}", flush=True)
            losses, rights, wholes = [], [], []
        if step % 100 == 0 or step == options.steps:
            torch.save({"model": model.state_dict(), "kept": kept, "optimizer": optimizer.state_dict(), "step": step, "seed": seed, "tokens": tokens, "spent": spent}, out / "state.tmp")
            (out / "state.tmp").rename(out / "state.pt")


if __name__ == "__main__":
    main()
