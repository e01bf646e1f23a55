"""Instructions in many phrasings, the call each step needs, and the short sentences said afterwards."""
import json

from phrases import VERBS, CREATE, CREATE_FILE, EDIT, EDIT_IT, FIND, LIST, LIST_HERE, READ, READ_IT, RUN, RUN_IT, SEARCH, phrase

RUNNERS = {"py": ["python3 {p}", "python3 {p}", "python {p}"], "js": ["node {p}"], "sh": ["bash {p}", "sh {p}"], "rb": ["ruby {p}"]}


def quoted(source, text, bare=0.0):
    """`text` as a person marks it; bare: how often with no marks at all."""
    if "\n" in text:
        return f"```\n{text}\n```" if source.chance(0.7) else f"\n{text}\n"
    if source.chance(bare):
        return text
    marks = [m for m in ["''", '""', "``", "``", "“”"] if m[0] not in text and m[1] not in text]
    if not marks:
        return text
    mark = source.pick(marks)
    return mark[0] + text + mark[1]


class Step:
    """One piece of work: what is asked, which kind of tool does it, and with which values (role -> text)."""

    def __init__(self, kind, values, text, what):
        self.kind = kind
        self.values = values
        self.text = text    # the instruction, no full stop
        self.what = what    # "create notes.txt": for plans and explanations


POLITE = ["", "", "", "", "", "", "please ", "can you ", "could you ", "now ", "ok, ", "hi, ", "would you ", "I want you to ", "I'd like you to ", "go ahead and ", "hey, please ", "next, "]
THANKS = ["", "", "", "", "", "", "", " please", " for me", ", thanks", ", please"]
JOINS = [", then ", ", then ", " and then ", " and ", ". Then ", "; then ", ". After that, ", ", and then ", ". Next, ", ". Afterwards ", ", after that ", ". When that is done, "]
LASTS = [". Finally, ", ", and finally ", ", then ", " and then ", ". Last, ", ". At the end, "]


def make_step(source, kind, final=True):
    """A step of this kind. final: its text may end with a value that has no marks."""
    bare = 0.2 if final else 0.0
    if kind == "create":
        path = source.path()
        content = source.content(path)
        if not final and "\n" in content:
            content = source.phrase(1, 4)
        wording = phrase(source, CREATE)
        ends = wording.endswith("{c}")
        if "\n" in content and not ends:
            content = source.phrase()
        text = wording.format(f=source.pick(CREATE_FILE), p=quoted(source, path, 0.75), c=quoted(source, content, (bare if ends else 0.1) if " " not in content else bare / 8 if ends else 0.0))
        return Step(kind, {"path": path, "content": content}, text.replace("  ", " ") if "  " not in content else text, f"create {path}")
    if kind == "read":
        path = source.path()
        text = phrase(source, READ).format(f=source.pick(["the file", "file", "the text file", ""]), p=quoted(source, path, 0.75))
        return Step(kind, {"path": path}, text.replace("  ", " "), f"read {path}")
    if kind == "edit":
        path, old = source.path(), source.snippet()
        new = source.changed(old)
        text = phrase(source, EDIT).format(f=source.pick(["the file", "file", ""]), p=quoted(source, path, 0.75), o=quoted(source, old, 0.2 if " " not in old else 0.0),
                                                      n=quoted(source, new, 0.2 if " " not in new else 0.0))
        return Step(kind, {"path": path, "old": old, "new": new}, text.replace("  ", " ") if "  " not in old + new else text, f"edit {path}")
    if kind == "run":
        command = source.command()
        wording = phrase(source, RUN)
        text = wording.format(m=quoted(source, command, 0.35 if wording.endswith("{m}") and final else 0.1 if " " not in command else 0.0))
        return Step(kind, {"command": command}, text, f"run {command}")
    if kind == "list":
        if source.chance(0.25):
            return Step(kind, {"folder": "."}, phrase(source, LIST_HERE), "list .")
        folder = source.folder()
        return Step(kind, {"folder": folder}, phrase(source, LIST).format(d=quoted(source, folder, 0.75)), f"list {folder}")
    if kind == "search":
        pattern = source.pick([source.word, source.word, source.stem, lambda: source.phrase(1, 3), lambda: source.pick(["TODO", "FIXME", "main", "import"])])()
        return Step(kind, {"pattern": pattern}, phrase(source, SEARCH).format(x=quoted(source, pattern, 0.45 if " " not in pattern else 0.05)), f"search {pattern}")
    glob = source.pick([lambda: "*." + source.pick(["py", "md", "js", "txt", "json", "cpp", "log", "css"]), lambda: f"**/*.{source.pick(['py', 'ts', 'md', 'go'])}", lambda: source.word() + "*",
                        lambda: f"{source.folder()}/*.{source.pick(['py', 'md', 'txt'])}", source.file_name])()
    return Step("find", {"glob": glob}, phrase(source, FIND).format(g=quoted(source, glob, 0.75)), f"find {glob}")


