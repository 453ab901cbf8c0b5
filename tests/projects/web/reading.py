"""What a person reads on a page."""

import html
import re
from typing import Any

from tests.cast import Person


def text_of(answer: Any) -> str:
    """The page's words, without its markup."""
    bare = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", " ", answer.content.decode())
    return " ".join(html.unescape(bare).split())


def open_page(person: Person, path: str) -> Any:
    """The answer to a GET that must be lawful."""
    answer = person.web.get(person.page(path))
    assert answer.status_code == 200, answer.content
    return answer


def field(answer: Any, name: str, *, after: str = "") -> str:
    """The value of the first field of that name behind the text `after`."""
    page: str = answer.content.decode()
    found = re.search(rf'name="{name}" value="([^"]*)"', page[page.index(after) :])
    assert found, name
    return html.unescape(found[1])
