"""`./run reset`: drop the local data."""

import argparse
import shutil

from project.devstack.console import Console, Refusal
from project.devstack.home import Home

FOLDERS = ("servers", "media", "logs", "scratch")
FILES = ("secrets.json", "stack.json")


def reset(home: Home, arguments: list[str]) -> int:
    """Drop the local database, broker, uploads and logs of this home, after asking; 1 when the answer is no."""
    parser = argparse.ArgumentParser(prog="./run reset", description=reset.__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    lock = home.lock("stack")
    if not lock.take():
        raise Refusal(f"Coveris is running for {home.path}: stop it first.")
    if not options.yes and not _agreed(f"Drop the local data in {home.path} and {home.servers_path}? [y/N] "):
        print("Nothing was dropped.")
        return 1
    shutil.rmtree(home.servers_path, ignore_errors=True)
    for name in FOLDERS:
        shutil.rmtree(home.path / name, ignore_errors=True)
    for name in FILES:
        (home.path / name).unlink(missing_ok=True)
    Console().say(f"The local data of {home.path} is gone; the next ./run starts afresh.")
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in {"y", "yes", "s", "si", "sí"}
    except EOFError:
        print()
        return False