def run_step(source, path):
    suffix = path.rsplit(".", 1)[-1]
    command = source.pick(RUNNERS[suffix]).format(p=path)
    if command.startswith("python ") or command.startswith("sh "):
        command = RUNNERS[suffix][0].format(p=path)
    return Step("run", {"command": command}, phrase(source, RUN_IT).format(p=path), f"run {command}")


def make_chain(source, count):
    """Two or three steps that belong together, and the text that asks for them."""
    # What people ask for in one breath belongs together; things that do not are rarer.
    plan = source.pick([["create", "run it"]] * 5 + [["create", "edit it"]] * 4 + [["create", "read it"]] * 2 + [["edit", "read it"]] * 2 + [["read", "edit it"]] * 2 + [
        ["create", "run"], ["edit", "run"], ["create", "create"], ["run", "read"], ["list", "read"], ["edit", "edit"], ["create", "create"], ["create", "create"], ["create", "list"], ["run", "create"]]) if count == 2 else \
        source.pick([["create", "run it", "read it"], ["create", "edit it", "run it"], ["create", "edit it", "read it"]] * 3 + [["create", "read it", "run"], ["create", "create", "run"],
                     ["list", "create", "read it"], ["edit", "read it", "run"], ["run", "create", "run it"], ["read", "edit it", "read it"], ["create", "run it", "run"], ["create", "create", "run"], ["create", "create", "create"]])
    steps, path, content = [], None, None
    for i, kind in enumerate(plan):
        final = i == count - 1
        if kind == "create":
            step = make_step(source, "create", final)
            if i + 1 < count and "run it" in plan[i + 1:]:
                suffix = source.pick(["py", "py", "py", "js", "sh"])
                path, content = source.path(suffix), None
                while content is None or "\n" in content:
                    content = source.code(suffix)
                wording = phrase(source, CREATE)
                text = wording.format(f=source.pick(CREATE_FILE), p=quoted(source, path, 0.75), c=quoted(source, content, 0.1 if " " not in content else 0.0)).replace("  ", " ")
                step = Step("create", {"path": path, "content": content}, text, f"create {path}")
            path, content = step.values["path"], step.values["content"]
        elif kind == "run it":
            step = run_step(source, path)
        elif kind == "read it":
            step = Step("read", {"path": path}, phrase(source, READ_IT).format(p=path), f"read {path}")
        elif kind == "edit it":
            pieces = [w for w in (content or "").replace("\n", " ").split(" ") if len(w) > 1 and w.isalnum()]
            old = source.pick(pieces) if pieces else source.snippet()
            new = source.changed(old)
            content = (content or "").replace(old, new)
            text = phrase(source, EDIT_IT).format(o=quoted(source, old, 0.15 if " " not in old else 0.0), n=quoted(source, new, 0.15 if " " not in new else 0.0), p=path)
            step = Step("edit", {"path": path, "old": old, "new": new}, text, f"edit {path}")
        else:
            step = make_step(source, kind, final)
            if "path" in step.values:
                path, content = step.values["path"], step.values.get("content")
        steps.append(step)
    style = source.random.random()
    if style < 0.12:
        mark = source.pick(["{}. ", "{}) ", "- ", "* ", "Step {}: "])
        text = source.pick(["", "Do this:", "Please do these things:", "Tasks:", "Two things:" if count == 2 else "Three things:"])
        text = (text + "\n" if text else "") + "\n".join(mark.format(i + 1) + step.text for i, step in enumerate(steps))
        return steps, text
    text = source.pick(["", "", "", "First ", "first, ", "First, "]) + steps[0].text
    for i, step in enumerate(steps[1:]):
        text += source.pick(source.split(LASTS if i == 1 else JOINS)) + step.text
    return steps, text


def dress(source, text):
    """Politeness, capital letters, full stops: around an instruction whose last character may be part of a value."""
    question = text.split(" ")[0] in ("what", "what's", "which", "where", "are")
    asked = text.split(" ")[0].strip(",").lower() in VERBS  # "please" and the like go with nothing else
    lead = source.pick(POLITE) if asked and not question else ""
    text = lead + text
    if source.chance(0.6) and text[0].isalpha() and not text.split(" ")[0].count("."):
        text = text[0].upper() + text[1:]
    return text + (source.pick(THANKS) if asked and text[-1] in "'\"`”" else "") + ending(source, text, question)


def ending(source, text, question):
    if text[-1] in "'\"`”":
        return source.pick(["", ".", "."])
    if question:
        return source.pick(["?", "?", ""])
    return ""


