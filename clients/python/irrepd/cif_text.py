"""The grammar of CIF: data blocks as dictionaries from a tag to the list of its values.

Tags are in lower case, with a point read as an underscore, so that old and new dictionaries agree.
"""

from __future__ import annotations

import re
from typing import NamedTuple

Block = dict[str, list[str]]

_TOKEN = re.compile(r"""'(.*?)'(?=\s|$)|"(.*?)"(?=\s|$)|(#.*)|(\S+)""")
_CONTROL = re.compile(r"(?i)(loop_$|data_|save_)")


class _Token(NamedTuple):
    text: str
    is_bare: bool  # without quotes
    line: int

    @property
    def is_tag(self) -> bool:
        return self.is_bare and self.text.startswith("_")

    @property
    def is_control(self) -> bool:
        return self.is_tag or (self.is_bare and _CONTROL.match(self.text) is not None)


def read_blocks(text: str) -> list[Block]:
    """ValueError, with the line: this is no CIF."""
    tokens = _tokens(text)
    blocks: list[Block] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        word = token.text.lower() if token.is_bare else ""
        if word.startswith("data_"):
            blocks.append({})
            at += 1
        elif not blocks:
            shown = token.text[:80]
            raise ValueError(f"line {token.line}: '{shown}' stands before any data_ block")
        elif word == "loop_":
            at = _read_loop(tokens, at + 1, blocks[-1])
        elif token.is_tag:
            if at + 1 == len(tokens) or tokens[at + 1].is_control:
                raise ValueError(f"line {token.line}: {token.text} has no value")
            _add(blocks[-1], token, [tokens[at + 1].text])
            at += 2
        else:
            raise ValueError(f"line {token.line}: '{token.text[:80]}' belongs to no tag")
    return blocks


def _add(block: Block, tag: _Token, values: list[str]) -> None:
    name = tag.text.lower().replace(".", "_")
    if name in block:
        raise ValueError(f"line {tag.line}: {tag.text} is there twice")
    block[name] = values


def _read_loop(tokens: list[_Token], at: int, block: Block) -> int:
    """Reads the tags and rows of a loop_ into the block; returns where it ends."""
    columns: list[list[str]] = []
    line = tokens[at - 1].line
    while at < len(tokens) and tokens[at].is_tag:
        columns.append([])
        _add(block, tokens[at], columns[-1])
        at += 1
    count = 0
    while at < len(tokens) and not tokens[at].is_control:
        if columns:
            columns[count % len(columns)].append(tokens[at].text)
        count, at = count + 1, at + 1
    if not columns or count % len(columns):
        raise ValueError(f"the loop_ of line {line} has {count} values for {len(columns)} tags")
    return at


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    field: list[str] | None = None  # a text between lines that begin with a semicolon
    begin = 0
    for number, content in enumerate(text.split("\n"), 1):
        content = content.rstrip("\r")
        if content.startswith(";"):
            if field is None:
                field, begin = [content[1:]], number
            else:
                tokens.append(_Token("\n".join(field), False, begin))
                field = None
        elif field is not None:
            field.append(content)
        else:
            for single, double, comment, bare in _matches(content):
                if comment is None:
                    quoted = single if single is not None else double
                    value = bare if quoted is None else quoted
                    tokens.append(_Token(value or "", quoted is None, number))
    if field is not None:
        raise ValueError(f"the text field of line {begin} does not end")
    return tokens


def _matches(line: str) -> list[tuple[str | None, ...]]:
    return [found.groups() for found in _TOKEN.finditer(line)]
