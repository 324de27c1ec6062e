"""A page as a tree of elements, read by html.parser: what tests look for, and what a browser would send of a form."""

from collections.abc import Callable, Iterator
from html.parser import HTMLParser

VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "rect",
        "path",
    ]
)
INLINE = frozenset(
    [
        "a",
        "abbr",
        "b",
        "bdi",
        "code",
        "data",
        "em",
        "i",
        "label",
        "mark",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "time",
        "u",
    ]
)
UNSEEN = frozenset(("script", "style", "head", "svg", "template"))
SPACES = " \t\r\n\f"  # those of HTML: a no-break space is none of them


class Element:
    """One element: its attributes, and what stands in it."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: "Element | None" = None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.inner: list[Element | str] = []

    def __repr__(self) -> str:
        attributes = "".join(f' {name}="{value}"' for name, value in self.attributes.items())
        return f"<{self.tag}{attributes}>{self.text[:80]}"

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def has(self, name: str) -> bool:
        return name in self.attributes

    @property
    def classes(self) -> list[str]:
        return self.get("class").split()

    @property
    def text(self) -> str:
        """What is read in it, on one line."""
        return " ".join(part for part in _split(self._raw_text()) if part)

    @property
    def typed(self) -> str:
        """The text of a textarea or an option, as it is."""
        return "".join(part if isinstance(part, str) else part.typed for part in self.inner)

    def all(self, *tags: str, where: Callable[["Element"], bool] | None = None, **attributes: str) -> "list[Element]":
        """Return the elements in this one that are of one of the tags and have these attributes, in their order."""
        wanted = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self.walk()
            if (not tags or element.tag in tags)
            and all(element.attributes.get(name) == value for name, value in wanted.items())
            and (where is None or where(element))
        ]

    def first(
        self, *tags: str, where: Callable[["Element"], bool] | None = None, **attributes: str
    ) -> "Element | None":
        """Return the first of `all`, None where there is none."""
        return next(iter(self.all(*tags, where=where, **attributes)), None)

    def one(self, *tags: str, where: Callable[["Element"], bool] | None = None, **attributes: str) -> "Element":
        """Return the only one of `all`."""
        found = self.all(*tags, where=where, **attributes)
        assert len(found) == 1, f"{len(found)} of {tags} {attributes}: {found}"
        return found[0]

    def walk(self) -> "Iterator[Element]":
        for element in self.inner:
            if isinstance(element, Element):
                yield element
                yield from element.walk()

    def above(self, tag: str) -> "Element | None":
        """Return the nearest element of this tag around this one."""
        element = self.parent
        while element is not None and element.tag != tag:
            element = element.parent
        return element

    def _raw_text(self) -> str:
        if self.tag in UNSEEN:
            return ""
        parts = (part if isinstance(part, str) else part._raw_text() for part in self.inner)
        return "".join(parts) if self.tag in INLINE else f" {''.join(parts)} "


class _Reader(HTMLParser):
    """Builds the tree; an element that isn't ended, or is ended elsewhere, is a defect of a template."""

    def __init__(self) -> None:
        super().__init__()
        self.root = self.here = Element("#root", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _value in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.inner.append(element)
        if tag not in VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.here.tag == tag, f"</{tag}> in {self.here}, {self.getpos()}"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        if self.here.tag == "textarea" and not self.here.inner:
            data = data.removeprefix("\r").removeprefix("\n")  # a browser drops a line's end that it begins with
        self.here.inner.append(data)


def read(html: str) -> Element:
    """Return the root of a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.here is reader.root, f"not ended: {reader.here}"
    return reader.root


def _split(text: str) -> list[str]:
    for space in SPACES[1:]:
        text = text.replace(space, " ")
    return text.split(" ")
