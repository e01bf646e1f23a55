"""Conversations for the differential test: every shape a chat template may meet. Made from a seed, the same every time."""
import itertools
import random

WORDS = "the quick brown fox reads src/main.cpp and writes <|im_end|> then <tool_call> until done".split()
UNICODE = "naïve café — 你好，世界 🙂 \u00a0Ω≈ç ЖИ \u2028 end"
TRICKY = "line one\n\n  indented\t\"quoted\" 'single' \\ back {{ braces }} {% tag %} <b>&amp;</b>\r\n"


def weather_tool():
    return {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a place.\nIn two lines.",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {"type": "string", "description": "City & country"},
                    "days": {"type": "integer", "default": 3, "minimum": 1},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["place"],
            },
        },
    }


def edit_tool():
    return {
        "type": "function",
        "function": {
            "name": "edit_file",
            "description": "Change a file. " + UNICODE,
            "strict": True,
            "parameters": {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "path": {"type": "string"},
                    "edits": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "properties": {
                                "old": {"type": "string", "default": ""},
                                "new": {"type": ["string", "null"], "description": "what\nto put"},
                                "count": {"type": "number", "default": 1.5, "nullable": True},
                            },
                            "required": ["old", "new"],
                        },
                    },
                    "mode": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
                    "dry_run": {"type": "boolean", "default": False},
                    "options": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "required": ["path", "edits"],
            },
        },
    }


def plain_tool():
    return {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}


def limits_tool():
    """Bounds as other languages' schema writers give them: whole numbers over 64 bits, floats at their edges."""
    bounds = {"maximum": 18446744073709551615, "minimum": -9223372036854775808, "exclusiveMaximum": 18446744073709552000}
    edges = {"multipleOf": 1e-7, "default": 1e22, "examples": [-0.0, 5e-324, 1.7976931348623157e308, 123456789012345678901234567890]}
    return {"type": "function", "function": {"name": "limits", "description": "", "parameters": {"type": "object", "properties": {"n": {"type": "integer", **bounds}, "x": {"type": "number", **edges}}, "required": []}}}


def call(identifier, name, arguments):
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def user(text):
    return {"role": "user", "content": text}


def assistant(text=None, calls=None, **more):
    message = {"role": "assistant", "content": text}
    if calls is not None:
        message["tool_calls"] = calls
    message.update(more)
    return message


def result(identifier, text, name="get_weather"):
    return {"role": "tool", "tool_call_id": identifier, "name": name, "content": text}


SYSTEM = {"role": "system", "content": "You are helpful.\nBe brief."}
ARGUMENTS = {"place": "Köln, \"NRW\"", "days": 2, "unit": "celsius"}
DEEP = {"path": "a/b.py", "edits": [{"old": "x\n", "new": None, "count": 1.0}, {"old": "<|im_end|>", "new": "y"}], "dry_run": True, "options": {}}


