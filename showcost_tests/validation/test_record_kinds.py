"""Record kinds: a fourth kind is one more entry in the registry, and nothing else refers to its name."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from showcost.components.scaffolding import FeedParams
from showcost.config.feed import FeedSpec
from showcost.config.record_kinds import RECORD_KINDS, Component, Field, FieldType, RecordKind
from showcost.validation.columns import MONEY, RowTable, arrow_schema, column_schema
from showcost.validation.components import components, derived_columns

if TYPE_CHECKING:
    from pydantic import BaseModel

ORDER = RecordKind(
    name="order",
    title="Orders",
    fields=(
        Field("order_no", FieldType.TEXT, "number", required=True),
        Field("ordered_on", FieldType.DATE, "date", required=True),
        Field("supplier", FieldType.TEXT, "supplier"),
        Field("account", FieldType.TEXT, "account", required=True),
        Field("currency", FieldType.TEXT, "currency", required=True),
        Field("units", FieldType.AMOUNT, "units", quantity=True),
        Field("price", FieldType.AMOUNT, "price", required=True),
    ),
    transaction_date="ordered_on",
    key=("order_no",),
    document="order_no",
    primary=Component("order", "price"),
    payable="accounts_payable",
    derived={"document_no": ("order_no",), "description": ("supplier", "order_no")},
)


def cells() -> pa.Table:
    amounts = pa.chunked_array([pa.array([Decimal("12.5000"), Decimal("0.0000")], MONEY)])
    texts = {
        "order_no": ["O1", "O2"],
        "supplier": ["ACME", None],
        "account": ["3310", "3320"],
        "account__union": [None, "iatse"],
    }
    return pa.table({**{name: pa.array(text, pa.string()) for name, text in texts.items()}, "price": amounts})


def test_a_kind_without_a_second_component_posts_its_primary_one() -> None:
    reference: Any = SimpleNamespace(feed=SimpleNamespace(kind=ORDER))
    assert components(cells(), reference).to_pylist() == [
        [{"component": "order", "account": "3310", "union_category": None, "amount": Decimal("12.5000")}],
        [{"component": "order", "account": "3320", "union_category": "iatse", "amount": Decimal("0.0000")}],
    ]


def test_derived_columns_are_joined_from_the_fields_of_the_kind() -> None:
    derived = {name: column.to_pylist() for name, column in derived_columns(cells(), ORDER).items()}
    assert derived == {"document_no": ["O1", "O2"], "description": ["ACME O1", "O2"]}


def test_a_feed_may_have_any_registered_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECORD_KINDS, ORDER.name, ORDER)
    feed = FeedSpec(name="orders", description="Purchase orders", record_kind=ORDER.name)
    assert (feed.kind, feed.key_fields) == (ORDER, ("order_no",))


def test_a_feed_of_an_unregistered_kind_is_refused_with_the_registered_names() -> None:
    with pytest.raises(ValueError, match=r"'vendor_invoice', .* or 'budget_revision'"):
        FeedSpec(name="orders", description="Purchase orders", record_kind=ORDER.name)


@pytest.mark.parametrize("model", [FeedSpec, FeedParams], ids=lambda model: str(model.__name__))
def test_the_json_schema_lists_the_registered_kinds(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()["properties"]["record_kind"]
    assert (schema["type"], schema["enum"]) == ("string", list(RECORD_KINDS))


def test_columns_follow_from_the_kind() -> None:
    valid = {column.name: column for column in column_schema(ORDER, RowTable.VALID)}
    assert "pay_rules" not in valid
    assert not valid["price"].nullable
    types = arrow_schema(ORDER, RowTable.VALID)
    assert types.field("units").type != types.field("price").type == MONEY


@pytest.mark.parametrize("kind", RECORD_KINDS.values(), ids=lambda kind: str(kind.name))
def test_every_part_of_a_kind_is_one_of_its_fields(kind: RecordKind) -> None:
    named = {kind.transaction_date, kind.document, kind.primary.field, *kind.key}
    if kind.secondary is not None:
        named.add(kind.secondary.field)
    derived = {name for names in kind.derived.values() for name in names}
    assert (named | derived) - kind.by_name.keys() == set()
    assert not any(kind.by_name[name].personal for name in derived)
    assert kind.quantities <= set(kind.of_type(FieldType.AMOUNT))
