"""The differential test: every template x every conversation through Jinja2 and through src/jinja, byte by byte.

run.py DRIVER FOLDER... [--only NAME] [--show N]: prints a line per template and ends with `N passed, N failed`.
"""
import json
import pathlib
import subprocess
import sys

import conversations
import oracle


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
    passed = failed = refused = 0
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
        print(f"{'FAIL' if wrong else 'ok  '} {template.name}: {len(cases) - len(wrong)} of {len(cases)} identical")
        for name, words in wrong[: int(options["--show"])]:
            print(f"  {name}\n    {words}")
    print(f"jinja: {passed} passed, {failed} failed ({len(cases)} conversations each; Jinja2 itself refused {refused} renders)")
    return 1 if failed or not templates else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