def message_lists():
    one = call("call_0001", "get_weather", ARGUMENTS)
    two = call("call_0002", "edit_file", DEEP)
    short = [call("abcdefghi", "get_weather", {"place": "Rome"}), call("jklmnopqr", "now", {})]
    yield "hello", [user("Hello")]
    yield "system", [SYSTEM, user("Hi  ")]
    yield "turns", [user("a"), assistant("b"), user("c"), assistant("d"), user("e")]
    yield "system turns", [SYSTEM, user("a"), assistant("b"), user("c")]
    yield "one call", [user("weather?"), assistant(None, [one]), result("call_0001", "sunny")]
    yield "one call, text", [SYSTEM, user("weather?"), assistant("Looking.", [one]), result("call_0001", "sunny"), assistant("It is sunny."), user("thanks")]
    yield "parallel", [user("go"), assistant("", [one, two]), result("call_0001", "sunny"), result("call_0002", "done\n", "edit_file"), assistant("ok"), user("next")]
    yield "short ids", [SYSTEM, user("go"), assistant("", short), result("abcdefghi", "wet"), result("jklmnopqr", "noon", "now")]
    yield "string arguments", [user("go"), assistant("", [call("c1", "get_weather", '{"place": "Oslo"}')]), result("c1", "{}")]
    yield "no arguments", [user("go"), assistant("", [call("c1", "now", {})]), result("c1", "12:00", "now")]
    yield "two rounds", [SYSTEM, user("go"), assistant("", [one]), result("call_0001", "1"), assistant("", [two]), result("call_0002", "2", "edit_file")]
    yield "thinking", [user("a"), assistant("b", reasoning_content="I think."), user("c")]
    yield "thinking and call", [user("a"), assistant("b", [one], reasoning_content="I think.\nTwice."), result("call_0001", "x")]
    yield "thinking key", [user("a"), assistant("b", thinking="hm", reasoning="hm2"), user("c"), assistant("d", thinking="hm3")]
    yield "think tags", [user("a"), assistant("<think>\nhidden\n</think>\n\nshown"), user("c")]
    yield "unclosed think", [user("a"), assistant("hidden</think>shown"), user("c"), assistant("<think>x")]
    yield "unicode", [{"role": "system", "content": UNICODE}, user(UNICODE), assistant(UNICODE), user(UNICODE)]
    yield "tricky", [{"role": "system", "content": TRICKY}, user(TRICKY), assistant(TRICKY), user(TRICKY)]
    yield "empty texts", [{"role": "system", "content": ""}, user(""), assistant(""), user("")]
    yield "only spaces", [{"role": "system", "content": " \n"}, user("  \n "), assistant("\n"), user("\t")]
    yield "none content", [user(None), assistant(None), user("x")]
    yield "no content key", [user("a"), {"role": "assistant"}, user("b")]
    yield "parts", [{"role": "system", "content": [{"type": "text", "text": "sys"}]}, {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}]
    yield "parts in turns", [user([{"type": "text", "text": "one"}]), assistant([{"type": "text", "text": "two"}]), user([{"type": "text", "text": "three"}])]
    yield "result parts", [user("go"), assistant("", [one]), result("call_0001", [{"type": "text", "text": "sunny"}, {"type": "text", "text": "warm"}])]
    yield "image part", [user([{"type": "image"}, {"type": "text", "text": "what is this"}])]
    yield "odd part", [user([{"type": "mystery", "data": 3}, "plain"])]
    yield "empty parts", [user([]), assistant([]), user("x")]
    yield "odd role", [user("a"), {"role": "critic", "content": "no"}, user("b")]
    yield "developer", [{"role": "developer", "content": "Be exact."}, user("a")]
    yield "system and developer", [SYSTEM, {"role": "developer", "content": "Be exact."}, user("a")]
    yield "late system", [user("a"), SYSTEM, user("b")]
    yield "two systems", [SYSTEM, {"role": "system", "content": "more"}, user("b")]
    yield "only system", [SYSTEM]
    yield "only assistant", [assistant("I begin.")]
    yield "two users", [user("a"), user("b")]
    yield "two assistants", [user("a"), assistant("b"), assistant("c"), user("d")]
    yield "ends with assistant", [user("a"), assistant("and then")]
    yield "result first", [result("c0", "orphan"), user("a")]
    yield "function role", [user("a"), {"role": "function", "name": "f", "content": "r"}]
    yield "ipython role", [user("a"), {"role": "ipython", "content": {"output": [1, 2.5, None, True]}}]
    yield "object result", [user("go"), assistant("", [one]), result("call_0001", {"temp": 21.0, "wind": None, "ok": True, "list": [1, "b"]})]
    yield "number content", [user(5), assistant(1.0), user(True)]
    yield "empty calls", [user("a"), assistant("b", []), user("c")]
    yield "call without type", [user("a"), assistant("", [{"function": {"name": "now", "arguments": {}}}]), result("x", "y", "now")]
    yield "flat call", [user("a"), assistant("", [{"name": "now", "arguments": {"a": 1}, "id": "123456789"}]), result("123456789", "y", "now")]
    yield "odd arguments", [user("a"), assistant("", [call("c1", "now", {"f": 1e20, "g": 0.1, "h": -3, "n": None, "b": False, "s": "</arg>", "l": [[], {}], "k\"ey": "v"})]), result("c1", "r")]
    yield "empty conversation", []
    yield "big numbers", [user("go"), assistant("", [call("c1", "limits", {"n": 18446744073709551615, "m": -123456789012345678901234567890, "x": [1e16, 1e15, 0.1, 1e-5]})]), result("c1", "r", "limits")]
    yield "roles in odd letters", [{"role": "System", "content": "a"}, {"role": "USER", "content": "b"}, {"role": "", "content": "c"}, user("d")]
    yield "no role", [{"content": "a"}, user("b")]
    yield "role is no word", [{"role": None, "content": "a"}, {"role": 3, "content": "b"}, user("c")]
    yield "message is no object", ["a", user("b")]
    yield "tool then tool then user", [user("go"), assistant("", [one]), result("call_0001", "1"), result("call_0001", "2"), user("and?"), result("call_0001", "late")]
    yield "assistant first, system last", [assistant("a"), user("b"), SYSTEM]
    yield "developer in the middle", [user("a"), {"role": "developer", "content": "Stop."}, user("b")]
    yield "many calls", [user("go"), assistant("", [call(f"c{i:08d}", "now", {"i": i}) for i in range(30)])] + [result(f"c{i:08d}", str(i), "now") for i in range(30)]
    yield "names", [{"role": "user", "name": "Ann", "content": "a"}, {"role": "assistant", "name": "Bot", "content": "b"}, user("c")]
    yield "special words", [user("<|im_start|>[INST]<s>]~b]<think>/nothink <start_of_turn>"), assistant("</think><|eot_id|><tool_call>"), user("<tool_response>x</tool_response>")]
    yield "control characters", [user("\x00\x01\x1b[0m\x7f\u0085\u2029"), assistant("\v\f"), user("\ufeff\u200b")]
    deep = {"leaf": 1}
    for _ in range(60):
        deep = {"d": [deep]}
    yield "deep arguments", [user("go"), assistant("", [call("c1", "edit_file", deep)]), result("c1", "r", "edit_file")]
    wide = {f"k{i}": i for i in range(300)}
    yield "wide arguments", [user("go"), assistant("", [call("c1", "edit_file", wide)]), result("c1", "r", "edit_file")]
    yield "one huge message", [user(" ".join(WORDS) * 4000)]
    yield "hundreds of turns", [m for i in range(300) for m in (user(f"q{i}"), assistant(f"a{i}"))] + [user("end")]
    rng = random.Random(6)
    long_text = " ".join(rng.choice(WORDS) for _ in range(4000))
    many = [SYSTEM]
    for turn in range(40):
        many += [user(f"{turn} " + long_text[: turn * 97]), assistant("", [call(f"id{turn:07d}", "edit_file", DEEP)]), result(f"id{turn:07d}", long_text[turn * 50 :][:3000], "edit_file")]
    yield "huge", many
    for seed in range(12):
        yield f"random {seed}", list(random_messages(random.Random(seed)))


