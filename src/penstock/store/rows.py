"""Structs as rows, and back."""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Row, Table

S = TypeVar("S", bound=msgspec.Struct)


def row_of(struct: msgspec.Struct, table: Table) -> dict[str, Any]:
    """The fields of `struct` that `table` has a column for."""
    return {
        name: getattr(struct, name) for name in struct.__struct_fields__ if name in table.columns
    }


def struct_of(type_: type[S], row: Row[Any], **instead: Any) -> S:
    """A `type_` of the columns that are fields of it; `instead` has what no column is."""
    columns = row._mapping
    fields = {name: columns[name] for name in type_.__struct_fields__ if name in columns}
    return type_(**(fields | instead))
