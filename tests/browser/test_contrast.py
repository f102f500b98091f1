"""Text of our own pieces is readable in light and dark: WCAG AA, 4.5 : 1, measured as painted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from apps.common.badges import Tone, badge, progress, two_lines
from tests.browser.conftest import Look
from tests.factories import UserFactory

PIECES = "".join(
    [
        *(str(badge(f"tone {tone}", tone)) for tone in Tone),
        str(two_lines("first", "second", "AB")),
        str(progress(50, "50 %")),
        '<p class="coveris-subtle">subtle</p>',
        *(
            f'<div class="coveris-note coveris-note-{kind}"><p>note {kind}</p></div>'
            for kind in ("plain", "warning", "error", "success")
        ),
        '<button class="coveris-button">button</button>',
        '<button class="coveris-button coveris-button-plain">plain</button>',
        '<button class="coveris-button coveris-button-danger">danger</button>',
        '<div class="coveris-empty"><h2>empty</h2><p>why</p></div>',
        '<blockquote class="coveris-quote">quote</blockquote>',
        '<a class="text-primary-600 dark:text-primary-500">link</a>',
        '<p class="text-subtle">subtle of the theme</p>',
    ]
)
# Colours are painted on a canvas, so that every notation (oklch, alpha) ends as the bytes the eye gets.
MEASURE = """(html) => {
  const box = document.createElement("div");
  box.innerHTML = html;
  document.getElementById("main").prepend(box);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (data) => {
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = [0, 1, 2].map((i) => linear(data[i] / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const grounds = (element) => {
    const found = [];
    for (let at = element; at; at = at.parentElement) found.unshift(getComputedStyle(at).backgroundColor);
    return ["white", ...found];
  };
  const weak = [];
  for (const element of box.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.classList.contains("material-symbols-outlined")) continue;
    const ground = grounds(element);
    const [a, b] = [light(paint([...ground, getComputedStyle(element).color])), light(paint(ground))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return [box.querySelectorAll("*").length, weak];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out_from_its_ground(visit: Callable[..., Page], transactional_db: None, scheme: str) -> None:
    page = visit("/admin/password_change/", user=UserFactory(role="ADMIN"), look=Look(scheme=scheme))
    pieces, weak = page.evaluate(MEASURE, PIECES)
    assert pieces > 30
    assert weak == []


def test_canary_a_pale_text_is_noticed(visit: Callable[..., Page], transactional_db: None) -> None:
    page = visit("/admin/password_change/", user=UserFactory(role="ADMIN"))
    _pieces, weak = page.evaluate(MEASURE, '<p style="color: #999">pale</p>')
    assert weak == ["pale: 2.85"]
