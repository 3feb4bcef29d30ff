"""The page by keyboard, on a phone, in both themes, with little motion, and under its policy."""

from __future__ import annotations

import pytest
from conftest import SHOTS, Visitor
from daemon import Daemon
from playwright.sync_api import Browser, Page, expect
from test_page import WATER, picture

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")


def tab_to(page: Page, target: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page) == target:
            return
    raise AssertionError(f"Tab does not reach {target}")


def test_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the form"
    page.keyboard.press("Enter")
    tab_to(page, "text")
    page.keyboard.insert_text(WATER)
    tab_to(page, "view")
    expect(page.locator("#view-empty")).to_be_hidden()
    seen = [picture(page)]
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "-", "+", "0"):
        page.keyboard.press(key)
        seen.append(picture(page))
        assert seen[-1] != seen[-2], key
    assert seen[-1] == seen[0]
    tab_to(page, "go")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_contain_text("Energy")
    tab_to(page, "1")  # the second atom of the table
    page.keyboard.press("Enter")
    expect(page.locator("#picked")).to_contain_text("Atom 1, H")


def test_controls_have_names(page: Page) -> None:
    page.fill("#text", WATER)
    page.click("#go")
    expect(page.locator("#answer")).to_be_visible()
    for control in page.locator("input, select, textarea, button, canvas, [role=region]").all():
        handle = control.element_handle()
        named = page.evaluate(
            "(e) => e.labels?.length || e.ariaLabel || e.textContent.trim() ||"
            " e.getAttribute('aria-labelledby')",
            handle,
        )
        assert named, control.evaluate("e => e.outerHTML")
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
    assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))


def test_phone(visit: Visitor, daemon: Daemon) -> None:
    page = visit(daemon, **PHONE)
    page.get_by_role("button", name="Silicon").tap()
    page.locator("#go").tap()
    expect(page.locator("#answer")).to_contain_text("Energy")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    before = picture(page)
    touch = page.context.new_cdp_session(page)
    page.locator("#view").scroll_into_view_if_needed()
    box = page.locator("#view").bounding_box()
    assert box
    x, y = box["x"] + 100, box["y"] + 100

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    fingers("touchStart", (x, y))
    fingers("touchMove", (x + 40, y + 10))
    fingers("touchEnd")
    turned = picture(page)
    assert turned != before
    fingers("touchStart", (x, y), (x + 40, y))
    fingers("touchMove", (x - 20, y), (x + 70, y))
    fingers("touchEnd")
    assert picture(page) != turned


def test_touch_targets(visit: Visitor, daemon: Daemon) -> None:
    page = visit(daemon, **PHONE)
    for button in page.locator("button:visible, select:visible").all():
        box = button.bounding_box()
        assert box and box["height"] >= 30 and box["width"] >= 30, button.inner_text()


def luminance(page: Page, name: str) -> float:
    value = page.evaluate(f"getComputedStyle(document.body).{name}.match(/[\\d.]+/g).map(Number)")
    linear = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in value[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_themes(visit: Visitor, daemon: Daemon, theme: str) -> None:
    page = visit(daemon, color_scheme=theme)
    paper, ink = luminance(page, "backgroundColor"), luminance(page, "color")
    assert (paper > ink) is (theme == "light")
    assert (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) > 7  # WCAG's enhanced contrast


def test_reduced_motion(visit: Visitor, daemon: Daemon) -> None:
    for motion, moves in (("no-preference", True), ("reduce", False)):
        page = visit(daemon, reduced_motion=motion)
        times = page.evaluate(
            "[...document.querySelectorAll('*')].map((e) => getComputedStyle(e))"
            ".map((s) => parseFloat(s.transitionDuration) + parseFloat(s.animationDuration))"
        )
        assert (max(times) > 0) is moves


def test_policy_is_enforced(browser: Browser, daemon: Daemon) -> None:
    """What the other tests see nothing of: a file of another place, and markup from a text."""
    page = browser.new_context().new_page()
    page.goto(daemon.url)
    blocked = page.evaluate(
        "() => new Promise((done) => {"
        " document.addEventListener('securitypolicyviolation', (e) => done(e.violatedDirective));"
        " const image = document.createElement('img'); image.src = 'http://127.0.0.1:9/x.png';"
        " document.body.append(image); })"
    )
    assert blocked == "img-src"
    said = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; } catch (e) { return e.name; } }"
    )
    assert said == "TypeError"
    page.context.close()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"color_scheme": "light"}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {**PHONE, "color_scheme": "light"}),
        ("phone-dark", {**PHONE, "color_scheme": "dark"}),
    ],
)
def test_pictures(visit: Visitor, daemon: Daemon, name: str, options: dict[str, object]) -> None:
    """Writes pictures to build/page/ for people; the whole page is there in each."""
    page = visit(daemon, **options)
    expect(page.locator("#models tbody")).to_contain_text("Ready")
    page.screenshot(path=SHOTS / f"{name}-empty.png", full_page=True)
    page.get_by_role("button", name="Quartz").click()
    page.click("#go")
    expect(page.locator("#answer")).to_be_visible()
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    page.fill("#text", "1\n\nXq 0 0 0\n")
    expect(page.locator("#parsed")).to_have_class("error")
    page.screenshot(path=SHOTS / f"{name}-error.png", full_page=True)
