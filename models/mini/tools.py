"""Tool lists as clients declare them: names, parameters and descriptions of many makes, and the real ones' names.

A toolbox maps each kind of work to the tool that does it and to the names of its parameters.
"""
import zlib

from words import PROSE

KINDS = ("create", "read", "edit", "run", "list", "search", "find")

VERBS = {
    "create": "write create save make put store new add output".split(),
    "read": "read view open show get load cat fetch".split(),
    "edit": "edit replace modify change update patch substitute swap alter".split(),
    "run": "run execute exec".split(),
    "list": "list ls show read scan".split(),
    "search": "search grep find look_in match query".split(),
    "find": "find glob locate match search".split(),
}
NOUNS = {
    "create": ["file", "text_file", "document", "file_content", "to_file", "new_file"],
    "read": ["file", "text_file", "document", "file_content", "contents", "source"],
    "edit": ["file", "in_file", "text_in_file", "string", "file_text", "document"],
    "run": ["command", "shell", "shell_command", "bash", "terminal", "script", "terminal_command"],
    "list": ["dir", "directory", "files", "folder", "directory_contents", "entries"],
    "search": ["text", "content", "in_files", "file_contents", "code", "lines"],
    "find": ["files", "paths", "by_name", "file_names", "file_pattern"],
}
BARE = {
    "create": ["write", "create", "save"], "read": ["read", "view", "cat", "open"], "edit": ["edit", "replace", "str_replace", "patch"],
    "run": ["bash", "shell", "run", "exec", "terminal", "command", "execute", "sh"], "list": ["ls", "list", "dir", "tree"],
    "search": ["grep", "search", "ripgrep", "rg"], "find": ["glob", "find", "locate", "fd"],
}
PARAMETERS = {
    "path": ["path", "file_path", "filePath", "filename", "file", "file_name", "fileName", "target", "target_file", "location", "dest",
             "destination", "name", "absolute_path", "uri", "document", "source"],
    "content": ["content", "contents", "text", "data", "body", "file_text", "value", "new_content", "file_content", "payload"],
    "old": ["old_string", "oldString", "old", "old_text", "old_str", "find", "search", "before", "from", "original", "target_text", "match"],
    "new": ["new_string", "newString", "new", "new_text", "new_str", "replace", "replacement", "after", "to", "updated", "new_value", "with"],
    "command": ["command", "cmd", "script", "shell_command", "command_line", "line", "input", "code"],
    "folder": ["path", "dir", "directory", "folder", "dir_path", "root", "dirname", "location"],
    "pattern": ["pattern", "query", "regex", "text", "needle", "term", "search", "keyword"],
    "glob": ["pattern", "glob", "mask", "query", "name_pattern", "file_pattern"],
}
TAKES = {
    "create": ["path", "content"], "read": ["path"], "edit": ["path", "old", "new"], "run": ["command"], "list": ["folder"],
    "search": ["pattern"], "find": ["glob"],
}
DESCRIPTIONS = {
    "create": ["Write text to a file, creating it when needed.", "Creates a new file with the given content.", "Saves content under a path.",
               "Writes a file to the disk of this computer.", "Create or overwrite a file.", "Put the given text into a file on disk.",
               "Writes content to the filesystem. Overwrites what is there.", "Makes a file. Missing folders are made too."],
    "read": ["Read a file and return its text.", "Reads the contents of a file from the disk.", "Returns what a file contains.",
             "View a file with line numbers.", "Opens a file and gives back its lines.", "Get the text of one file.",
             "Reads a file from the computer's filesystem."],
    "edit": ["Replace one text in a file by another.", "Edits a file by exact replacement of a string.", "Change part of a file in place.",
             "Performs exact replacements of text in files.", "Swaps old text for new text in a file.", "Modify an existing file.",
             "Finds a string in a file and replaces it."],
    "run": ["Run a shell command and return its output.", "Executes a command in a terminal.", "Runs a bash command with a time limit.",
            "Execute a program and see what it prints.", "Shell access to the computer.", "Runs the given command line in a shell session."],
    "list": ["List the files in a folder.", "Lists files and directories at a path.", "Shows what a directory contains.",
             "Names of all entries of a folder.", "Returns the contents of a directory."],
    "search": ["Search the text of files for a pattern.", "Finds lines that match a regular expression.", "Fast search in file contents.",
               "Looks for a text in all files.", "Content search over a project's files."],
    "find": ["Find files whose names match a pattern.", "Matches file paths against a glob like *.py.", "Locate files by name.",
             "Fast matching of file names with wildcards.", "Returns the paths that fit a glob pattern."],
}
# What real clients call theirs: (name, parameters that are required, optional ones).
REAL = {
    "create": [("Write", ["file_path", "content"]), ("write", ["content", "filePath"]), ("write", ["path", "content"]),
               ("write_file", ["path", "content"]), ("create_file", ["path", "content"]), ("write_to_file", ["path", "content"])],
    "read": [("Read", ["file_path"]), ("read", ["filePath"]), ("read", ["path"]), ("read_file", ["path"])],
    "edit": [("Edit", ["file_path", "old_string", "new_string"]), ("edit", ["filePath", "oldString", "newString"]),
             ("edit", ["path", "oldText", "newText"]), ("edit_file", ["path", "old_text", "new_text"]),
             ("str_replace", ["path", "old_str", "new_str"])],
    "run": [("Bash", ["command"]), ("bash", ["command"]), ("bash", ["command", "description"]), ("run_command", ["command"]),
            ("shell", ["command"]), ("execute_command", ["command"])],
    "list": [("LS", ["path"]), ("list", ["path"]), ("ls", ["path"]), ("list_directory", ["path"]), ("list_files", ["path"])],
    "search": [("Grep", ["pattern"]), ("grep", ["pattern"]), ("search_files", ["query"])],
    "find": [("Glob", ["pattern"]), ("glob", ["pattern"]), ("find_files", ["pattern"])],
}
# The tools that clients declare together, in their order, without those that REAL has.
BESIDE = [
    "Agent(description,prompt) ListAgents() ReportFindings(findings:array) ScheduleWakeup() Skill(skill) ToolSearch(query,max_results:number) Workflow()",
    "Agent(description,prompt) CronCreate(cron,prompt) CronDelete(id) CronList() EnterWorktree() ExitWorktree(action) ListAgents() Monitor(description,timeout_ms:number) NotebookEdit(notebook_path,new_source) "
    "ReportFindings(findings:array) ScheduleWakeup() SendMessage(to,message) Skill(skill) TaskStop() WebFetch(url,prompt) WebSearch(query) Workflow()",
    "Agent(description,prompt) CronCreate(cron,prompt) CronDelete(id) CronList() EnterWorktree() ExitWorktree(action) NotebookEdit(notebook_path,new_source) ReportFindings(findings:array) "
    "ScheduleWakeup(delaySeconds:number,reason,prompt) SendMessage(to,message) Skill(skill) TaskCreate(subject,description) TaskGet(taskId) TaskList() TaskOutput(task_id,block:boolean,timeout:number) TaskStop() "
    "TaskUpdate(taskId) WebFetch(url,prompt) WebSearch(query) Workflow()",
    "skill(name) task(description,prompt,subagent_type) todowrite(todos:array)", "skill(name) task(description,prompt,subagent_type) todowrite(todos:array) webfetch(url,format) question(questions:array)", "",
]
# Tools that do none of this work. Some sound alike.
OTHERS = [
    ("Agent", "Launch a helper for a long task.", {"description": "string", "prompt": "string"}),
    ("Task", "Start another agent for several steps.", {"description": "string", "prompt": "string", "subagent_type": "string"}),
    ("task", "Hands work to a subagent.", {"description": "string", "prompt": "string"}),
    ("TodoWrite", "Keeps the list of things to do.", {"todos": "array"}),
    ("todowrite", "Writes the todo list of this session.", {"todos": "array"}),
    ("todoread", "Reads the todo list.", {}),
    ("WebFetch", "Fetches a page from the web.", {"url": "string", "prompt": "string"}),
    ("webfetch", "Gets the text of a web address.", {"url": "string", "format": "string"}),
    ("WebSearch", "Searches the web.", {"query": "string"}),
    ("Skill", "Runs a named skill.", {"skill": "string"}),
    ("skill", "Loads instructions for a kind of work.", {"name": "string"}),
    ("ToolSearch", "Finds tools that are not loaded.", {"query": "string"}),
    ("NotebookEdit", "Edits a cell of a notebook.", {"notebook_path": "string", "new_source": "string"}),
    ("AskUserQuestion", "Asks the user to choose.", {"questions": "array"}),
    ("question", "Puts a question to the user.", {"questions": "array"}),
    ("ExitPlanMode", "Ends planning.", {}), ("EnterPlanMode", "Begins planning.", {}), ("EnterWorktree", "Makes a work tree.", {}),
    ("KillShell", "Ends a shell in the background.", {"shell_id": "string"}),
    ("BashOutput", "Reads what a background shell printed.", {"bash_id": "string"}),
    ("TaskStop", "Stops a running task.", {"task_id": "string"}), ("TaskOutput", "Output of a task.", {"task_id": "string"}),
    ("Monitor", "Watches a command.", {"command": "string", "until": "string"}), ("ScheduleWakeup", "Wakes up later.", {"seconds": "integer"}),
    ("CronCreate", "Plans a task for later.", {"cron": "string", "prompt": "string"}), ("SendMessage", "Sends words to an agent.", {"to": "string", "message": "string"}),
    ("delete_row", "Deletes a row of a table.", {"table": "string", "id": "integer"}), ("ping", "Tells whether a host answers.", {"host": "string"}),
    ("resize_image", "Changes the size of a picture.", {"image": "string", "width": "integer"}),
    ("list_users", "Names all users of the service.", {}), ("create_issue", "Opens an issue in the tracker.", {"title": "string", "body": "string"}),
    ("read_email", "Reads one mail.", {"id": "integer"}), ("search_contacts", "Looks for people.", {"query": "string"}),
    ("update_ticket", "Changes a ticket.", {"ticket": "string", "status": "string"}), ("run_query", "Runs SQL on the database.", {"sql": "string"}),
    ("open_door", "Opens a door of the building.", {"door": "string"}), ("memory", "Remembers a fact.", {"fact": "string"}),
    ("screenshot", "Takes a picture of the screen.", {}), ("apply_patch", "Applies a patch in its own format.", {"patch": "string"}),
    ("lsp", "Asks the language server.", {"operation": "string", "filePath": "string", "line": "integer"}),
]


