"""Words, names and contents that instructions are made of. Everything is drawn from a random.Random, so a seed repeats it.

`held` splits every open list in two by a hash of its items: what evaluation uses is never seen in training.
"""
import functools
import hashlib
import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent


@functools.lru_cache(maxsize=1 << 20)
def is_held(text, share=0.15):
    """Whether an item belongs to evaluation alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32 < share


def load_words():
    """word -> count, from words.txt (this project's own prose and code)."""
    lines = (HERE / "words.txt").read_text().split("\n")
    return {line.split("\t")[0]: int(line.split("\t")[1]) for line in lines if line}


WORDS = [w for w in load_words() if w.islower() and w.isascii() and 2 < len(w) < 13]
WORDS_HELD = [w for w in WORDS if is_held(w)]
WORDS_SEEN = [w for w in WORDS if not is_held(w)]


def load_pieces():
    """The tokenizer's own pieces that are letters. Empty before there is a tokenizer."""
    file = HERE / "tokenizer.json"
    pieces = [merge.replace(" ", "") for merge in json.loads(file.read_text())] if file.exists() else []
    return [piece for piece in pieces if piece.isascii() and piece.isalpha()]


STARTS = "b c d f g h k l m n p r s t v w z br cl dr fl gr kr pl st tr sh th qu".split()
MIDDLES = "a e i o u a e i o ai ea ou oo".split()
ENDS = "n r s t l m k x nd rt ck st sh p b d g".split()
NAMES = ("Anna Ben Carla David Elena Frank Grace Hugo Iris Jonas Karin Leo Maria Nils Olga Paul Rosa Simon Tara Victor "
         "Wanda Yusuf Zoe Amir Bruno Chloe Diego Emma Felix Hana").split()
CITIES = ("Paris London Berlin Tokyo Madrid Oslo Rome Vienna Lisbon Dublin Cairo Lima Boston Chicago Toronto Sydney Mumbai "
          "Seoul Athens Prague Warsaw Zurich Geneva Hamburg Munich Kyoto Nairobi Quito Bogota Denver").split()
SUFFIXES = "txt md py js json yaml csv html css sh toml ini log xml ts go rs c cpp h java rb sql cfg env".split()


@functools.lru_cache(maxsize=4096)
def split_of(items, held):
    mine = [item for item in items if is_held(str(item)) == held]
    return mine if len(mine) >= 2 else list(items)


CHECKOUT = pathlib.Path(__file__).parent.parent.parent
# Of this project itself, without what would be marks of the dialect: in a client's text they are none.
PROSE = re.sub(r"<\|\w+\|>|</?(?:think|tool_call|tool_response)>", "", "\n".join(path.read_text() for path in sorted(CHECKOUT.glob("*.md")) + sorted(CHECKOUT.glob("docs/*.md"))))


COMMON = ("the", "or", "in", "and", "to", "is", "on", "as", "for", "with", "file", "be", "not", "no", "if", "use", "tool", "read", "an", "of", "at", "it")
like_common = lambda words: [w for w in words if any(w.startswith(c) and len(w) > len(c) + 1 for c in COMMON)] or words
LIKE_COMMON_SEEN, LIKE_COMMON_HELD = like_common(WORDS_SEEN), like_common(WORDS_HELD)


class Source:
    """Draws values. held: only from what training never sees; otherwise only from what it may see. A held-out word that is one token
    would be one that training never copies, and always learns not to say; so words are also joined from any pieces."""
    pieces = load_pieces()

    def __init__(self, random, held=False):
        self.random = random
        self.held = held
        self.words = WORDS_HELD if held else WORDS_SEEN

    def pick(self, items):
        return items[int(self.random.random() * len(items))]

    def split(self, items):
        """The part of a list that this source may use; all of it where the split leaves too few."""
        return split_of(tuple(items), self.held)

    def chance(self, share):
        return self.random.random() < share

    def made_up(self):
        """A word that no list has."""
        while True:
            parts = [self.pick(STARTS) + self.pick(MIDDLES) for _ in range(self.random.randint(1, 2))]
            word = "".join(parts) + self.pick(ENDS)
            if is_held(word) == self.held:
                return word

    def word(self):
        kind = self.random.random()
        if kind < 0.1:
            return self.made_up()
        if kind < 0.28 and self.pieces and not self.held:
            return "".join(self.pick(self.pieces) for _ in range(self.random.randint(1, 3)))
        # A word that begins as one of the commonest does is the hardest to copy: what follows that one stands everywhere.
        word = self.pick(LIKE_COMMON_HELD if self.held else LIKE_COMMON_SEEN) if kind > 0.92 else self.pick(self.words)
        return self.pick([word.upper(), word.capitalize()]) if self.chance(0.06) else word

    def letters(self):
        return "".join(self.pick("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(self.random.randint(3, 7)))

    def number(self):
        return str(self.random.randint(0, 10 ** self.random.randint(1, 4)))

    def stem(self):
        kind = self.random.random()
        if kind < 0.5:
            return self.word()
        if kind < 0.62:
            return self.word() + self.pick("_-") + self.word()
        if kind < 0.7:
            return self.word() + self.pick(["", "_", "-"]) + str(self.random.randint(1, 99))
        if kind < 0.77:
            return self.word().capitalize() + (self.word().capitalize() if self.chance(0.5) else "")
        if kind < 0.84:
            return self.letters()
        if kind < 0.9:
            return self.word().upper()
        return self.word() + self.pick("_-") + self.word() + self.pick("_-") + self.word()

    def file_name(self, suffix=None):
        if suffix is None and self.chance(0.05):
            return self.pick(["Makefile", "Dockerfile", "LICENSE", "README", ".gitignore", ".env", "README.md", "package.json"])
        return f"{self.stem()}.{suffix or self.pick(SUFFIXES)}"

    def folder(self):
        kind = self.random.random()
        depth = 1 if kind < 0.6 else 2 if kind < 0.9 else 3
        parts = [self.pick(["src", "docs", "tests", "lib", "app", "config", "data", "scripts", "tmp", self.stem(), self.stem(),
                            self.stem()]) for _ in range(depth)]
        lead = self.random.random()
        return ("/" if lead < 0.18 else "./" if lead < 0.23 else "../" if lead < 0.25 else "") + "/".join(parts)

    def path(self, suffix=None):
        if self.chance(0.55):
            return self.file_name(suffix)
        return self.folder() + "/" + self.file_name(suffix)

    def phrase(self, least=1, most=6):
        count = self.random.randint(least, most)
        text = " ".join(self.number() if self.chance(0.08) else self.word() for _ in range(count))
        kind = self.random.random()
        if kind < 0.4:
            text = text.capitalize()
        elif kind < 0.5:
            text = text.title()
        elif kind < 0.54:
            text = text.upper()
        if count > 1 and self.chance(0.2):
            text = text.replace(" ", self.pick([", ", ", ", ": ", " - ", " / ", "_"]), self.pick([1, 1, 5]))
        if self.chance(0.25):
            text += self.pick(["!", ".", "?", "...", "!!", " :)"])
        return text

    def sentence(self):
        return self.pick([
            lambda: f"{self.word().capitalize()} the {self.word()} {self.word()} {self.word()}.",
            lambda: f"The {self.word()} is {self.word()} and the {self.word()} is {self.word()}.",
            lambda: f"{self.pick(NAMES)} has {self.number()} {self.word()}.",
            lambda: f"Hello, {self.pick(NAMES)}!",
            lambda: f"Buy {self.word()}, {self.word()} and {self.word()}",
            lambda: self.phrase(2, 8),
        ])()

    def code(self, suffix):
        name, other = self.word(), self.word()
        if suffix == "py":
            return self.pick([
                lambda: f'print("{self.phrase(1, 4)}")', lambda: f"print({self.number()} + {self.number()})",
                lambda: f"{name} = {self.number()}", lambda: f"import {name}",
                lambda: f"print('{self.phrase(1, 3)}')",
                lambda: f"def {name}({other}):\n    return {other} {self.pick('+-*')} {self.number()}",
                lambda: f"for i in range({self.number()}):\n    print(i)",
                lambda: f"{name} = [{self.number()}, {self.number()}]\nprint(sum({name}))",
                lambda: f"import sys\nprint(sys.argv)",
            ])()
        if suffix in ("js", "ts"):
            return self.pick([
                lambda: f'console.log("{self.phrase(1, 4)}");', lambda: f"console.log({self.number()} * {self.number()})",
                lambda: f"const {name} = {self.number()};", lambda: f"export const {name} = '{self.phrase(1, 2)}';",
                lambda: f"function {name}({other}) {{\n  return {other} + {self.number()};\n}}",
            ])()
        if suffix == "sh":
            return self.pick([
                lambda: f"echo {self.phrase(1, 3)}", lambda: f'#!/bin/sh\necho "{self.phrase(1, 3)}"',
                lambda: f"ls {self.folder()}", lambda: f"echo {name} > {self.file_name()}",
            ])()
        if suffix == "json":
            return self.pick([
                lambda: f'{{"{name}": {self.number()}}}', lambda: f'{{"{name}": {self.number()}, "{other}": {self.pick(["true", "false", "null", self.number()])}}}',
                lambda: f'{{"{name}": "{self.word()}", "{other}": "{self.word()}"}}', lambda: f'{{"{name}": [{self.number()}, {self.number()}, {self.number()}]}}', lambda: f'{{"{name}": "{self.phrase(1, 2)}", "{other}": true}}',
                lambda: f'["{name}", "{other}"]',
                lambda: "{" + ", ".join(f'"{self.word()}": {self.pick([self.number(), "true", "false", chr(34) + self.word() + chr(34)])}' for _ in range(self.random.randint(2, 3))) + "}",
            ])()
        if suffix in ("yaml", "yml", "ini", "toml", "cfg", "env"):
            return self.pick([
                lambda: f"{name}: {self.number()}", lambda: f"{name} = {other}", lambda: f"{name.upper()}={self.number()}",
                lambda: f"{name}: {other}\n{self.word()}: {self.number()}", lambda: f"[{name}]\n{other} = {self.number()}",
            ])()
        if suffix == "csv":
            return f"{name},{other}\n{self.number()},{self.number()}"
        if suffix == "md":
            return self.pick([lambda: f"# {self.phrase(1, 3)}", lambda: f"- {name}\n- {other}",
                              lambda: f"# {name.capitalize()}\n\n{self.sentence()}"])()
        if suffix == "html":
            return self.pick([lambda: f"<h1>{self.phrase(1, 3)}</h1>", lambda: f"<p>{self.sentence()}</p>"])()
        if suffix == "css":
            return f".{name} {{ color: {other}; }}"
        if suffix == "sql":
            return f"SELECT {name} FROM {other};"
        if suffix in ("c", "cpp", "h", "go", "rs", "java"):
            return self.pick([lambda: f"int {name} = {self.number()};", lambda: f"#define {name.upper()} {self.number()}",
                              lambda: f"// {self.sentence()}", lambda: f"let {name} = {self.number()};"])()
        return self.sentence()

    def content(self, path):
        suffix = path.rsplit(".", 1)[-1] if "." in path else ""
        kind = self.random.random()
        if kind < 0.5 and suffix in ("py", "js", "ts", "sh", "json", "yaml", "ini", "toml", "cfg", "env", "csv", "md", "html", "css",
                                     "sql", "c", "cpp", "h", "go", "rs", "java"):
            return self.code(suffix)
        if kind < 0.55:
            return "\n".join(self.phrase(1, 4) for _ in range(self.random.randint(2, 3)))
        if kind < 0.6:
            return self.number()
        if kind < 0.64:
            return self.letters()
        if kind < 0.7:
            return self.code("json")
        return self.pick([self.phrase, self.phrase, self.sentence])()

    def snippet(self, kind=None):
        """What an edit replaces: a word, a few words, an assignment, a version; kind: below one, which of them."""
        kind = self.random.random() if kind is None else kind
        if kind < 0.4:
            return self.stem()
        if kind < 0.6:
            return self.phrase(1, 3)
        if kind < 0.75:
            return self.pick([lambda: f"{self.word()} = {self.number()}", lambda: f"{self.word()}: {self.word()}",
                              lambda: f'"{self.word()}": {self.number()}', lambda: f"{self.word()}({self.word()})",
                              lambda: f"{self.word().upper()}={self.number()}", lambda: f"return {self.word()}",
                              lambda: f'print("{self.phrase(1, 2)}")', lambda: f"{self.word()}.{self.word()}"])()
        if kind < 0.82:
            return self.number()
        if kind < 0.92:
            return f"{self.random.randint(0, 9)}.{self.random.randint(0, 20)}.{self.random.randint(0, 9)}"
        return self.letters()

    def changed(self, old):
        """What it becomes: mostly something of its kind."""
        kind = self.random.random()
        if kind < 0.5 and re.search(r"\d", old) and len(old) > 2 and self.chance(0.5):  # one number in it changes, what stands before it stays
            spot = self.pick(list(re.finditer(r"\d+", old)))
            new = old[:spot.start()] + str(self.random.randint(0, max(9, 2 * int(spot.group()[:6])))) + old[spot.end():]
        elif kind < 0.3 and " = " in old:
            new = old.split(" = ")[0] + " = " + self.number()
        elif kind < 0.4 and old.isalpha():
            new = self.pick([old.upper(), old.capitalize(), old + "s", "new_" + old])
        elif re.fullmatch(r"\d+", old) and kind < 0.8:
            new = self.number()
        else:
            alike = 0.1 if old.isalpha() else 0.5 if " " in old and "=" not in old else 0.7 if "=" in old or ":" in old else 0.8 if old.isdigit() else 0.9 if re.fullmatch(r"[\d.]+", old) else 0.0
            new = self.snippet(alike if self.chance(0.7) else None)
        return new if new != old else old + "2"

    def command(self):
        file, word, folder = self.path, self.word, self.folder
        return self.pick([
            lambda: f"echo {self.phrase(1, 4)}", lambda: f'echo "{self.phrase(1, 3)}"', lambda: f"ls {self.pick(['-la ', '-l ', ''])}{folder()}",
            lambda: "pwd", lambda: "date", lambda: "whoami", lambda: "uname -a", lambda: "git status", lambda: "git log --oneline -n " + self.number()[:2],
            lambda: f"python3 {file('py')}", lambda: f"node {file('js')}", lambda: f"bash {file('sh')}", lambda: f"cat {file()}",
            lambda: f"wc -l {file()}", lambda: f"mkdir -p {folder()}", lambda: f"rm {file()}", lambda: f"cp {file()} {file()}",
            lambda: f"mv {file()} {folder()}", lambda: f"grep -n {word()} {file()}", lambda: f"head -n {self.number()[:2]} {file()}",
            lambda: "make " + word(), lambda: f"npm run {word()}", lambda: "npm install " + word(), lambda: "npm test", lambda: "pytest -q",
            lambda: f"sort {file()} | uniq -c", lambda: f"find . -name '*.{self.pick(SUFFIXES)}'", lambda: f"touch {file()}",
            lambda: f"expr {self.number()} + {self.number()}", lambda: "df -h", lambda: f"du -sh {folder()}", lambda: f"chmod +x {file('sh')}",
            lambda: f"python3 -c 'print({self.number()} * {self.number()})'", lambda: f"seq {self.number()[:2]}", lambda: "cargo build",
            lambda: f"./{file('sh')} --{word()} {word()}", lambda: f"{word()} --{word()}={self.number()}", lambda: f"git commit -m \"{self.phrase(2, 4)}\"",
            lambda: f"printf '{word()}\\n'", lambda: f"test -f {file()} && echo {word()}", lambda: f"cd {folder()} && ls", lambda: f"basename {file()}",
        ])()
