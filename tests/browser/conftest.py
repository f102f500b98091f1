"""A real browser on a real server. A test fails on anything the browser complains about.

A page test takes `visit` (opens pages as somebody) and, where it looks at a page, `shoot`:

    def test_the_dashboard_shows_figures(visit, clinic, shoot):
        page = visit("/admin/", user=clinic.manager)
        expect(page.get_by_text("Coverage")).to_be_visible()
        shoot(page, "dashboard")

A test that takes `every_look` runs wide and narrow, light and dark, es and en: `visit(…, look=every_look)`. Every day
that is two looks, in which each of the six comes once; LOOKS=all has all eight.
Pictures land in test-artifacts/.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import uvicorn
from django.conf import settings as django_settings
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

ARTIFACTS = Path(__file__).resolve().parents[2] / "test-artifacts"
CHROMIUM = ("COVERIS_CHROMIUM", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
PATIENCE = 10_000  # milliseconds
ADDRESSES: WeakKeyDictionary[BrowserContext, str] = WeakKeyDictionary()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            # WhiteNoise hands files out synchronously; Django says so on every file.
            item.add_marker(pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning"))


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    width: int = 1440
    height: int = 900
    scheme: str = "light"
    language: str = "es"

    @property
    def name(self) -> str:
        return f"{self.width}-{self.scheme}-{self.language}"


WIDE, NARROW = (1440, 900), (390, 844)
ALL_LOOKS = [
    Look(*size, scheme, language)
    for size in (WIDE, NARROW)
    for scheme in ("light", "dark")
    for language in ("es", "en")
]


def everyday(looks: Sequence[Look]) -> list[Look]:
    """Return the first and the last of these looks, which have nothing in common; with LOOKS=all every one."""
    return list(looks) if os.environ.get("LOOKS") == "all" else [looks[0], looks[-1]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `every_look` once in each: two every day, eight with LOOKS=all."""
    if "every_look" in metafunc.fixturenames:
        metafunc.parametrize("every_look", everyday(ALL_LOOKS), ids=lambda look: look.name)


def find_chromium() -> str | None:
    named = os.environ.get(CHROMIUM[0])
    if named:
        return named
    return next((path for name in CHROMIUM[1:] if (path := shutil.which(name))), None)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here; skipped, with the reason, where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("No Chromium found: install Debian's chromium, or name one in COVERIS_CHROMIUM.")
    # Playwright's sync interface runs an event loop in this thread, which makes Django refuse the ORM.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=QUIET)
            yield browser
            browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def server(transactional_db: Any, settings: Any) -> Iterator[str]:
    """The product under uvicorn in this process, on the test database; returns its address."""
    from project.asgi import application

    for connection in connections.all():
        # Each request runs in a thread that ends with it, and would leave its connection behind.
        connection.settings_dict["CONN_MAX_AGE"] = 0
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()
        config = uvicorn.Config(application, log_level="error", lifespan="off", timeout_graceful_shutdown=2)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not running.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise RuntimeError("The server did not start.")
            time.sleep(0.01)
        yield f"http://{host}:{port}"
        running.should_exit = True
        thread.join(10)


@dataclass
class Complaints:
    """What the browser did not like. `allow` names what a test provokes on purpose."""

    found: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        self.allowed.append(re.compile(pattern))

    def note(self, complaint: str) -> None:
        self.found.append(complaint)

    @property
    def left(self) -> list[str]:
        return [text for text in self.found if not any(pattern.search(text) for pattern in self.allowed)]

    def listen(self, context: BrowserContext) -> None:
        def console(message: ConsoleMessage) -> None:
            # Alpine reports expressions it cannot evaluate as warnings.
            if message.type == "error" or (message.type == "warning" and "Alpine" in message.text):
                where = message.location.get("url", "")
                self.note(f"console: {message.text} ({where})")

        def answer(response: Response) -> None:
            if response.status >= 500:
                self.note(f"{response.status} {response.request.method} {response.url}")
            if response.request.is_navigation_request() and response.status != 302:
                policy = response.headers.get("content-security-policy", "")
                if "script-src 'self'" not in policy or "unsafe-eval" in policy:
                    self.note(f"policy: “{policy}” on {response.url}")

        context.on("console", console)
        context.on("weberror", lambda error: self.note(f"script: {error.error}"))
        context.on("response", answer)


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    noted = Complaints()
    yield noted
    assert not noted.left, "The browser complained:\n" + "\n".join(noted.left)


@pytest.fixture
def open_page(chromium: Browser, server: str, complaints: Complaints) -> Iterator[Callable[..., Page]]:
    """Return a function that opens an empty page: `open_page(look)`; addresses are relative to the server."""
    contexts: list[BrowserContext] = []

    def open_one(look: Look | None = None) -> Page:
        look = look or Look()
        context = chromium.new_context(
            base_url=server,
            viewport={"width": look.width, "height": look.height},
            color_scheme=look.scheme,
            locale={"es": "es-AR", "en": "en-GB"}[look.language],
            timezone_id=django_settings.TIME_ZONE,
            reduced_motion="reduce",
            has_touch=look.width < 600,
        )
        context.set_default_timeout(PATIENCE)
        context.add_cookies([{"name": django_settings.LANGUAGE_COOKIE_NAME, "value": look.language, "url": server}])
        complaints.listen(context)
        contexts.append(context)
        ADDRESSES[context] = server
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()


def login(page: Page, user: Any) -> None:
    """Give the page a session of the user, without the form."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": ADDRESSES[page.context]}]
    )


@pytest.fixture
def visit(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Return `visit(path, user=None, look=None)`: a page opened there, signed in as the user, ready to be used."""

    def open_at(path: str, user: Any = None, look: Look | None = None) -> Page:
        page = open_page(look)
        if user is not None:
            login(page, user)
        page.goto(path)
        settle(page)
        return page

    return open_at


def settle(page: Page) -> None:
    """Wait until the scripts have taken the page over and nothing is loading."""
    page.wait_for_load_state("networkidle")
    page.wait_for_function(
        "() => !document.documentElement.hasAttribute('x-cloak') && document.fonts.status === 'loaded'"
    )


@pytest.fixture
def shoot() -> Callable[..., Path]:
    """Return `shoot(page, name, full=False)`, which keeps test-artifacts/<name>-<width>-<scheme>-<language>.png."""

    def keep(page: Page, name: str, full: bool = False) -> Path:
        ARTIFACTS.mkdir(exist_ok=True)
        width, scheme, language = page.evaluate(
            """() => [window.innerWidth, document.documentElement.classList.contains("dark") ? "dark" : "light",
                      document.documentElement.lang]"""
        )
        path = ARTIFACTS / f"{name}-{width}-{scheme}-{language}.png"
        page.screenshot(path=path, full_page=full, animations="disabled")
        return path

    return keep


@contextmanager
def inside_popup(page: Page) -> Iterator[Any]:
    """Yield the frame of the theme's pop-up window, once it is there."""
    page.wait_for_selector("iframe.related-modal-frame")
    yield page.frame_locator("iframe.related-modal-frame")