def join_name(source, parts, style):
    parts = [p for part in parts for p in part.split("_") if p]
    if style == "camel":
        return parts[0] + "".join(p.capitalize() for p in parts[1:])
    if style == "pascal":
        return "".join(p.capitalize() for p in parts)
    return {"snake": "_", "kebab": "-"}[style].join(parts)


def make_name(source, kind, style):
    if source.chance(0.25):
        name = source.pick(BARE[kind])
        return name.capitalize() if style == "pascal" else name
    verb = source.pick(VERBS[kind])
    parts = [verb, source.pick([noun for noun in NOUNS[kind] if not noun.startswith(verb + "_")])]
    if source.chance(0.04):  # a name that says nothing: the description does
        parts = [source.made_up(), source.pick(["tool", "it", "op", source.made_up()])][:source.random.randint(1, 2)]
        return join_name(source, parts, style)
    if source.chance(0.1):
        parts = [source.pick(["fs", "file", "workspace", "my", "local"])] + parts
    name = join_name(source, parts, style)
    if source.chance(0.04):
        name = "mcp__" + source.word() + "__" + name
    return name


class Tool:
    """One tool: its definition as JSON schema, and what its parameters mean."""

    def __init__(self, name, description, parameters, required, roles=()):
        self.name = name
        self.description = description
        self.parameters = parameters  # name -> schema, in order
        self.required = required
        self.roles = dict(roles)      # role -> name of the parameter

    def definition(self):
        return {"type": "function", "function": {
            "name": self.name, "description": self.description,
            "parameters": {"type": "object", "properties": self.parameters, "required": self.required}}}


