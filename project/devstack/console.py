"""What the launcher tells the person who started it."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SILENCE = 2.5  # seconds after which a wait says that it goes on


class Refusal(Exception):
    """The launcher cannot go on; the message is a sentence for the person, `code` the exit status."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Stopped(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP arrived: everything is to be stopped in order."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a stop in progress finish, whatever further signals arrive; its own time limits end it."""
    before = {how: signal.signal(how, lambda *_: None) for how in STOP_SIGNALS}
    try:
        yield
    finally:
        for how, handler in before.items():
            signal.signal(how, signal.SIG_DFL if handler is None else handler)


class Console:
    """Progress lines with the seconds since the start, on `stream`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream if stream is not None else sys.stdout
        # Counted from the shell part, which may have prepared the Python environment first.
        before = time.time() - float(os.environ.get("COVERIS_BEGUN") or time.time())
        self._last = time.monotonic()
        self.started = self._last - (before if 1 <= before < 3600 else 0)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def say(self, text: str = "") -> None:
        """Print a line as it is."""
        try:
            print(text, file=self.stream, flush=True)
        except BrokenPipeError:  # whoever read our output has gone; the stack goes on
            self.stream = Path(os.devnull).open("w")  # noqa: SIM115
        self._last = time.monotonic()

    def step(self, text: str) -> None:
        """Print a line of progress."""
        self.say(f"{self.elapsed:6.1f} s  {text}")

    def still(self, text: str) -> None:
        """Print that a wait goes on, unless something was printed just now."""
        if time.monotonic() - self._last >= SILENCE:
            self.step(f"... {text}")
