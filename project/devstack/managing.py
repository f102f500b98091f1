"""`./run manage CMD …`: a management command against the running stack, or one started for it."""

import sys
import time
from pathlib import Path

from project.devstack.children import MARK
from project.devstack.console import Console, Refusal
from project.devstack.home import CHECKOUT, Home, Lock
from project.devstack.processes import FOR_A_COMMAND
from project.devstack.stack import Stack, child_environment
from project.devstack.testing import in_foreground

# These make the database what it is to be, or must work when the code and the database are out of step.
UNPREPARED = {"prepare", "migrate", "makemigrations", "showmigrations", "sqlmigrate", "dbshell", "check", "flush"}
# These need no server at all.
ALONE = {
    "help",
    "version",
    "translations",
    "compilemessages",
    "makemessages",
    "startapp",
    "collectstatic",
    "findstatic",
}


def manage(home: Home, arguments: list[str], values: dict[str, str]) -> int:
    """Run a management command; its standard output is the command's alone, ours goes to standard error."""
    if not arguments or arguments[0] in ALONE or {"-h", "--help", "--version"} & set(arguments):
        return _command(arguments or ["help"], child_environment(home, values))
    console = Console(sys.stderr)
    stack_lock, users = home.lock("stack"), home.lock("users")
    while not stack_lock.take():
        # Shared with every other command of this stack; one that was started for a single command waits for us.
        users.take(shared=True, wait=True)
        env = _attach(home, values)
        if env is not None:
            return _command(arguments, env)
        users.release()
        console.still("waiting for the stack that is starting or stopping")
        time.sleep(0.1)
    return _with_own_stack(home, arguments, values, console, stack_lock, users)


def _attach(home: Home, values: dict[str, str]) -> dict[str, str] | None:
    """Return the environment of the stack that holds this home, once its database is prepared."""
    state = home.read_state()
    if not state.get("prepared"):
        return None
    env: dict[str, str] = state["env"]
    for name in ("DATABASE_URL", "REDIS_URL"):
        if name in values and values[name] != env.get(name):
            raise Refusal(
                f"{name} names another server than the stack that is running for {home.path} uses. "
                "Unset it, or use another COVERIS_HOME.",
                2,
            )
    return child_environment(home, values) | env


def _with_own_stack(
    home: Home, arguments: list[str], values: dict[str, str], console: Console, stack_lock: Lock, users: Lock
) -> int:
    console.step(f"no stack is running for {home.path}: starting one for this command")
    stack = Stack(home, values, console)
    home.write_state(kind="command")
    try:
        stack.clear()
        stack.start_servers()
        bare = arguments[0] in UNPREPARED
        if not bare:
            stack.prepare("--empty")
            for process in FOR_A_COMMAND:
                stack.supervisor.launch(process, stack.env)
            home.write_state(kind="command", env=stack.shared_env, prepared=True)
        status = _command(arguments, stack.env, mark=str(home.path))
        if not bare:
            stack.wait_for_figures()
            if not users.take():
                console.step("waiting for other commands that use this stack")
                users.take(wait=True)
                stack.wait_for_figures()
        return status
    finally:
        home.write_state(kind="command", stopping=True)
        users.release()
        try:
            stack.stop()
        finally:
            home.clear_state()
            stack_lock.release()


def _command(arguments: list[str], env: dict[str, str], mark: str = "") -> int:
    env = {name: value for name, value in env.items() if name != MARK} | ({MARK: mark} if mark else {})
    argv = [sys.executable, str(CHECKOUT / "manage.py"), *arguments]
    return in_foreground(argv, env={"COVERIS_PROCESS": "coveris-manage"} | env, cwd=Path.cwd())
