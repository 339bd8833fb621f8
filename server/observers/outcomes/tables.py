"""The tables, as they are in the newest version."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("response_id", String, nullable=False, unique=True),
    Column("at", Float, nullable=False, index=True),
    Column("route", String, nullable=False),
    Column("family", String, nullable=False),
    Column("code", String, nullable=False),
    Column("tier", String),
    Column("confidence", Float),
    Column("cost", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("body", Text, nullable=False),
    Column("content", Text),
    Column("owner", String, nullable=False, server_default=""),
    Index("outcomes_route_at", "route", "at"),
)

labels = Table(
    "labels",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("response_id", String, nullable=False),
    Column("tier", String, nullable=False),
    Column("source", String, nullable=False),
    Column("correct", Float, nullable=False),
    Column("weight", Float, nullable=False),
    Column("route", String, nullable=False),
    Column("family", String, nullable=False),
    Column("confidence", Float),
    Column("kept", Boolean, nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("cost", Float, nullable=False),
    Column("detail", Text),
    UniqueConstraint("response_id", "tier", "source", name="one_label_a_source"),
    Index("labels_route_asked", "route", "asked_at"),
)

floors = Table(
    "floors",
    metadata,
    Column("route", String, primary_key=True),
    Column("fingerprint", String, primary_key=True),
    Column("floor", Float, nullable=False),
    Column("since", Float, nullable=False),
    Column("reason", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until", Float, nullable=False),
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("route", String, primary_key=True),
    Column("base", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("body", Text, nullable=False),
)

versions = Table("schema_version", metadata, Column("version", Integer, nullable=False))