def plan(step, number, count, tool):
    return f"Step {number} of {count}: {step.what}. Use {tool}."


def last_words(step, count, got, failed):
    """What is said after the last step."""
    if "<content>\n" in got:  # what a client wraps it in is not said again
        got = got.split("<content>\n")[1].split("\n\n(")[0].split("\n</content>")[0]
    shown = "\n".join(line for line in got.split("\n") if line.strip())
    lines = shown.split("\n")[:2 if step.kind in ("list", "search", "find") else 3]  # names that end alike are hard to say in order
    shown = "\n".join(lines)
    if failed:  # not in the client's words: long ones that say a thing twice are copied round and round
        return f"That did not work: I could not {step.what}."
    lead = f"All {count} steps are done. " if count > 1 else ""
    if step.kind == "create":
        return lead + f"I created {step.values['path']}."
    if step.kind == "edit":
        return lead + f"I changed {step.values['path']}."
    if not shown:
        return lead + {"read": f"{step.values.get('path')} is empty.", "run": "The command printed nothing.", "list": "The folder is empty."}.get(step.kind, "Nothing was found.")
    if step.kind == "read":
        return lead + f"{step.values['path']} says:\n{shown}"
    if step.kind == "run":
        return lead + f"The command printed:\n{shown}"
    return lead + f"I found:\n{shown}"


def result_of(source, step, after):
    """(text, failed): what a client gives back. after: the step is tried again once the file was read."""
    kind, path = step.kind, step.values.get("path", "")
    if kind in ("create", "edit") and not after and source.chance(0.12):
        return source.pick(["File has not been read yet. Read it first before writing to it.", "Error: you must read the file before you change it.", f"{path} was not read in this session. Read it first.",
                            "<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>", f"You must read file {path} before overwriting it. Use the Read tool first"]), "unread"
    if source.chance(0.07):
        return source.pick([f"Error: {path or source.word()}: No such file or directory", "Error: permission denied", "Error: the text to replace was not found" if kind == "edit" else "Error: command failed with exit code 1",
                            f"ENOENT: no such file or directory, open '{path}'", "<tool_use_error>String to replace not found in file.</tool_use_error>" if kind == "edit" else "Error: timed out",
                            "File does not exist." if kind == "read" else "Error: something went wrong"]), "failed"
    if kind == "create":
        return source.pick([f"File created successfully at: {path}", "ok", f"Wrote {len(step.values['content'])} bytes to {path}", "Done.", '{"success": true}', f"Created {path}", "", "Wrote file successfully.",
                            f"File created successfully at: {path} (file state is current in your context)", f"The file {path} has been updated successfully."]), None
    if kind == "edit":
        return source.pick([f"The file {path} has been updated.", "ok", "Edit applied successfully.", f"Replaced 1 occurrence in {path}", '{"replaced": 1}', "Done", f"The file {path} has been updated successfully.",
                            f"1\t{step.values['new']}"]), None
    if kind == "read":
        return read_result(source, path, source.content(path)), None
    if kind == "run":
        return source.pick([lambda: source.phrase(1, 5), lambda: source.number(), lambda: "\n".join(source.phrase(1, 3) for _ in range(source.random.randint(2, 3))), lambda: "",
                            lambda: "(no output)", lambda: json.dumps({"stdout": source.word(), "exit_code": 0}), lambda: source.path()])(), None
    if kind in ("list", "find"):
        return "\n".join(source.path() if kind == "find" else source.file_name() for _ in range(source.random.randint(0, 5))) or source.pick(["", "No files found"]), None
    word = step.values["pattern"]
    return "\n".join(f"{source.path()}:{source.number()}:{source.word()} {word}" if source.chance(0.6) else source.path() for _ in range(source.random.randint(0, 3))) or "No matches found", None


def read_result(source, path, content):
    lines = content.split("\n")
    kind = source.random.random()
    if kind < 0.4:
        return content
    if kind < 0.6:
        folder = source.pick(["/tmp/", "/home/", "/work/", ""]) + source.word() + "/"
        return (f"<path>{folder}{path}</path>\n<type>file</type>\n<content>\n" + "\n".join(f"{i + 1}: {line}" for i, line in enumerate(lines)) +
                source.pick([f"\n\n(End of file - total {len(lines)} lines)\n</content>", f"\n\n(End of file - total {len(lines)} lines)\n</content>", "\n</content>"]))
    if kind < 0.82:
        return "\n".join(f"{i + 1}\t{line}" for i, line in enumerate(lines))
    if kind < 0.92:
        return "\n".join(f"{i + 1:6d}→{line}" for i, line in enumerate(lines))
    return "<file>\n" + "\n".join(f"{i + 1:05d}| {line}" for i, line in enumerate(lines)) + "\n</file>"
