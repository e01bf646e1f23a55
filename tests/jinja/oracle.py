"""Jinja2 set up as transformers sets it up for chat templates: the truth that src/jinja is compared with."""
import datetime
import json

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox


class Generation(jinja2.ext.Extension):
    """{% generation %}: what the model itself says. For a prompt it is a body with variables of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_render")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda layout: datetime.datetime.now().strftime(layout)
    return made


class Template:
    """One template; render() gives {"text": ...} or {"error": ..., "raised": whether the template itself refused}."""

    def __init__(self, source):
        self.failure = None
        try:
            self.template = environment().from_string(source)
        except Exception as error:
            self.failure = {"error": str(error), "raised": False}

    def render(self, variables):
        if self.failure:
            return self.failure
        try:
            return {"text": self.template.render(**variables)}
        except Exception as error:
            raised = type(error) is jinja2.exceptions.TemplateError
            return {"error": f"{error}", "raised": raised, "type": type(error).__name__}
