"""Where the focus stops on its way through a page, and how it is seen there."""

from __future__ import annotations

import re
from dataclasses import dataclass

ENOUGH = 200
"""Presses of a key; a page without a trap needs fewer to come round."""

# A closed group hides its content from the eye and from the keyboard; of radios the chosen one is a stop.
TABBABLE = """() => [...document.querySelectorAll("*")]
    .map((one, place) => [one, place])
    .filter(([one]) => one.matches("a[href], button, input, select, summary, [tabindex='0']")
        && one.checkVisibility({visibilityProperty: true}) && (one.type !== "radio" || one.checked))
    .map(([, place]) => place)"""
# The ring stands outside of an element, on what is painted there.
STOP = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const painted = part => getComputedStyle(part).backgroundColor;
    let ground = one.parentElement;
    while (ground.parentElement && painted(ground).endsWith(", 0)")) ground = ground.parentElement;
    return {
        place: [...document.querySelectorAll("*")].indexOf(one),
        top: box.top + scrollY, bottom: box.bottom + scrollY, left: box.left, right: box.right,
        ring: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
        colour: style.outlineColor, ground: painted(ground),
    };
}"""


@dataclass(frozen=True, order=True)
class Stop:
    """An element with the focus: its place in the document, its box and the width of its ring in px."""

    place: int
    top: float
    bottom: float
    left: float
    right: float
    ring: float
    colour: str
    ground: str

    @property
    def contrast(self):
        """The ratio of ring and ground, 1 to 21 (WCAG 2.2, contrast ratio)."""
        lighter, darker = sorted((luminance(self.colour), luminance(self.ground)), reverse=True)
        return (lighter + 0.05) / (darker + 0.05)

    def precedes(self, other):
        """Tell whether an eye comes to this one first: it is above, or in the same row to the left."""
        return self.bottom <= other.top + 1 or self.right <= other.left + 1


def walk(page, key):
    """Press a key until it comes round to where it began; return the stops."""
    passed = {}
    for _ in range(ENOUGH):
        page.keyboard.press(key)
        seen = page.evaluate(STOP)
        if seen and seen["place"] in passed:
            return list(passed.values())
        if seen:
            passed[seen["place"]] = Stop(**seen)
    raise AssertionError(f"{key} does not come round: {list(passed)}")


def tabbable(page):
    """Return the places in the document of all that Tab has to come by."""
    return page.evaluate(TABBABLE)


def luminance(colour):
    """Return the relative luminance of rgb(r, g, b), 0 to 1 (WCAG 2.2)."""
    red, green, blue = (linear(int(part) / 255) for part in re.findall(r"\d+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(part):
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
