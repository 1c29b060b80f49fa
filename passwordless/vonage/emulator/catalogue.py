"""The calls of Verify v2 about templates: listed as HAL, written where the account may."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs

from .answers import Answer, conflict, forbidden, invalid, not_allowed, not_found, problem
from .clock import moment, stamp
from .dialect import Desk
from .templates import Fragment, Improper, Taken, Template

ROOT = "/v2/verify/templates"
UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
PATH = re.compile(
    rf"{ROOT}(?:/(?P<template>{UUID})(?P<within>/template_fragments(?:/(?P<fragment>{UUID}))?)?)?/?", re.ASCII
)
PAGE_SIZE, LARGEST_PAGE = 10, 100
COUNT = re.compile("[1-9][0-9]{0,5}", re.ASCII)

T = TypeVar("T")
Act = Callable[[], Answer]


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """One call about templates; whoever hands it in has seen the credentials."""

    desk: Desk

    def answer(self) -> Answer:
        """Carry it out."""
        found = PATH.fullmatch(self.desk.incoming.path)
        if found is None:
            return not_found()
        try:
            with self.desk.templates.lock:
                return self._routed(found)
        except Improper as improper:
            return invalid({"name": improper.name, "reason": improper.reason})
        except Taken as taken:
            return conflict(taken.detail, slug=taken.slug)

    def _routed(self, found: re.Match[str]) -> Answer:
        if found["template"] is None:
            return self._chosen({"GET": self._list, "POST": self._create})
        template = self.desk.templates.find(found["template"])
        if template is None:
            return problem(404, "Not Found", "There is no such template.", slug="template-not-found")
        if found["within"] is None:
            return self._chosen(self._about(template))
        if found["fragment"] is None:
            return self._chosen(self._within(template))
        fragment = template.fragments.get(found["fragment"].lower())
        if fragment is None:
            detail = "The template has no such fragment."
            return problem(404, "Not Found", detail, slug="template-fragment-not-found")
        return self._chosen(self._of(template, fragment))

    def _chosen(self, acts: Mapping[str, Act]) -> Answer:
        method = self.desk.incoming.method
        if method not in acts:
            return not_allowed()
        if method != "GET" and not self.desk.store.switches.template_writing:
            return forbidden()
        return acts[method]()

    # What can be done where.

    def _about(self, template: Template) -> Mapping[str, Act]:
        return {
            "GET": lambda: Answer(body=self._template(template)),
            "PATCH": lambda: self._change(template),
            "DELETE": lambda: self._remove(template),
        }

    def _within(self, template: Template) -> Mapping[str, Act]:
        return {
            "GET": lambda: self._fragments(template),
            "POST": lambda: self._create_fragment(template),
        }

    def _of(self, template: Template, fragment: Fragment) -> Mapping[str, Act]:
        return {
            "GET": lambda: Answer(body=self._fragment(template, fragment)),
            "PATCH": lambda: self._change_fragment(template, fragment),
            "DELETE": lambda: self._remove_fragment(template, fragment),
        }

    def _list(self) -> Answer:
        return self._page(ROOT, "templates", self.desk.templates.all(), self._template)

    def _create(self) -> Answer:
        template = self.desk.templates.add(self._text("name"))
        return Answer(status=201, body=self._template(template))

    def _change(self, template: Template) -> Answer:
        given = self._given()
        default = given.get("is_default")
        if not isinstance(default, bool | None):
            raise Improper("is_default", "Must be true or false")
        name = self._text("name") if "name" in given else None
        return Answer(body=self._template(self.desk.templates.change(template, name, default)))

    def _remove(self, template: Template) -> Answer:
        if template.fragments:
            return conflict("The template still has fragments.", slug="not-empty-template")
        if template.is_default:
            return conflict("The default template cannot be deleted.")
        self.desk.templates.remove(template.id)
        return Answer(status=204)

    def _fragments(self, template: Template) -> Answer:
        path = f"{ROOT}/{template.id}/template_fragments"
        listed = list(template.fragments.values())
        return self._page(path, "template_fragments", listed, lambda one: self._fragment(template, one))

    def _create_fragment(self, template: Template) -> Answer:
        texts = [self._text(name) for name in ("channel", "locale", "text")]
        fragment = self.desk.templates.add_fragment(template, *texts)
        return Answer(status=201, body=self._fragment(template, fragment))

    def _change_fragment(self, template: Template, fragment: Fragment) -> Answer:
        changed = self.desk.templates.change_fragment(template, fragment, self._text("text"))
        return Answer(body=self._fragment(template, changed))

    def _remove_fragment(self, template: Template, fragment: Fragment) -> Answer:
        self.desk.templates.remove_fragment(template, fragment)
        return Answer(status=204)

    # What is read, and how it is told.

    def _given(self) -> dict[str, Any]:
        given = self.desk.incoming.json
        if not isinstance(given, dict):
            raise Improper("body", "A JSON object is required")
        return given

    def _text(self, name: str) -> str:
        value = self._given().get(name)
        if not isinstance(value, str):
            raise Improper(name, f"{name} is required")
        return value

    def _number(self, name: str, default: int, largest: int) -> int:
        given = parse_qs(self.desk.incoming.query).get(name, [str(default)])[0]
        if not COUNT.fullmatch(given) or int(given) > largest:
            raise Improper(name, f"Must be 1 to {largest}")
        return int(given)

    def _link(self, path: str) -> dict[str, str]:
        return {"href": f"{self.desk.incoming.base}{path}"}

    def _template(self, template: Template) -> dict[str, object]:
        path = f"{ROOT}/{template.id}"
        return {
            "template_id": template.id,
            "name": template.name,
            "is_default": template.is_default,
            "_links": {"self": self._link(path), "fragments": self._link(f"{path}/template_fragments")},
        }

    def _fragment(self, template: Template, fragment: Fragment) -> dict[str, object]:
        path = f"{ROOT}/{template.id}"
        links = {
            "self": self._link(f"{path}/template_fragments/{fragment.id}"),
            "template": self._link(path),
        }
        return {
            "template_fragment_id": fragment.id,
            "channel": fragment.channel,
            "locale": fragment.locale,
            "text": fragment.text,
            "date_created": stamp(moment(fragment.created)),
            "date_updated": stamp(moment(fragment.updated)),
            "_links": links,
        }

    def _page(self, path: str, name: str, items: Sequence[T], told: Callable[[T], object]) -> Answer:
        size = self._number("page_size", PAGE_SIZE, LARGEST_PAGE)
        page = self._number("page", 1, 999_999)
        pages = max(1, -(-len(items) // size))
        numbers = {"self": page, "next": page + 1, "prev": page - 1, "last": pages}
        links = {
            rel: self._link(f"{path}?page={number}&page_size={size}")
            for rel, number in numbers.items()
            if rel == "self" or 1 <= number <= pages
        }
        body = {
            "page_size": size,
            "page": page,
            "total_pages": pages,
            "total_items": len(items),
            "_embedded": {name: [told(item) for item in items[(page - 1) * size : page * size]]},
            "_links": links,
        }
        return Answer(body=body)
