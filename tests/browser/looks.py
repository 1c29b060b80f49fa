"""Measures pages as eyes would: what runs out of them, what is cut off, what is too small to press."""

from __future__ import annotations

NARROW_SIDE, LETTERS = 256, 360
"""Pixels: 1024 at 400 %, and a telephone on which letters are twice their size."""

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What is hidden from the eye on purpose is cut off, and a field scrolls what is typed.
CUT_OFF = """[...document.querySelectorAll("main, main *")].filter(one => {
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    if (!box.width || one.closest(".pl-hidden, .demo-hidden") || one.matches("option, optgroup")) return false;
    const cuts = (kind, inner, outer) => one.localName !== "input" && /hidden|clip/.test(kind) && inner > outer + 1;
    return box.left < -1 || box.right > innerWidth + 1
        || cuts(style.overflowX, one.scrollWidth, one.clientWidth)
        || cuts(style.overflowY, one.scrollHeight, one.clientHeight);
}).map(one => one.outerHTML.slice(0, 200))"""
# A radio is pressed on its label. A link within a sentence needs 24 (WCAG 2.2, 2.5.8), all else 44 (2.5.5).
TOO_SMALL = """[...document.querySelectorAll("main :is(a, button, input, select, summary)")]
    .filter(one => one.checkVisibility() && one.type !== "hidden")
    .map(one => [one.type === "radio" ? one.labels[0] : one, one.matches("a:not(.pl-button)") ? 24 : 44])
    .filter(([one, least]) => {
        const box = one.getBoundingClientRect();
        return Math.min(box.width, box.height) < least;
    }).map(([one]) => one.outerHTML)"""
# By a sheet that the page makes itself, which a strict policy allows. The values are those of WCAG 2.2, 1.4.12.
SPACED = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important;
        word-spacing: .16em !important } p { margin-block-end: 2em !important }`);
    document.adoptedStyleSheets = [sheet];
}"""
PLAIN_AGAIN = "() => { document.adoptedStyleSheets = [] }"
LARGE = "document.documentElement.style.fontSize = '200%'"
# Each word once more by almost half, which makes the longest language longer.
LENGTHENED = """() => {
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) walker.currentNode.data = walker.currentNode.data.replace(/\\p{L}+/gu,
        word => word + [...word].slice(0, Math.ceil([...word].length * .4)).join(""));
}"""


def faults(page):
    """Return what is wrong with the page at its size: pixels that have to be scrolled to, and elements."""
    wide, cut = page.evaluate(OVERFLOW), page.evaluate(CUT_OFF)
    return [f"{wide} px too wide"] * (wide > 0) + cut


def resize(page, width):
    page.set_viewport_size({"width": width, "height": 568})


def faults_in_all_sizes(page):
    """Return the faults of a page by size: a small telephone, 400 %, spaced text, letters of twice their size."""
    found = {"narrow": faults(page)}
    resize(page, NARROW_SIDE)
    found["400 %"] = faults(page)
    resize(page, 320)
    page.evaluate(SPACED)
    found["spaced"] = faults(page)
    page.evaluate(PLAIN_AGAIN)
    resize(page, LETTERS)
    page.evaluate(LARGE)
    found["letters"] = faults(page)
    return {size: seen for size, seen in found.items() if seen}
