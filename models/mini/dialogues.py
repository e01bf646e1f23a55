"""Whole conversations, turned into what the model sees and what it should say: one sample per assistant's turn."""
import json
import pathlib
import random

import jinja2

from elsewhere import DEMO, make_work, small_talk
from steps import Step, dress, last_words, make_chain, make_step, plan, result_of
from tools import KINDS, make_toolbox
from words import Source

HERE = pathlib.Path(__file__).parent
GOT_MOST = 260  # as the template cuts results
OFTEN = ["create"] * 5 + ["edit"] * 6 + ["run"] * 4 + ["read"] * 3 + ["list", "search", "find"]  # what is hard oftener


def make_template():
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)  # Jinja2's own writes ' as \u0027; Hearth does not
    return environment.from_string((HERE / "template.jinja").read_text())


class Sample:
    """prompt: the whole text before the answer, up to where a thought may begin. thought and text: what should follow."""

    def __init__(self, kind, template, thought, text, call, messages, tools):
        self.kind, self.template, self.thought, self.text, self.call = kind, template, thought, text, call
        self.messages, self.tools = messages, tools

    @property
    def prompt(self):
        return self.template.render(messages=self.messages, tools=self.tools, add_generation_prompt=True, enable_thinking=True)


def call_text(name, arguments):
    values = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in arguments.items())
    return f"<tool_call>\n<function={name}>\n{values}</function>\n</tool_call>"


def arguments_for(tool, step):
    """In the tool's own order; a required explanation says what the step does."""
    by_parameter = {parameter: role for role, parameter in tool.roles.items()}
    return {parameter: step.what[0].upper() + step.what[1:] if by_parameter[parameter] == "why" else step.values[by_parameter[parameter]] for parameter in tool.required}


class Conversation:
    def __init__(self, source, template, kind, tools):
        self.source, self.template, self.kind, self.tools = source, template, kind, tools
        self.messages, self.samples = [], []
        self.box = None  # whose tools they are, where other asks can go to the same ones
        if source.chance(0.3):
            self.messages.append({"role": "system", "content": source.pick(["You are a helpful assistant.", "You are a coding agent.", source.sentence()])})

    def user(self, text):
        if self.source.chance(0.15):
            text = f"<system-reminder>\n{self.source.sentence()}\n</system-reminder>\n" + text
        self.messages.append({"role": "user", "content": text})

    def turn(self, thought, text="", call=None):
        """The assistant's turn: remembered as a sample, and as history."""
        thinking = self.source.chance(0.5)
        self.samples.append(Sample(self.kind, self.template, thought, call_text(*call) if call else text, call, list(self.messages), self.tools))
        message = {"role": "assistant", "content": text}
        if thinking:
            message["reasoning_content"] = thought
        if call:
            message["tool_calls"] = [{"type": "function", "function": {"name": call[0], "arguments": call[1]}}]
        self.messages.append(message)

    def result(self, text):
        self.messages.append({"role": "tool", "content": text})

    def earlier(self):
        """A question and an answer that are over, so that the newest words are not the only ones."""
        self.user(small_talk(self.source) if self.source.chance(0.5) else make_step(self.source, self.source.pick(KINDS)).text)
        self.messages.append({"role": "assistant", "content": self.source.pick([DEMO, self.source.sentence(), "I created " + self.source.path() + "."])})


def play_steps(talk, box, steps):
    """Calls and results until all steps are done or one has failed."""
    count = len(steps)
    got, failed = "", None
    for number, step in enumerate(steps, 1):
        tool = box.by_kind[step.kind]
        call = (tool.name, arguments_for(tool, step))
        talk.turn(plan(step, number, count, tool.name), call=call)
        got, failed = result_of(talk.source, step, after=False)
        talk.result(got)
        if failed == "unread":
            reader = box.by_kind.get("read")
            if reader is None:
                failed = "failed"
            else:
                look = Step("read", {"path": step.values["path"]}, "", f"read {step.values['path']}")
                talk.turn(f"Step {number} of {count}: the file must be read first. Use {reader.name}.", call=(reader.name, arguments_for(reader, look)))
                talk.result(talk.source.content(step.values["path"]))
                talk.turn(f"Step {number} of {count}: {step.what}. Use {tool.name}.", call=call)
                got, failed = result_of(talk.source, step, after=True)
                talk.result(got)
        if failed:
            break
    shown = got.strip() if len(got.strip()) <= GOT_MOST else got.strip()[:GOT_MOST] + "..."
    talk.turn("The step failed. I say so." if failed else "All steps are done.", text=last_words(step, count, shown, failed))


