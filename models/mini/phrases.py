"""How people ask: patterns whose parts vary, (this|that|), so that each list stands for hundreds of phrasings.

One phrasing in seven, by the hash of its text, is held out for evaluation: its words are known, this way to put them together is not.
"""
import re

from words import is_held

CHOICE = re.compile(r"\(([^()]*)\)")

WITH = "(with|with the content|with content|with the text|with the contents|containing|that contains|that holds|holding|which says|that says|that reads|with the line|whose content is|with exactly this content:|with the following content:|consisting of)"
MAKE = "(create|create|create|make|write|add|generate|produce|set up|save)"
PUT = "(write|put|save|store|place|add)"
THE_TEXT = "(|||the text|the line|the words|this text:|the following:|exactly)"
CREATE = [
    f"{MAKE} {{f}} {{p}} {WITH} {{c}}", f"{MAKE} {{f}} {{p}} {WITH} {{c}}", f"{MAKE} {{f}} {{p}} with {{c}} (in it|inside|as its content|in there)",
    f"{PUT} {THE_TEXT} {{c}} (to|into|in|as) (|the file|a file|a new file|file) {{p}}", f"{PUT} {THE_TEXT} {{c}} (to|into|in) (|the file|a file|a new file|file) {{p}}",
    f"in (|the file|a new file|file) {{p}}(,|) {PUT} {THE_TEXT} {{c}}", f"{MAKE} {{f}} {{p}} and {PUT} {THE_TEXT} {{c}} (in it|into it|inside|there)",
    f"{MAKE} {{f}} {{p}}(. It should (contain|say|hold|read)|. Its content (should be|is)|. Content:|; its content is) {{c}}",
    f"(I need|I want|I'd like|give me|make me|there should be) {{f}} {{p}} {WITH} {{c}}", "{p} should (contain|hold|say|be created and contain|be a file with) {c}",
    "new file {p}(:| with) {c}", f"(write|save) the following (to|into) {{p}}: {{c}}", f"{MAKE} {{p}}: {{c}}", "save {c} (under the name|as|in a file called|in a file named) {p}",
]
CREATE_FILE = ["a file", "a file called", "a file named", "the file", "a new file", "a new file called", "", "a text file", "file", "a file with the name", "a new file named"]

SHOW = "(read|show|print|display|view|open|output|show me|give me|look at|check|inspect|get|see|examine|fetch|dump)"
CONTENTS = "(||the contents of|the content of|the text of|all of|what is in|what is inside)"
READ = [
    f"{SHOW} {CONTENTS} {{f}} {{p}}", f"{SHOW} {{f}} {{p}}", f"{SHOW} {{f}} {{p}} (for me|and tell me what it says|and tell me what is in it|and show me what it says|and report what it contains)",
    "(what is|what's|what do we have) (in|inside) {f} {p}", "what does {f} {p} (contain|say|hold|have in it)", "what does it say in {f} {p}", "(tell me|show me|I want to know|check|see) what {f} {p} (says|contains|holds)",
    "(let me see|I want to see|I need to see|I'd like to read) (|what is in|the contents of) {f} {p}", "(tell me|show me|I want to see) what is (in|inside) {f} {p}",
]

BE = "(should be|must be|should become|has to be|needs to be|ought to be|should read|is now)"
WHAT = "(|||||the text|the string|the word|the part|the value)"
SWAP = f"(replace {WHAT} {{o}} (with|by) {WHAT} {{n}}|change {WHAT} {{o}} (to|into) {{n}}|swap {{o}} for {{n}}|turn {{o}} into {{n}}|rename {{o}} to {{n}}|update {{o}} to {{n}}|convert {{o}} (to|into) {{n}}|switch {{o}} to {{n}}|correct {{o}} to {{n}}|replace {WHAT} {{o}} with {{n}}|change {{o}} to {{n}})"
IN = "(in|in|inside|within|in the file|in file)"
EDIT = [
    f"{SWAP} {IN} {{p}}", f"{SWAP} {IN} {{p}}", f"{IN} {{p}}(,|) {SWAP}", f"{IN} {{p}}(,|) {SWAP}", f"(edit|modify|update|fix|open|adjust|patch|change) {{f}} {{p}}(:| and| to|, then) {SWAP}",
    f"(edit|modify|update|fix|patch) {{f}} {{p}}: {{o}} {BE} {{n}}", f"(fix|update|edit) {{p}}. {{o}} {BE} {{n}}", f"{{o}} {IN} {{p}} {BE} {{n}}", f"{IN} {{p}}(,|) {{o}} (|is wrong, it|is not right, it) {BE} {{n}}",
    "(edit|modify|change|update) {f} {p} so (that|) {o} becomes {n}", "(edit|change|update|modify) {f} {p} so (that|) it says {n} instead of {o}", "(edit|update) {f} {p}, (replacing {o} by|replacing {o} with|changing {o} to|changing {o} into|turning {o} into) {n}",
    "{p} (says|has|contains) {o}(, change it to|, but it should say|, it should be|; make it|, make that) {n}", "make {o} (read|say|become) {n} in {p}", "where {p} says {o}, (it should say|make it say|write) {n}",
]

