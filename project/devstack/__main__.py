"""The commands of `./run`, once its shell part has prepared the environment."""

import signal
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a folder, from wherever the person stands

from project.devstack.console import Refusal, Stopped  # noqa: E402
from project.devstack.home import Home, environment  # noqa: E402


def _stop(*_: object) -> None:
    raise Stopped


def main(arguments: list[str]) -> int:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("up", [])
    values = environment()
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(how, _stop)
    try:
        home = Home.from_environment(values).open()
        if command == "test":
            from project.devstack.testing import test

            return test(home, rest, values)
        if command == "bench":
            from project.devstack.testing import bench

            return bench(home, rest, values)
        raise Refusal(f"There is no command “{command}”: see ./run --help", 2)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return refusal.code
    except Stopped:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
