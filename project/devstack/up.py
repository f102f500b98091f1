"""`./run up`: everything up, an address, and the moment it is ready."""

import argparse
import math
import subprocess
import sys
import time

from project.devstack.children import MARK, port_is_free, tail, tied
from project.devstack.console import Console, Refusal, Stopped
from project.devstack.home import CHECKOUT, Home, Lock
from project.devstack.processes import STACK, WEB
from project.devstack.stack import Stack
from project.devstack.supervisor import Program
from project.healthcheck import web as web_trouble

PORT = 8000
PROBE_SECONDS = 60
PROBES = 5
WEB_SECONDS = 180


def up(home: Home, arguments: list[str], values: dict[str, str]) -> int:
    """Bring the stack up and keep it up until a signal arrives."""
    parser = argparse.ArgumentParser(prog="./run up", description=up.__doc__)
    parser.add_argument("--empty", action="store_true", help="leave the demo clinic out of an empty database")
    options = parser.parse_args(arguments)
    console = Console()
    lock = _take_over(home, console)
    stack = Stack(home, values, console)
    try:
        home.write_state(kind="up")
        console.step(f"Coveris starts; its local data is in {home.path}")
        stack.clear()
        port, fixed = choose_port(values)
        home.write_state(kind="up", address=_address(port))
        _run(stack, port, fixed, ["--empty"] if options.empty else [])
    except Stopped:
        console.say()
        console.step("stopping")
        return 0
    finally:
        _finish(stack, lock)
    return 0


def choose_port(values: dict[str, str]) -> tuple[int, bool]:
    """Return the web's port and whether the person asked for it; the next free one if nobody did."""
    wish = values.get("COVERIS_PORT")
    if wish is None:
        for port in range(PORT, PORT + 100):
            if port_is_free(port):
                return port, False
        raise Refusal(f"No port from {PORT} to {PORT + 99} is free: choose one with COVERIS_PORT.")
    if not wish.isascii() or not wish.isdigit() or not 1 <= int(wish) <= 65535:
        raise Refusal(f"COVERIS_PORT must be a port number from 1 to 65535, not “{wish}”.", 2)
    if not port_is_free(int(wish)):
        raise Refusal(f"Port {wish} (COVERIS_PORT) is taken by another program: stop that one or choose another port.")
    return int(wish), True


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


def _take_over(home: Home, console: Console) -> Lock:
    """Take the home for this stack; refuse beside a running one, wait for a command that is using it."""
    lock = home.lock("stack")
    while not lock.take():
        state = home.read_state()
        if state.get("kind") == "up" and not state.get("stopping"):
            raise Refusal(
                f"Coveris is already running for {home.path} (process {state['pid']}), "
                f"at {state.get('address', 'an address it has yet to choose')}. "
                "Stop that one first, or give this one a COVERIS_HOME of its own."
            )
        console.still("waiting for the stack or command that is using this folder to end")
        time.sleep(0.2)
    return lock


def _finish(stack: Stack, lock: Lock) -> None:
    try:
        stack.home.write_state(kind="up", stopping=True)
        stack.stop()
    finally:
        stack.home.clear_state()
        lock.release()
    stack.console.step("stopped")


def _run(stack: Stack, port: int, fixed: bool, options: list[str]) -> None:
    home, console, supervisor = stack.home, stack.console, stack.supervisor
    stack.start_servers()
    people = stack.prepare("--people", *options)

    def move_web(program: Program) -> bool:
        """Give the web the next port when another stack took its own between our look and its start."""
        if program.name != WEB.name or fixed or port_is_free(program.port):
            return False
        program.port, _ = choose_port({})
        return True

    supervisor.on_end = move_web
    if not fixed:
        port, _ = choose_port({})  # the preparation took its time: look again
    programs = {process.name: supervisor.launch(process, stack.env, port) for process in STACK}
    web = programs[WEB.name]
    console.step("web, relay, workers and beat are starting")
    facts = {"kind": "up", "env": stack.shared_env, "prepared": True}
    home.write_state(**facts, address=_address(web.port))
    _wait_until_ready(stack, web)
    supervisor.on_end = lambda program: False  # from here on the address is known to people and stays
    home.write_state(**facts, address=_address(web.port), ready=True)
    console.say()
    console.say(f"Coveris is at {_address(web.port)}")
    if people.strip():
        console.say()
        console.say("Demo people (role, e-mail, password):")
        for line in people.strip().splitlines():
            console.say(f"  {line}")
    console.say()
    console.say(f"ready in {math.ceil(console.elapsed)} s")
    console.say(f"Ctrl-C stops everything; the logs are in {home.logs}")
    while True:
        supervisor.tick()
        time.sleep(0.25)


class Probe:
    """Asks, in a process of its own and again after a failure, for a recompute through relay, broker and worker."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.log = stack.home.logs / "probe.log"
        self.failures = 0
        self.passed = False
        self._process: subprocess.Popen[bytes] | None = None

    def tick(self) -> None:
        if self.passed:
            return
        if self._process is None:
            self._process = self._start()
        elif self._process.poll() is not None:
            status, self._process = self._process.returncode, None
            self._judge(status)

    def _start(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, str(CHECKOUT / "manage.py"), "probe_recompute", "--timeout", str(PROBE_SECONDS)]
        with self.log.open("wb") as file:
            return subprocess.Popen(
                argv,
                env=self.stack.env | {MARK: str(self.stack.home.path), "COVERIS_PROCESS": "coveris-probe"},
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                preexec_fn=tied(),
            )

    def _judge(self, status: int) -> None:
        if status == 0:
            self.passed = True
            self.stack.console.step("a recompute went through relay, broker and worker")
            return
        self.failures += 1
        why = f"The end of {self.log} (worker.log and relay.log are beside it):\n{tail(self.log, 8)}"
        if self.failures == PROBES:
            raise Refusal(f"No recompute went through in {PROBES} tries; everything is stopped. {why}")
        if self.failures == 1:
            self.stack.console.step(f"no recompute went through yet; trying again. {why}")
        time.sleep(1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def _wait_until_ready(stack: Stack, web: Program) -> None:
    """Wait until the web answers and one recompute has gone the whole way; Refusal when that cannot be."""
    answered, probe = False, Probe(stack)
    begun = time.monotonic()
    hosts = stack.env.get("ALLOWED_HOSTS", "")
    try:
        while not (answered and probe.passed):
            stack.supervisor.tick()
            # Only then it is ours that answers, not the web of a stack that took the port in the same moment.
            ours = web.has_said(f"running on {_address(web.port).rstrip('/')}")
            trouble = None if answered else web_trouble(web.port, hosts) if ours else "it is not listening yet"
            if not answered and trouble is None:
                answered = True
                stack.console.step("the web answers")
            if not answered and time.monotonic() - begun > WEB_SECONDS:
                raise Refusal(
                    f"The web was not well for {WEB_SECONDS} s ({trouble}); everything is stopped. "
                    f"The end of {web.log}:\n{tail(web.log)}"
                )
            probe.tick()
            missing = [word for word, done in (("the web", answered), ("a first recompute", probe.passed)) if not done]
            stack.console.still(f"waiting for {' and '.join(missing)}")
            time.sleep(0.1)
    finally:
        probe.stop()