EXPLAINING = ["description", "explanation", "reason", "purpose"]
OPTIONAL = {
    "create": [("overwrite", "boolean"), ("encoding", "string"), ("append", "boolean"), ("mode", "string")],
    "read": [("offset", "integer"), ("limit", "integer"), ("encoding", "string"), ("pages", "string")],
    "edit": [("replace_all", "boolean"), ("replaceAll", "boolean"), ("count", "integer")],
    "run": [("timeout", "integer"), ("workdir", "string"), ("description", "string"), ("run_in_background", "boolean"), ("cwd", "string")],
    "list": [("recursive", "boolean"), ("ignore", "array"), ("depth", "integer")],
    "search": [("path", "string"), ("include", "string"), ("ignore_case", "boolean"), ("glob", "string")],
    "find": [("path", "string"), ("limit", "integer"), ("recursive", "boolean")],
}


def is_held_out(tool):
    """One made-up tool in seven, told by its name and parameters together, is never seen in training."""
    return zlib.crc32(f"{tool.name}({','.join(tool.required)})".encode()) % 7 == 0


def says_its_kind(name, kind):
    return any(verb in name.lower() for verb in VERBS[kind] + BARE[kind])


def make_tool(source, kind, style, real, many):
    """Of the half that the source draws from; real clients' tools are in both. many: the brief will not have room for descriptions, so the name must say what
    the tool does."""
    for _ in range(60):
        tool = draw_tool(source, kind, style, real)
        if real or (is_held_out(tool) == source.held and (not many or says_its_kind(tool.name, kind))):
            break
    return tool


