"""The sentences of the server, as its source has them, and whether the languages have them."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from vidu.errors import ViduError

ROOT = Path(__file__).resolve().parents[2]
LOCALES = ROOT / "locales"
ENGLISH = json.loads((LOCALES / "en" / "main.json").read_text(encoding="utf-8"))["vidu"]
SENTENCES = list(json.loads((LOCALES / "fr" / "main.json").read_text("utf-8"))["viduSentences"])
FORMS = sorted(
    (*(line for name, line in ENGLISH.items() if name.startswith("line")), *SENTENCES),
    key=lambda form: (
        re.match(r"\{(?!count|number|total)", form) is not None,
        -len(re.sub(r"\{\w+\}", "", form)),
    ),
)
"""The lines and sentences that the languages have, in the order of web/texts.js."""

NUMBERS = ("count", "number", "total")
FOREIGN = ("words", "reason")
LEFT_OUT = ("_", "clips")
"""The slots for a number, for others' words, and for words that no language repeats."""

SLOT = re.compile(r"\\{(\w+)\\}")
FILLED = "7"
"""Stands for what is only known at run time."""

Names = Mapping[str, list[ast.expr]]


def is_translated(text: str) -> bool:
    """Whether a text of the server is a line or a sentence that the languages have."""
    return _is_known(text) or all(map(_is_known, re.split(r"(?<=[.!?]) ", text)))


def _is_known(sentence: str) -> bool:
    for form in FORMS:
        names = re.findall(r"\{(\w+)\}", form)
        source = SLOT.sub(
            lambda slot: "([\\d,.]+)" if slot[1] in NUMBERS else "(.+?)", re.escape(form)
        )
        found = re.fullmatch(source, sentence)
        if found:
            # Half a sentence that stands in a slot would be shown in English.
            values = dict(zip(names, found.groups(), strict=True))
            return not any(
                re.search("[a-z]{2} [a-z]", value) and not is_translated(value)
                for name, value in values.items()
                if name not in (*FOREIGN, *LEFT_OUT)
            )
    return False


def texts_of(expression: ast.expr, names: Names | None = None) -> Iterator[str]:
    """The texts that an expression may be.

    Args:
        expression: What an error is given, or a progress.
        names: What the names in it may stand for.
    """
    names = names or {}
    match expression:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            for pieces in itertools.product(*(list(_piece(part, names)) for part in parts)):
                yield "".join(pieces)
        case ast.IfExp(body=one, orelse=other):
            yield from (*texts_of(one, names), *texts_of(other, names))
        case ast.Name(id=name):
            rest = {known: values for known, values in names.items() if known != name}
            for value in names.get(name, []):
                yield from texts_of(value, rest)


def _piece(part: ast.expr, names: Names) -> Iterator[str]:
    match part:
        case ast.Constant(value=text):
            yield str(text)
        case ast.FormattedValue(value=value):
            yield from list(texts_of(value, names)) or [FILLED]


def errors(kind: type[ViduError] = ViduError) -> Iterator[type[ViduError]]:
    """The classes of errors, from the root on."""
    yield kind
    for each in kind.__subclasses__():
        yield from errors(each)


def error_sentences(path: Path) -> Iterator[str]:
    """What the errors say that a file raises, or that its functions make from words."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = {each.__name__ for each in errors()}
    constants = _assigned(tree.body)
    functions = [
        each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for function in functions:
        names = {**constants, **_assigned(list(ast.walk(function)))}
        for call in ast.walk(function):
            if not isinstance(call, ast.Call):
                continue
            name = ast.unparse(call.func)
            if name in classes or name.endswith(("_refusal", "_problem", "out_of_range")):
                for text in (text for each in call.args for text in texts_of(each, names)):
                    yield from _sentences(text)


def _assigned(nodes: list[ast.AST] | list[ast.stmt]) -> dict[str, list[ast.expr]]:
    assigned: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
    return assigned


def _sentences(text: str) -> Iterator[str]:
    """The lines of a text, as the node shows them, without a sentence that is filled in whole."""
    for line in text.split("\n"):
        whole = re.sub(rf"^{FILLED} (?=[A-Z])|(?<=[.]) {FILLED}$", "", line)
        if re.search("[A-Za-z]{2}[ .]", whole):
            yield whole
