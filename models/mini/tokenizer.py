"""The tokenizer: byte-level BPE whose merges stay inside runs of letters and runs of spaces, but for a few of JSON's marks.

A word is then the same tokens wherever it stands, after a space, a slash or a quote, and copying it is copying tokens.
libllama's pre-tokenizer "deepseek-coder" (newlines, letters with a space before, punctuation, digits) makes the same pieces.

    python3 tokenizer.py        writes tokenizer.json
"""
import collections
import functools
import heapq
import json
import pathlib
import re
import unicodedata

HERE = pathlib.Path(__file__).parent
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<|brief|>", "<|ask|>", "<|did|>",
            "<|got|>", "<|go|>"]
SIZE = 4096
LETTER = r"[^\W\d_]"
MARK = "[" + "".join(re.escape(chr(c)) for c in range(0x10000) if unicodedata.category(chr(c))[0] == "P") + "]"
RUNS = re.compile(rf"[^\S\r\n]?{LETTER}+|{MARK}+|`+| +(?= (?:{LETTER}|{MARK}))| +|.", re.S)
# Tool definitions are full of these; values to copy seldom begin or end within one.
JSON_PARTS = [('"', ":"), ('"', ","), ("{", '"'), ('"', "}"), ('":', '"'), ('",', '"'), ('":', "{"), ("}", ","), ("/", "/"), ("-", "-"), ("*", "*"), ("#", "#"), ("`", "`")]
SPECIAL = re.compile("(" + "|".join(re.escape(s) for s in SPECIALS) + ")")


def byte_alphabet():
    """GPT-2's printable character for each byte."""
    shown = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {}, 0
    for byte in range(256):
        if byte in shown:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(256 + extra)
            extra += 1
    return table


ALPHABET = byte_alphabet()


def in_alphabet(run):
    return tuple(ALPHABET[b] for b in run.encode())


def train(counts, size):
    """Merges by frequency over runs: counts is run -> how often."""
    words = [[list(in_alphabet(run)), n] for run, n in counts.items()]
    where, pairs = collections.defaultdict(set), collections.Counter()
    for i, (pieces, n) in enumerate(words):
        for pair in zip(pieces, pieces[1:]):
            pairs[pair] += n
            where[pair].add(i)
    heap = [(-n, pair) for pair, n in pairs.items()]
    heapq.heapify(heap)
    merges = []
    while len(merges) < size and heap:
        n, pair = heapq.heappop(heap)
        if pairs[pair] != -n:
            if pairs[pair] > 0:
                heapq.heappush(heap, (-pairs[pair], pair))
            continue
        if -n < 2:
            break
        merges.append(pair)
        touched = set()
        for i in where.pop(pair):
            pieces, count = words[i]
            for old in zip(pieces, pieces[1:]):
                pairs[old] -= count
            joined, k = [], 0
            while k < len(pieces):
                if k + 1 < len(pieces) and (pieces[k], pieces[k + 1]) == pair:
                    joined.append(pieces[k] + pieces[k + 1])
                    k += 2
                else:
                    joined.append(pieces[k])
                    k += 1
            words[i][0] = joined
            for new in zip(joined, joined[1:]):
                pairs[new] += count
                where[new].add(i)
                touched.add(new)
        for new in touched:
            heapq.heappush(heap, (-pairs[new], new))
    return merges


class Tokenizer:
    def __init__(self, path=HERE / "tokenizer.json"):
        self.merges = [tuple(m.split(" ")) for m in json.loads(pathlib.Path(path).read_text())]
        self.ranks = {m: i for i, m in enumerate(self.merges)}
        self.tokens = SPECIALS + [ALPHABET[b] for b in range(256)] + [a + b for a, b in self.merges]
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.bytes_of = {c: b for b, c in ALPHABET.items()}

    @functools.lru_cache(maxsize=1 << 18)
    def run(self, text):
        pieces = list(in_alphabet(text))
        while len(pieces) > 1:
            rank, at = min((self.ranks.get(pair, 1 << 30), i) for i, pair in enumerate(zip(pieces, pieces[1:])))
            if rank == 1 << 30:
                break
            pieces[at:at + 2] = [pieces[at] + pieces[at + 1]]
        return [self.ids[p] for p in pieces]

    def encode(self, text):
        """Special texts become their tokens: only for text of our own making."""
        out = []
        for part in SPECIAL.split(text):
            if part in self.ids and part in SPECIALS:
                out.append(self.ids[part])
            else:
                for run in RUNS.findall(part):
                    out.extend(self.run(run))
        return out

    def decode(self, tokens):
        out = bytearray()
        for token in tokens:
            text = self.tokens[token]
            out += text.encode() if token < len(SPECIALS) else bytes(self.bytes_of[c] for c in text)
        return out.decode(errors="replace")


def main():
    from dialogues import make_conversation, make_template
    from words import Source, load_words
    Source.pieces = []  # those of an older tokenizer say nothing about language
    counts = collections.Counter()
    for word, n in load_words().items():
        counts[word] += n
        counts[word.capitalize()] += n // 4
    template = make_template()
    for seed in range(3000):
        for sample in make_conversation(seed, template).samples[-1:]:
            for run in re.findall(LETTER + "+", SPECIAL.sub(" ", sample.prompt + sample.thought + sample.text)):
                counts[run] += 1
    for n in (2, 3, 4, 7, 8, 12, 16):
        counts[" " * n] += 2000
    merges = train(counts, SIZE - 256 - len(SPECIALS) - len(JSON_PARTS)) + JSON_PARTS
    (HERE / "tokenizer.json").write_text(json.dumps([" ".join(m) for m in merges], ensure_ascii=False, indent=0) + "\n")
    print(len(merges), "merges")


if __name__ == "__main__":
    main()
