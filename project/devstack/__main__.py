"""The commands of `./run`, once its shell part has prepared the environment."""

import signal
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a folder, from wherever the person stands

from project.devstack.console import STOP_SIGNALS, Refusal, Stopped  # noqa: E402
from project.devstack.home import Home, environment  # noqa: E402
from project.devstack.managing import manage  # noqa: E402
from project.devstack.resetting import reset  # noqa: E402
from project.devstack.testing import bench, test  # noqa: E402
from project.devstack.up import up  # noqa: E402

COMMANDS = {"up": up, "manage": manage, "test": test, "bench": bench}


def _stop(*_: object) -> None:
    raise Stopped


def main(arguments: list[str]) -> int:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("up", [])
    values = environment()
    for how in STOP_SIGNALS:
        if how != signal.SIGHUP or signal.getsignal(how) is not signal.SIG_IGN:  # nohup ./run outlives its terminal
            signal.signal(how, _stop)
    try:
        home = Home.from_environment(values).open()
        if command == "reset":
            return reset(home, rest)
        return COMMANDS[command](home, rest, values)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return refusal.code
    except Stopped:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
