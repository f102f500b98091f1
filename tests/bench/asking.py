"""A client of the load generator, a process of its own: asks one thing after another, and says how it went.

Reads a line of JSON, {"port", "cookies", "seconds", "reads": [path], "writes": [[method, path, body]], "every"}: one
of every so many requests is a write. Writes a line {"reads": [seconds], "writes": [seconds], "wrong": {what: times}}.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from http.client import HTTPConnection
from itertools import cycle


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    connection = HTTPConnection("127.0.0.1", asked["port"], timeout=60)
    cookies = "; ".join(f"{name}={value}" for name, value in asked["cookies"].items())
    headers = {
        "Cookie": cookies, "X-CSRFToken": asked["cookies"]["csrftoken"], "Content-Type": "application/json",
    }  # fmt: skip
    reads, writes = cycle(asked["reads"]), cycle(asked["writes"])
    taken: dict[str, list[float]] = {"reads": [], "writes": []}
    wrong: Counter[str] = Counter()
    print("ready", flush=True)
    sys.stdin.readline()
    deadline = time.perf_counter() + asked["seconds"]
    number = 0
    while (begun := time.perf_counter()) < deadline:
        number += 1
        is_write = number % asked["every"] == 0
        method, path, body = next(writes) if is_write else ("GET", next(reads), None)
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        taken["writes" if is_write else "reads"].append(time.perf_counter() - begun)
        if answer.status >= 400:
            wrong[f"{answer.status} {method} {path.partition('?')[0]} {content[:120].decode(errors='replace')}"] += 1
    print(json.dumps({**taken, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main()
