"""The demo clinic, for words that need a whole one."""

from tests.demo.conftest import demo  # noqa: F401