def fallback(source, step, kinds):
    """The kind of tool that can do a step when its own is missing, and the step told in its terms; None: nothing can."""
    if step.kind in kinds:
        return step
    values = step.values
    if step.kind == "list" and "find" in kinds:
        return Step("find", {"glob": "*" if values["folder"] == "." else values["folder"] + "/*"}, step.text, step.what)
    if "run" not in kinds:
        return None
    commands = {"list": lambda: "ls" if values["folder"] == "." else f"ls {values['folder']}", "read": lambda: f"cat {values['path']}",
                "search": lambda: f"grep -rn '{values['pattern']}' .", "find": lambda: f"find . -name '{values['glob']}'"}
    if step.kind not in commands or "'" in str(values) or " " in values.get("path", ""):
        return None
    return Step("run", {"command": commands[step.kind]()}, step.text, step.what)


def make_conversation(seed, template, held=False, kind=None):
    source = Source(random.Random(seed), held)
    kind = kind or source.pick(["create"] * 5 + ["edit"] * 5 + ["read"] * 3 + ["run"] * 3 + ["list", "search", "find"] + ["chain2"] * 5 + ["chain3"] * 3 + ["none"] * 3 + ["work"] * 2 + ["missing"])
    if kind == "work":
        return make_work_talk(source, template)
    if kind == "none":
        box = make_toolbox(source, extra=[make_work(source)[0] for _ in range(source.random.randint(0, 2))]) if source.chance(0.85) else None
        talk = Conversation(source, template, kind, box.definitions() if box else None)
        if source.chance(0.2):
            talk.earlier()
        ask = small_talk(source)
        names = " ".join(tool.name.lower() for tool in box.order) if box else ""
        if any(word in ask.lower() and word in names for word in ("weather", "time", "translat", "calculat")) or ("times" in ask and "calc" in names):
            ask = "hello"
        talk.user(ask)
        talk.turn("No tool is asked for.", text=DEMO)
        talk.box = box
        return talk
    if kind in ("chain2", "chain3"):
        steps, text = make_chain(source, 2 if kind == "chain2" else 3)
    else:
        steps = [make_step(source, source.pick(KINDS) if kind == "missing" else kind)]
        text = steps[0].text
    box = make_toolbox(source, needed=set() if kind == "missing" else {step.kind for step in steps})
    if kind == "missing" and source.chance(0.25):
        box.by_kind, box.order = {}, []
    if kind not in ("missing", "chain2", "chain3") and source.chance(0.04 if kind in ("list", "search", "find", "read") else 0):
        tool = box.by_kind.pop(kind)
        box.order.remove(tool)
    text = dress(source, text)
    talk = Conversation(source, template, kind, box.definitions() or None)
    if source.chance(0.2):
        talk.earlier()
    talk.user(text)
    able = [fallback(source, step, box.by_kind) for step in steps]
    talk.box = box
    if None in able:
        talk.kind = "none"
        talk.turn("No tool is asked for." if not box.order else "No tool does that.", text=DEMO)
        return talk
    play_steps(talk, box, able)
    return talk


def other_turns(talk, count):
    """Other asks that go to the same tools, up to `count`, each at some turn of its conversation."""
    source, out = talk.source, []
    for _ in range(count if talk.box and talk.box.order else 0):
        other = Conversation(source, talk.template, "other", talk.tools)
        if source.chance(0.08):
            other.messages = [{"role": "user", "content": small_talk(source)}]
            other.turn("No tool is asked for.", text=DEMO)
        else:
            length = source.pick([1, 1, 1, 1, 2, 2, 3])
            steps, ask = make_chain(source, length) if length > 1 else (lambda step: ([step], step.text))(make_step(source, source.pick(OFTEN)))
            steps = [fallback(source, step, talk.box.by_kind) for step in steps]
            if None in steps and source.chance(0.85):  # a few of them will do
                continue
            other.messages = [{"role": "user", "content": dress(source, ask)}]
            if None in steps:
                other.turn("No tool does that.", text=DEMO)
            else:
                play_steps(other, talk.box, steps)
        out.append(pick_turn(source, other.samples))
    return out


def pick_turn(source, samples):
    """The turns with a call before them are the harder half; the very last only sums up."""
    weights = [1.0] + [1.3] * (len(samples) - 2) + [0.5] * (len(samples) > 1)
    return source.random.choices(samples, weights)[0]


def make_work_talk(source, template):
    tool, arguments, ask = make_work(source)
    others = [make_work(source)[0] for _ in range(source.random.randint(0, 3))]
    if source.chance(0.5):
        box = make_toolbox(source, extra=[tool] + [o for o in others if o.name != tool.name and o.description != tool.description])
        definitions = box.definitions()
    else:
        chosen = {o.name: o for o in others if o.description != tool.description}
        chosen[tool.name] = tool
        order = list(chosen.values())
        source.random.shuffle(order)
        definitions = [o.definition() for o in order]
    talk = Conversation(source, template, "work", definitions)
    talk.user(ask)
    talk.turn(f"Step 1 of 1: {tool.name}. Use {tool.name}.", call=(tool.name, arguments))
    got = source.pick([source.phrase(1, 5), source.number(), '{"result": ' + source.number() + "}", "ok", source.sentence()])
    talk.result(got)
    talk.turn("All steps are done.", text=f"{tool.name} says:\n{got}")
    return talk
