"""Paths of records in a page of JSON: the items, their lines, and a path per field or an e-invoice.

A path consists of names and 0-based list positions joined by dots, such as `vendor.tax_ids.0`. It is looked
up in the item; with the prefix `line.` in the line, with the prefix `$.` in the page.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from showcost.config.loading import ConfigModel

JsonPath = Annotated[str, Field(pattern=r"^(\$|(\$\.)?[^.\s\[\]$]+(\.[^.\s\[\]$]+)*)$")]
"""A path into JSON; `$` alone is the page itself."""

JSON_LINES: Final = "$lines"
"""The list of items of a file with an item in each line."""

LINE = "line."
"""Prefix of paths in a line of an item."""


class ItemMapping(ConfigModel):
    """Mapping of JSON items to records."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    list: JsonPath | Literal["$lines"]
    """Path of the list of items in the page; `$` if the page is the list, `$lines` if each line of the file
    is an item (JSON Lines)."""
    lines: JsonPath | None = None
    """Path of the lines in an item, each of which is a record; without it, the item is the record."""
    paths: dict[str, JsonPath] = Field(default_factory=dict)
    """Path of each field."""
    document: JsonPath | None = None
    """Path of an e-invoice (UBL 2.1) in an item, as XML text or in base64; used instead of `paths`, since the
    format defines its fields."""
    once: tuple[str, ...] = ()
    """Fields of the whole item, such as its tax: only its first line has them."""

    @model_validator(mode="after")
    def _paths_or_document(self) -> Self:
        if bool(self.paths) == (self.document is not None):
            raise ValueError("either paths, the path of each field, or document, the path of an e-invoice")
        if self.document is not None and self.lines is not None:
            raise ValueError("lines only together with paths; a document has its own")
        return self

    @model_validator(mode="after")
    def _lines_are_consistent(self) -> Self:
        of_lines = [field for field, path in self.paths.items() if path.startswith(LINE)]
        if of_lines and self.lines is None:
            raise ValueError(f"lines, the path of an item's lines, because {of_lines[0]} is in a line")
        if self.once and self.lines is None:
            raise ValueError("once only together with lines")
        if unknown := sorted(set(self.once) - self.paths.keys()):
            raise ValueError(f"a path for {unknown[0]}, which once names")
        if wrong := sorted(set(self.once) & set(of_lines)):
            raise ValueError(f"in once only fields of the item, not {wrong[0]} of the line")
        return self
