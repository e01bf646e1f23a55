"""Measures the model through Hearth itself: `python3 evaluate.py [--count N] [--model FILE] [--url URL] [--seen] [--long]`

Conversations of the held-out half (names, contents, phrasings, tool schemas that training never sees) are played turn by turn
over POST /v1/messages; a conversation is right when every call is the expected one, name and arguments, and no call comes
where none belongs. Prints a table, and with --failures what went wrong.
"""
import argparse
import collections
import json
import pathlib
import random
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
from dialogues import make_conversation, make_template  # noqa: E402
from words import Source  # noqa: E402

CHECKOUT = HERE.parent.parent
KINDS = ["create", "edit", "read", "run", "list", "search", "find", "work", "chain2", "chain3", "none"]
SINGLE = {"create", "edit", "read", "run", "list", "search", "find"}  # files and commands; "work" is tools of any other make


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, model, threads):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.child = subprocess.Popen([str(CHECKOUT / "bin" / "hearth"), "serve", *(["--model", model] if model else []), "--port", str(port), "--threads", str(threads), "--log-level", "error"],
                                      stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(self.url + "/health", timeout=5)
                return
            except OSError:
                if self.child.poll() is not None:
                    raise SystemExit("hearth serve ended")
                time.sleep(0.1)
        raise SystemExit("hearth serve was not ready in a minute")

    def stop(self):
        self.child.terminate()
        self.child.wait()


def ask(url, body):
    request = urllib.request.Request(url + "/v1/messages", json.dumps(body).encode(), {"content-type": "application/json", "x-api-key": "local"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def fits(value, schema):
    kind = schema.get("type")
    return {"string": lambda: isinstance(value, str), "integer": lambda: isinstance(value, int) and not isinstance(value, bool), "number": lambda: isinstance(value, (int, float)) and not isinstance(value, bool),
            "boolean": lambda: isinstance(value, bool), "array": lambda: isinstance(value, list), "object": lambda: isinstance(value, dict)}.get(kind, lambda: True)()


def is_valid(call, tools):
    for tool in tools:
        f = tool["function"]
        if f["name"] == call["name"]:
            schema = f["parameters"]
            return all(r in call["input"] for r in schema["required"]) and all(k in schema["properties"] and fits(v, schema["properties"][k]) for k, v in call["input"].items())
    return False


def as_text(arguments):
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in arguments.items()}


class Play:
    """One conversation over the wire, with the results the generator made up."""

    def __init__(self, url, talk, thinking, system):
        self.url, self.talk, self.thinking, self.system = url, talk, thinking, system
        self.calls, self.valid = 0, 0

    def body(self, messages):
        body = {"model": "local", "max_tokens": 600, "messages": messages, "thinking": {"type": "enabled", "budget_tokens": 1024} if self.thinking else {"type": "disabled"}}
        if self.talk.tools:
            body["tools"] = [{"name": t["function"]["name"], "description": t["function"]["description"], "input_schema": t["function"]["parameters"]} for t in self.talk.tools]
        if self.system:
            body["system"] = self.system
        return body

    def run(self):
        """None when all is right, else what was wrong."""
        first = self.talk.samples[0].messages
        messages = [{"role": m["role"], "content": m["content"]} for m in first if m["role"] != "system"]
        results = iter([m["content"] for m in self.talk.messages if m["role"] == "tool"])
        for sample in self.talk.samples:
            answer = ask(self.url, self.body(messages))
            calls = [b for b in answer["content"] if b["type"] == "tool_use"]
            for call in calls:
                self.calls += 1
                self.valid += is_valid(call, self.talk.tools or [])
            if sample.call is None:
                return f"no call was asked for: {calls[0]['name']} {calls[0]['input']}" if calls else None
            said = " ".join(b.get("text", "") for b in answer["content"])[:120]
            if len(calls) != 1:
                return f"{len(calls)} calls, expected {sample.call}; said {said!r}"
            name, expected = sample.call
            if calls[0]["name"] != name or as_text(calls[0]["input"]) != expected:
                return f"expected {name} {expected}\n            got      {calls[0]['name']} {calls[0]['input']}"
            messages = messages + [{"role": "assistant", "content": answer["content"]},
                                   {"role": "user", "content": [{"type": "tool_result", "tool_use_id": calls[0]["id"], "content": next(results)}]}]
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=60, help="conversations of each kind")
    parser.add_argument("--model", default="", help="a GGUF file; default: the built-in one")
    parser.add_argument("--url", default="", help="a server that runs already")
    parser.add_argument("--seen", action="store_true", help="from the half that training draws from")
    parser.add_argument("--long", action="store_true", help="with a system text of some 10,000 tokens")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--failures", type=int, default=0, help="of each kind so many are shown")
    parser.add_argument("--kinds", default=",".join(KINDS))
    options = parser.parse_args()
    server = None if options.url else Server(options.model, options.threads)
    url = options.url or server.url
    template = make_template()
    right, count, calls, valid = collections.Counter(), collections.Counter(), 0, 0
    try:
        for kind in options.kinds.split(","):
            shown = 0
            for number in range(options.count):
                seed = 900_000_000 + (0 if options.seen else 500_000_000) + 1000 * KINDS.index(kind) + number
                talk = make_conversation(seed, template, held=not options.seen, kind=kind)
                filler = Source(random.Random(seed), True)
                system = " ".join(filler.sentence() for _ in range(1000)) if options.long else ""
                play = Play(url, talk, number % 2 == 0, system)
                wrong = play.run()
                calls, valid = calls + play.calls, valid + play.valid
                key = "missing" if talk.kind == "none" and kind != "none" else kind  # asked for, and no tool does it
                count[key] += 1
                right[key] += wrong is None
                if wrong and shown < options.failures:
                    shown += 1
                    print(f"  {kind} {number}: {talk.samples[0].messages[-1]['content']!r}\n            {wrong}")
            print(f"{kind:8} {right[kind]:4}/{count[kind]:4}", flush=True)
    finally:
        if server:
            server.stop()
    single = [sum(c[k] for k in SINGLE) for c in (right, count)]
    chains = [right["chain2"] + right["chain3"], count["chain2"] + count["chain3"]]
    share = lambda pair: f"{pair[0]}/{pair[1]} = {100 * pair[0] / max(1, pair[1]):.1f} %"
    of = lambda key: share([right[key], count[key]])
    print(f"single steps     {share(single)}\nchains           {share(chains)}\nno call          {of('none')}\nno tool does it  {of('missing')}\nother tools      {of('work')}\nvalid calls      {share([valid, calls])}")


if __name__ == "__main__":
    main()
