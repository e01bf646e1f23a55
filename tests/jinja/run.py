"""The differential test: every template x every conversation through Jinja2 and through src/jinja, byte by byte.

run.py DRIVER [FOLDER...] [--only NAME] [--show N]: prints a line per template and ends with `N passed, N failed`. The small
templates of snippets.py come first, each with one set of variables, as one line.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import conversations
import oracle
import snippets


def ours(driver, template, lines):
    done = subprocess.run([driver, str(template)], input=lines, capture_output=True, check=False)
    if done.returncode != 0:
        return [{"error": f"the driver ended with {done.returncode}: {done.stderr.decode()[-300:]}", "crashed": True}] * lines.count(b"\n")
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def same(theirs, mine):
    if "crashed" in mine:
        return False
    if "text" in theirs or "text" in mine:
        return theirs.get("text") == mine.get("text")
    return not theirs["raised"] or theirs["error"] == mine["error"]


def difference(theirs, mine):
    if "text" not in theirs or "text" not in mine:
        return f"theirs: {json.dumps(theirs)[:300]}\n    ours:   {json.dumps(mine)[:300]}"
    a, b = theirs["text"], mine["text"]
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"at {at}: theirs {a[max(0, at - 40):at + 60]!r}\n    ours   {b[max(0, at - 40):at + 60]!r}"


def wrong_snippets(driver):
    wrong = []
    line = json.dumps(snippets.VARIABLES).encode() + b"\n"
    with tempfile.NamedTemporaryFile("w", suffix=".jinja", newline="") as file:
        for source in snippets.SNIPPETS:
            file.seek(0)
            file.truncate()
            file.write(source)
            file.flush()
            theirs = oracle.Template(source).render(snippets.VARIABLES)
            mine = ours(driver, file.name, line)[0]
            if not same(theirs, mine):
                wrong.append((source, difference(theirs, mine)))
    return wrong


def report(name, wrong, count, show):
    print(f"{'FAIL' if wrong else 'ok  '} {name}: {count - len(wrong)} of {count} identical")
    for case, words in wrong[:show]:
        print(f"  {case}\n    {words}")


def main(arguments):
    options = {"--only": "", "--show": "2"}
    for name in options:
        if name in arguments:
            at = arguments.index(name)
            options[name] = arguments[at + 1]
            del arguments[at : at + 2]
    driver, folders = arguments[0], arguments[1:]
    templates = sorted(path for folder in folders for path in pathlib.Path(folder).glob("*.jinja") if options["--only"] in path.name)
    cases = list(conversations.conversations())
    lines = "".join(json.dumps(variables) + "\n" for _, variables in cases).encode()
    refused = 0
    wrong = [] if options["--only"] else wrong_snippets(driver)
    if not options["--only"]:
        report("snippets.py", wrong, len(snippets.SNIPPETS), 1000)
    passed, failed = int(not wrong), int(bool(wrong))
    for template in templates:
        truth = oracle.Template(template.read_text(encoding="utf-8"))
        answers = ours(driver, template, lines)
        wrong = []
        for (name, variables), mine in zip(cases, answers, strict=True):
            theirs = truth.render(variables)
            refused += "error" in theirs
            if not same(theirs, mine):
                wrong.append((name, difference(theirs, mine)))
        passed += not wrong
        failed += bool(wrong)
        report(template.name, wrong, len(cases), int(options["--show"]))
    print(f"jinja: {passed} passed, {failed} failed ({len(cases)} conversations each; Jinja2 itself refused {refused} renders)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
