"""TOML in its usual form: a section per table, and a line per entry."""

from __future__ import annotations

from typing import Any


def as_toml(content: dict[str, Any]) -> str:
    """Return TOML with its keys in the given order.

    tomli-w gives every nested dictionary its own section; here one that is deeper than a
    section, or in a list, stays on its line.
    """
    import tomli_w

    plain = {key: value for key, value in content.items() if not _is_section(value)}
    blocks = [tomli_w.dumps(plain)] if plain else []
    for key, value in content.items():
        if isinstance(value, dict):
            blocks.append(f"[{key}]\n{_lines(value)}")
        elif _is_section(value):
            blocks += [f"[[{key}]]\n{_lines(each)}" for each in value]
    return "\n".join(blocks)


def _is_section(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    )


def _lines(table: dict[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    import tomli_w

    return tomli_w.dumps({key: 0}).partition(" = ")[0]


def _value(value: object) -> str:
    import tomli_w

    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(key)} = {_value(each)}' for key, each in value.items())}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + "".join(f"    {_value(each)},\n" for each in value) + "]"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return tomli_w.dumps({"a": value}).partition(" = ")[2].strip()