EXECUTE = "(run|run|run|execute|execute|start|launch|invoke|try|perform|issue)"
COMMAND = "(||||the command|this command:|the shell command|the following command:|the command line|in the shell)"
RUN = [
    f"{EXECUTE} {COMMAND} {{m}}", f"{EXECUTE} {COMMAND} {{m}}", f"{EXECUTE} {COMMAND} {{m}} (and|then) (tell me what it prints|show me the output|report the output|tell me the result|show what it prints|give me the output|tell me what it says)",
    f"{EXECUTE} {{m}} (in the terminal|in a shell|in the shell|on the command line|in a terminal|for me)", "(what does|what will) {m} (print|output|give|say|return|show)", "what is the (output|result) of {m}",
    "(use the shell to|in a shell,|in the terminal,|use bash to|on the command line,|in the shell,) (run|execute) {m}", "(I need you to run|I want to see the output of|show me the output of) {m}", "(show me|tell me|I want to see) what {m} (prints|gives|says)", "do a {m}",
]

IN_FOLDER = "(in|inside|of|under)"
FOLDER = "(||the folder|the directory|folder|directory)"
LIST = [
    f"(list|show|show me|give me|print|display|name|tell me) (the files|all files|all the files|everything|the entries|the contents|the names of the files) {IN_FOLDER} {FOLDER} {{d}}", f"(list|show) {FOLDER} {{d}}",
    f"(what|which) files are (in|inside|there in) {FOLDER} {{d}}", "(what is|what's) in the (folder|directory) {d}", "what does the (folder|directory) {d} (hold|contain|have in it)", "which files does {d} (have|contain|hold)",
    "(give me|I want|show me) a (list|listing) of (the files in|) (|the folder|the directory) {d}", "look into the (folder|directory) {d} and list (its files|what is there)", "(tell me|show me) (which|what) files are in {d}",
]
HERE = "(here|in this folder|in this directory|in the current directory|in the current folder|in the working directory)"
LIST_HERE = [f"(list|show|show me|give me|tell me|name) (the files|all files|all the files|everything) (|{HERE})", f"(what|which) files are {HERE}", "list (the current|this|the working) (directory|folder)", "what is in this (directory|folder)", "list (the files|all files)"]
EVERYWHERE = "(|||in the files|in the project|in the code|in all files|everywhere|in this project)"
SEARCH = [
    f"(search|look|grep) for (||the text|the word|the string|all lines with) {{x}} {EVERYWHERE}", "(search|grep|look through) (the code|the files|all files|the project|everything) for {x}", f"(find|locate) (all occurrences of|every line with|the text|the word|all uses of) {{x}} {EVERYWHERE}",
    "which files (contain|mention|have|use) {x}", "(find|tell me|show me) where {x} (is used|appears|occurs|is mentioned)", "where (does {x} appear|is {x} used|is {x} mentioned)", "find {x} in the (code|files|project)",
]
FIND = [
    "(find|locate|list|show|give me) (all|all the|the|every) {g} files", "(find|locate|search for|list|show) (files|all files|the files) (named|called|matching|that match|like|with names like) {g}", "which files match {g}", "find every file (whose name matches|named|that matches) {g}",
    "(are there|do we have) files (matching|named|like) {g}", "(find|locate) (the files|) {g}", "(give me|show me) all files (like|matching) {g}",
]
RUN_IT = [f"{EXECUTE} (it|it|the file|that file|the script|that|{{p}})", f"{EXECUTE} (it|{{p}}|the script) and (tell me what it prints|show me the output|tell me the result|report what it prints)", "(tell me|show me) what it prints when you run it"]
READ_IT = ["(read|show|print|open|view|display) (it|the file|{p}|that file)", "(read|show) (it|{p}) (back to me|to me|again|back)", "(tell me|show me) what it (says|contains)", "show me (its content|the content|what is in it)"]
EDIT_IT = [f"{SWAP} (in it|in there|in that file|in {{p}}|)", f"(in it,|in that file,|in {{p}}|in the file) {SWAP}", f"(edit|modify) (it|{{p}})(:| and|, then) {SWAP}"]


def first_words(choice):
    """The words that begin the options of (a|b|c); of what is nested inside only some are whole."""
    return {word for word in (option.split(" ")[0] for option in choice.strip("()").split("|")) if word.isalpha() and word != "the"}


# What an instruction begins with that one can be polite about.
VERBS = set.union(*map(first_words, (MAKE, PUT, SHOW, SWAP, EXECUTE))) | set("edit modify update fix open adjust patch correct list name search look grep find locate give tell use let".split())


def phrase(source, patterns):
    """One phrasing of the half that the source draws from."""
    text = ""
    for _ in range(60):
        text = source.pick(patterns)
        while CHOICE.search(text):
            text = CHOICE.sub(lambda found: source.pick(found.group(1).split("|")), text)
        text = re.sub(" +", " ", text).strip()
        if is_held(text) == source.held:
            break
    return text
