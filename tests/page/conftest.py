"""A daemon, and Debian's Chromium looking at its page. Every test checks that the browser reported
nothing, and asked nobody but the daemon."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from daemon import ROOT, Daemon, Factory

SHOTS = ROOT / "build" / "page"
# A test of errors sees them on the console too; what a policy forbids is never expected.
EXPECTED = "Failed to load resource"


@dataclass
class Visit:
    """A page, and what the browser said and asked for while it was open."""

    page: Page
    origin: str
    messages: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self) -> Page:
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(self.origin)
        return self.page

    def check(self) -> None:
        assert not [text for text in self.messages if not text.startswith(EXPECTED)]
        assert not [url for url in self.asked if not url.startswith(f"{self.origin}/")]


Visitor = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "these tests look at the page with Debian's chromium: make test-page"
    with sync_playwright() as playwright:
        # Chromium's own sandbox wants another user than root.
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitor]:
    """visit(daemon, **options of Playwright's new_context) opens the page."""
    visits: list[Visit] = []

    def open_page(daemon: Daemon, **options: Any) -> Page:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        visits.append(Visit(browser.new_context(**options).new_page(), daemon.url))
        return visits[-1].open()

    yield open_page
    for one in visits:
        one.page.context.close()
        one.check()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("daemon"), "--workers", "1").wait_ready()
    yield made
    made.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Factory]:
    factory = Factory(tmp_path / "daemons")
    factory.folder.mkdir()
    yield factory
    for one in factory.made:
        one.end()


@pytest.fixture
def page(visit: Visitor, daemon: Daemon) -> Page:
    """The page of the common daemon, once it has heard from it."""
    opened = visit(daemon)
    opened.wait_for_selector("#state[data-kind=ready]")
    opened.wait_for_selector("#model option", state="attached")
    return opened


def predict(page: Page, text: str) -> None:
    """Types a structure into the form and waits for the answer."""
    page.fill("#text", text)
    page.click("#go")  # waits until it can be pressed
    page.wait_for_selector("#answer:not([hidden])")
