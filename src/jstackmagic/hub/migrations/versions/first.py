"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "first"
down_revision = None


def _person() -> sa.Column[int]:
    cascade = sa.ForeignKey("person.id", ondelete="CASCADE")
    return sa.Column("person_id", sa.Integer, cascade, nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "person",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
    )
    op.create_table(
        "line",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        _person(),
        sa.Column("record", sa.String(20), nullable=False),
        sa.Column("event", sa.String(8), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("person_id", "record", "event", "time"),
    )
    op.create_index("line_time", "line", ["time"])
    op.create_table(
        "move",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        _person(),
        sa.Column("place", sa.String(300), nullable=False),
        sa.Column("manager", sa.String(20), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("version", sa.String(300), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
    )
    op.create_index("move_name", "move", ["name"])
    op.create_index("move_person", "move", ["person_id"])
    op.create_table(
        "decision",
        sa.Column("manager", sa.String(20), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("why", sa.String(500), nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("manager", "name"),
    )
    op.create_table(
        "image",
        sa.Column("name", sa.String(300), primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("person.id", ondelete="CASCADE")),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("offered", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("image", "decision", "move", "line", "person"):
        op.drop_table(table)