def draw_tool(source, kind, style, real):
    roles, required, parameters = {}, [], {}
    if real:
        name, required = source.pick(REAL[kind]) if real is True else real
        required = list(required)
        by_meaning = {"content": "content", "contents": "content"}
        takes = list(TAKES[kind])
        if kind == "create":
            for parameter in required:
                roles["content" if parameter in by_meaning else "path"] = parameter
        else:
            roles = dict(zip(takes, required))
        if len(required) > len(takes):
            roles["why"] = required[-1]
    else:
        name = make_name(source, kind, style)
        for role in TAKES[kind]:
            options = [p for p in PARAMETERS[role] if p not in required]
            parameter = source.pick(options or PARAMETERS[role])
            while parameter in required:
                parameter = source.pick(PARAMETERS[role])
            if style == "snake" and not parameter.islower():
                parameter = "".join("_" + c.lower() if c.isupper() else c for c in parameter)
            if source.chance(0.08):  # looked up, not known by heart
                parameter = join_name(source, [parameter, source.pick(["in", "value", "arg", "x", "1", "str"])] if source.chance(0.5) else [source.pick(["the", "my", "p", "in", "arg"]), parameter],
                                      "camel" if style in ("camel", "pascal") else "snake")
            roles[role] = parameter
            required.append(parameter)
        if len(required) > 1 and source.chance(0.2):
            source.random.shuffle(required)
        if source.chance(0.08):
            roles["why"] = source.pick(EXPLAINING)
            required.insert(0 if source.chance(0.3) else len(required), roles["why"])
    for parameter in required:
        parameters[parameter] = {"type": "string"}
    for parameter, form in OPTIONAL[kind]:
        if parameter not in parameters and source.chance(0.3):
            parameters[parameter] = {"type": form}
    description = source.pick(source.split(DESCRIPTIONS[kind]))
    if source.chance(0.08) and says_its_kind(name, kind):
        description = ""
    return Tool(name, description, parameters, required, roles)


