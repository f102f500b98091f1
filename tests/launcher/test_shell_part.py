"""The part of ./run that works before there is a Python environment, with a stand-in for uv that keeps notes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from project.devstack.home import CHECKOUT
from tests.launcher.conftest import plain_environment

UV = """#!/bin/sh
[ "$1" = --version ] && exit 0
echo "$*" >> "{notes}"
mkdir -p "{checkout}/.venv/bin"
cat > "{checkout}/.venv/bin/python" <<'PY'
#!/bin/sh
[ "$1" = -c ] && exit 0
echo "supervisor: $*"
PY
chmod +x "{checkout}/.venv/bin/python"
"""


class Checkout:
    def __init__(self, path: Path) -> None:
        self.path = path / "check out"  # with a blank, as on many a desktop
        self.path.mkdir()
        self.notes = path / "notes"
        self.programs = path / "bin"
        self.programs.mkdir()
        shutil.copy(CHECKOUT / "run", self.path / "run")
        (self.path / "uv.lock").write_text("one")
        self.program("uv", UV.format(notes=self.notes, checkout=self.path))

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = plain_environment(PATH=f"{self.programs}:/usr/bin:/bin", **more)
        for name in ("UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR"):  # where the reader keeps them is not what is tried here
            env.pop(name, None)
        return subprocess.run(["sh", str(self.path / "run"), *arguments], env=env, capture_output=True, text=True)

    @property
    def calls(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_help_and_a_wrong_command_prepare_nothing(checkout: Checkout) -> None:
    helped = checkout.run("--help")
    assert helped.returncode == 0
    assert {"up", "test", "manage", "bench", "reset"} <= set(helped.stdout.split())
    wrong = checkout.run("strat")
    assert wrong.returncode == 2
    assert "strat" in wrong.stderr
    assert wrong.stdout == ""
    assert checkout.calls == []


def test_the_environment_is_prepared_once_and_again_when_the_lock_changes(checkout: Checkout) -> None:
    first = checkout.run("manage", "coverage", "--json")
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"supervisor: {checkout.path}/project/devstack manage coverage --json\n"
    checkout.run("up")
    assert len(checkout.calls) == 1
    assert "--frozen" in checkout.calls[0]
    (checkout.path / "uv.lock").write_text("two")
    checkout.run("up")
    assert len(checkout.calls) == 2


def test_arguments_arrive_as_they_were_typed(checkout: Checkout) -> None:
    checkout.run("up")
    printed = checkout.run("manage", "import_sheet", "a b.csv", "*").stdout
    assert printed.endswith("devstack manage import_sheet a b.csv *\n")


def test_a_failed_preparation_starts_nothing_and_is_tried_again(checkout: Checkout) -> None:
    checkout.program("uv", '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "no network" >&2; exit 2\n')
    for _ in range(2):
        failed = checkout.run("up")
        assert failed.returncode == 1
        assert "no network" in failed.stderr
        assert "Nothing was started" in failed.stderr
        assert failed.stdout == ""


def test_without_uv_a_python_with_pip_fetches_it_into_the_home(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.programs / "uv").unlink()
    home = tmp_path / "home"
    stand_in = UV.format(notes=checkout.notes, checkout=checkout.path)
    pip = (
        '#!/bin/sh\n[ "$1" = -m ] || exit 1\n[ "$3" = --version ] && exit 0\n'
        f'mkdir -p "{home}/uv/bin"\ncat > "{home}/uv/bin/uv" <<\'UV\'\n{stand_in}\nUV\nchmod +x "{home}/uv/bin/uv"\n'
        f'echo "pip $*" >> "{checkout.notes}"\n'
    )
    checkout.program("python3", pip)
    done = checkout.run("up", COVERIS_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert f"--target {home}/uv uv" in checkout.calls[0]
    assert checkout.calls[1].startswith("sync")


def test_without_uv_and_pip_a_sentence_says_what_to_install(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.programs / "uv").unlink()
    for tool in ("sh", "mkdir", "dirname", "date", "cmp", "env"):
        (checkout.programs / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    for name in ("python3", "python"):
        checkout.program(name, "#!/bin/sh\nexit 1\n")
    script = checkout.path / "run"
    script.write_text(script.read_text().replace("/usr/bin/python3", "/nonexistent/python3"))
    env = plain_environment(PATH=str(checkout.programs), HOME=str(tmp_path), PYENV_ROOT=str(tmp_path))
    done = subprocess.run(["sh", str(checkout.path / "run")], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs uv, or a Python 3 with pip" in done.stderr


def test_with_no_home_folder_to_write_to_the_caches_stay_in_ours(checkout: Checkout, tmp_path: Path) -> None:
    checkout.program(
        "uv", UV.format(notes=checkout.notes, checkout=checkout.path) + f'env >> "{tmp_path}/environment"\n'
    )
    home = tmp_path / "home"
    (tmp_path / "file").write_text("")
    done = checkout.run("up", HOME=str(tmp_path / "file"), COVERIS_HOME=str(home))
    assert done.returncode == 0, done.stderr
    told = (tmp_path / "environment").read_text()
    assert f"UV_CACHE_DIR={home}/uv-cache" in told
    assert f"UV_PYTHON_INSTALL_DIR={home}/uv-python" in told


def test_the_shell_part_is_plain_posix() -> None:
    for shell in ("sh", "bash --posix"):
        subprocess.run([*shell.split(), "-n", str(CHECKOUT / "run")], check=True)
    text = (CHECKOUT / "run").read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "[[" not in text
