"""Good files, damaged at random: flipped, cut, spliced; workbooks as archives and inside their parts. A seed and a
number give the same file again."""

from __future__ import annotations

import io
import random
import re
import zipfile
from dataclasses import dataclass
from functools import cache

from .malformed import GOOD, KINDS, package, worksheet, written, zipped
from .support import workbook

TEXT_TOKENS = [
    b'"', b'""', b'"\r\n', b"\r", b"\n\n", b";", b",", b"\t", b"|", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"sep=;\n",
    b"=1+1", b"@x", b"-", b"+", b"'", b"1e999", b"NaN", b"9" * 40, b"-0", b"0,5", b"31/12/2026", b"2026-02-30",
    b"\xf0\x9f\x98\x80", b"\xc3", b"\xed\xa0\x80", b"\\N", b"\\.", b"%s", b"row_version", b"refused_because",
    b"transition", b"accept", b"terminate", b"H1", b"E1", b"P1", b"Q1|Q2", b"#REF!", "•••".encode(), b"x" * 300,
    "Ã­".encode(), b"\xe2\x80\xae", b"\x1f", b"TRUE", b"si",
]  # fmt: skip
XML_TOKENS = [
    b'<c r="XFD1048576"><v>1</v></c>', b"<row/>", b"</row>", b"<f>1+1</f>", b"&#0;", b"&amp;", b"<!--", b"-->",
    b"<![CDATA[", b"]]>", b't="s"', b't="e"', b't="str"', b't="b"', b't="d"', b's="1"', b'r="A1"', b"<v>NaN</v>",
    b"<v>1e999</v>", b"<v>-1</v>", b"<v>45000</v>", b"<is><t>x</t></is>", b'xml:space="preserve"', b"_x0000_",
    b"_x000D_", b"<mergeCell ref='A1:B9'/>", b'<sheet name="X" sheetId="9" r:id="rId1"/>', b'hidden="1"', b"<t/>",
    b"<!DOCTYPE a>", b"<?xml version='1.1'?>", b"\x00", b"\xff", b">", b"<", b'"', b"/",
]  # fmt: skip
NUMBERS = [b"0", b"-1", b"1", b"255", b"65536", b"1048577", b"2147483648", b"18446744073709551616", b"1e308", b"9" * 60]


@dataclass(frozen=True)
class Base:
    """A good file of some kind, and how it is read."""

    kind: str
    content: bytes
    dates: str = "iso"
    decimal: str = "point"

    @property
    def is_workbook(self) -> bool:
        return self.content.startswith(b"PK")


@cache
def bases() -> list[Base]:
    found = []
    for kind in KINDS:
        rows = GOOD[kind]
        found += [
            Base(kind, written(rows).encode()),
            Base(kind, written(rows, ";").encode("cp1252"), "dmy", "comma"),
            Base(kind, written(rows, "\t", "\n").encode("utf-16")),
            Base(kind, zipped(package(rows=rows))),
            Base(kind, zipped(package(rows=rows), zipfile.ZIP_STORED)),
            Base(kind, workbook(*rows)),
        ]
    number = '<c r="E2"><v>48.5</v></c>'
    found.append(Base("org_units", zipped(package(sheet=worksheet(GOOD["org_units"], E2=number)))))
    return found


def mutated(seed: int, number: int) -> tuple[Base, bytes]:
    """Return a good file and what became of it."""
    dice = random.Random(f"{seed}/{number}")
    base = dice.choice(bases())
    if not base.is_workbook:
        return base, _damaged(dice, base.content, TEXT_TOKENS, [one.content for one in bases() if not one.is_workbook])
    if dice.random() < 0.4:
        return base, _damaged(dice, base.content, TEXT_TOKENS, [one.content for one in bases() if one.is_workbook])
    with zipfile.ZipFile(io.BytesIO(base.content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for _part in range(dice.randint(1, 2)):
        name = dice.choice([*parts, *[name for name in parts if "sheet" in name] * 2])
        parts[name] = _damaged(dice, parts[name], XML_TOKENS, list(parts.values()), binary=dice.random() < 0.2)
    if dice.random() < 0.1:
        del parts[dice.choice(list(parts))]
    return base, zipped(parts)


def _damaged(
    dice: random.Random, content: bytes, tokens: list[bytes], others: list[bytes], *, binary: bool = True
) -> bytes:
    changed = bytearray(content)
    for _hit in range(dice.choice([1, 1, 1, 2, 3, 5, 8])):
        place = dice.randrange(len(changed)) if changed else 0
        end = place + dice.choice([1, 1, 2, 5, 20, 100])
        deeds = ["token", "token", "delete", "repeat", "splice", "cut", "number", "swap"]
        match dice.choice([*deeds, *(["flip", "byte", "insert"] * 2 if binary else [])]):
            case "flip" if changed:
                changed[place] ^= 1 << dice.randrange(8)
            case "byte" if changed:
                changed[place] = dice.randrange(256)
            case "insert":
                changed[place:place] = dice.randbytes(dice.randint(1, 30))
            case "token":
                changed[place : place if dice.random() < 0.7 else end] = dice.choice(tokens)
            case "delete":
                del changed[place:end]
            case "repeat":
                changed[place:place] = changed[place:end] * dice.choice([1, 1, 2, 50])
            case "splice":
                other = dice.choice(others)
                begin = dice.randrange(len(other)) if other else 0
                changed[place:end] = other[begin : begin + dice.choice([5, 50, 500])]
            case "cut" if dice.random() < 0.3:
                del changed[place:]
            case "number":
                found = list(re.finditer(rb"\d+", changed))
                if found:
                    hit = dice.choice(found)
                    changed[hit.start() : hit.end()] = dice.choice(NUMBERS)
            case "swap":
                first, second = bytes(changed[place:end]), bytes(changed[end : end + (end - place)])
                changed[place : end + len(second)] = second + first
            case _:
                pass
    return bytes(changed)