def random_text(rng):
    pieces = WORDS + [UNICODE, TRICKY, "", "\n", "  ", "</think>", "<think>", "123", "{}"]
    return " ".join(rng.choice(pieces) for _ in range(rng.randrange(6)))


def random_messages(rng):
    if rng.random() < 0.5:
        yield {"role": "system", "content": random_text(rng)}
    for turn in range(rng.randrange(1, 6)):
        yield user(random_text(rng))
        if rng.random() < 0.5:
            calls = [call(f"c{turn:04d}{i:04d}", rng.choice(["get_weather", "edit_file", "now"]), rng.choice([ARGUMENTS, DEEP, {}])) for i in range(rng.randrange(1, 4))]
            more = {"reasoning_content": random_text(rng)} if rng.random() < 0.5 else {}
            yield assistant(rng.choice([None, "", random_text(rng)]), calls, **more)
            for one in calls:
                yield result(one["id"], random_text(rng), one["function"]["name"])
        if rng.random() < 0.8:
            yield assistant(random_text(rng) or "fine")


TOOLS = {"none": None, "all": lambda: [weather_tool(), edit_tool(), plain_tool(), limits_tool()]}
SWITCHES = [{}, {"enable_thinking": True}, {"enable_thinking": False, "thinking": True}, {"reasoning_effort": "high", "thinking": False}]


def conversations():
    """(name, variables) of every conversation: messages x tools x generation prompt, the switches in turn."""
    switches = itertools.cycle(SWITCHES)
    for name, messages in message_lists():
        for tools in TOOLS:
            for prompt in (True, False):
                if tools == "none" and not prompt and name.startswith("random"):
                    continue
                variables = {"messages": messages, "tools": TOOLS[tools] and TOOLS[tools](), "documents": None, "add_generation_prompt": prompt}
                variables.update({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})
                variables.update(next(switches))
                yield f"{name}, tools {tools}, prompt {prompt}", variables
    yield "bare", {"messages": [user("Hello")]}
    yield "empty tools", {"messages": [user("Hello")], "tools": [], "add_generation_prompt": True}
    yield "no tokens", {"messages": [SYSTEM, user("Hello")], "tools": [weather_tool()], "add_generation_prompt": True}