class Toolbox:
    """The tools of one conversation: by kind of work, and in the order in which they are declared."""

    def __init__(self, by_kind, order):
        self.by_kind = by_kind
        self.order = order

    def definitions(self):
        return [tool.definition() for tool in self.order]


def make_other(source):
    """A tool for something else; in part of made-up names, described by what no task is about."""
    if source.chance(0.4):
        name = join_name(source, [source.word() for _ in range(source.random.randint(1, 3))], source.pick(["snake", "camel", "pascal", "kebab"]))
        parameters = {source.word(): {"type": source.pick(["string", "string", "integer", "number", "array", "boolean"])} for _ in range(source.random.randint(0, 4))}
        start = source.random.randrange(len(PROSE) or 1)
        return Tool(name, PROSE[start:start + 120].partition(" ")[2].strip(), parameters, list(parameters))
    name, description, parameters = source.pick(OTHERS)
    return Tool(name, description, {k: {"type": v} for k, v in parameters.items()}, list(parameters))


def make_client_box(source):
    """The whole list of one client, the tools of files and commands among the others."""
    number = source.random.randrange(len(BESIDE))
    family = source.pick([0, 0, 1]) if number < 3 else source.pick([1, 1, 2])
    by_kind = {}
    for kind in KINDS:
        if kind != "list" and family < len(REAL[kind]) and not (family == 2 and kind in ("search", "find")):
            by_kind[kind] = draw_tool(source, kind, "snake", REAL[kind][family])
    order = list(by_kind.values())
    for text in BESIDE[number].split():
        name, _, inside = text[:-1].partition("(")
        form = {p.partition(":")[0]: {"type": p.partition(":")[2] or "string"} for p in inside.split(",") if p}
        order.append(Tool(name, source.sentence(), form, list(form)))
    if source.chance(0.8):
        order.sort(key=lambda tool: tool.name)
    else:
        source.random.shuffle(order)
    return Toolbox(by_kind, order)


def make_toolbox(source, needed=(), extra=()):
    """A toolbox with at least the kinds `needed` and the tools `extra`."""
    extra = list({tool.name: tool for tool in reversed(extra)}.values())[::-1]
    if not extra and not source.held and source.chance(0.25):
        box = make_client_box(source)
        if all(kind in box.by_kind for kind in needed):
            return box
    real = source.chance(0.3) and not source.held
    style = source.pick(["snake", "snake", "camel", "pascal", "kebab"])
    count = source.pick([0, 0, 1, 2, 3, 4, 6, 8, 12]) if not real else source.pick([1, 3, 5, 6, 8, 12, 18])
    if source.chance(0.03):
        count = 45  # more than any real client has
    by_kind = {}
    for kind in KINDS:
        share = {"create": 0.9, "read": 0.9, "edit": 0.85, "run": 0.85, "list": 0.4, "search": 0.5, "find": 0.45}[kind]
        if kind in needed or source.chance(share):
            by_kind[kind] = make_tool(source, kind, style, real, many=len(KINDS) + len(extra) + count > 12)
    order, names = [], set()
    taken = {tool.name for tool in extra}
    for kind, tool in list(by_kind.items()):
        if tool.name in names or tool.name in taken:
            if kind in needed:
                return make_toolbox(source, needed, extra)
            del by_kind[kind]
            continue
        names.add(tool.name)
        order.append(tool)
    for tool in extra:
        names.add(tool.name)
        order.append(tool)
    for _ in range(count):
        tool = make_other(source)
        if tool.name not in names:
            names.add(tool.name)
            order.append(tool)
    if source.chance(0.7):
        source.random.shuffle(order)
    else:
        order.sort(key=lambda tool: tool.name)
    return Toolbox(by_kind, order)
