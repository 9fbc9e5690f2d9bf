"""administration whole"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

import shared.database
from shared.names import fold, sort_name

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "boards",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_boards")),
        sa.UniqueConstraint("name", name=op.f("uq_boards_name")),
    )
    op.create_table(
        "announced_domains",
        sa.Column(
            "school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("old_domain", sa.String(), nullable=False),
        sa.Column("new_domain", sa.String(), nullable=False),
        sa.Column("announced_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_announced_domains_school_id")),
        sa.PrimaryKeyConstraint("school_id", "old_domain", name=op.f("pk_announced_domains")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("revoked_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["administrators.id"], name=op.f("fk_api_keys_created_by")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_api_keys_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_keys_school_id"), ["school_id"], unique=False)

    op.create_table(
        "file_keys",
        sa.Column(
            "school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_file_keys_school_id")),
        sa.PrimaryKeyConstraint("school_id", "kind", "key", name=op.f("pk_file_keys")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("administrator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("uploaded_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["administrator_id"], ["administrators.id"], name=op.f("fk_imports_administrator_id")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_imports_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    with op.batch_alter_table("imports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_imports_school_id"), ["school_id"], unique=False)

    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("administrator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("api_key_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("undone_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["administrator_id"], ["administrators.id"], name=op.f("fk_changes_administrator_id")),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_changes_api_key_id")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_changes_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sa.UniqueConstraint(
            "school_id", "kind", "subject_id", "version", name=op.f("uq_changes_school_id_kind_subject_id_version")
        ),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("for_basispoort", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_contacts_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("staff_id", "kind", "value", name=op.f("uq_contacts_staff_id_kind_value")),
    )
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_contacts_one_for_basispoort",
            ["staff_id"],
            unique=True,
            sqlite_where=sa.text("for_basispoort"),
            postgresql_where=sa.text("for_basispoort"),
        )

    with op.batch_alter_table("administrators", schema=None) as batch_op:
        batch_op.add_column(sa.Column("board_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.create_index(batch_op.f("ix_administrators_board_id"), ["board_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_administrators_board_id"), "boards", ["board_id"], ["id"])

    with op.batch_alter_table(
        "groups",
        schema=None,
        recreate="always" if op.get_bind().dialect.name == "sqlite" else "never",
        table_kwargs={"sqlite_autoincrement": True},
    ) as batch_op:
        batch_op.add_column(
            sa.Column(
                "sort_name",
                sa.String().with_variant(sa.String(collation="C"), "postgresql"),
                server_default=sa.text("('')"),
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
        batch_op.create_index("ix_groups_sorted", ["school_id", "sort_name", "id"], unique=False)

    with op.batch_alter_table("pupils", schema=None) as batch_op:
        batch_op.add_column(sa.Column("came_on", sa.Date(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "sort_name",
                sa.String().with_variant(sa.String(collation="C"), "postgresql"),
                server_default=sa.text("('')"),
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
        batch_op.create_index("ix_pupils_sorted", ["school_id", "sort_name", "id"], unique=False)

    with op.batch_alter_table("schools", schema=None) as batch_op:
        batch_op.add_column(sa.Column("board_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
        batch_op.create_index(batch_op.f("ix_schools_board_id"), ["board_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_schools_board_id"), "boards", ["board_id"], ["id"])

    op.execute(
        "INSERT INTO contacts (staff_id, kind, value, for_basispoort) "
        "SELECT id, 'email', email, true FROM staff WHERE email IS NOT NULL"
    )
    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.add_column(sa.Column("came_on", sa.Date(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "sort_name",
                sa.String().with_variant(sa.String(collation="C"), "postgresql"),
                server_default=sa.text("('')"),
                nullable=False,
            )
        )
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
        batch_op.create_index("ix_staff_sorted", ["school_id", "sort_name", "id"], unique=False)
        batch_op.drop_column("email")
    _fill_sort_names()


def _fill_sort_names() -> None:
    names = ("first_name", "prefix", "last_name")
    for table in ("pupils", "staff"):
        _fill(sa.table(table, *map(sa.column, ("id", "sort_name", *names))), names, sort_name)
    _fill(sa.table("groups", *map(sa.column, ("id", "sort_name", "name"))), ("name",), fold)


def _fill(table: sa.TableClause, names: tuple[str, ...], build: Callable[..., str]) -> None:
    database = op.get_bind()
    rows = database.execute(sa.select(table.c.id, *(table.c[name] for name in names))).all()
    if rows:
        change = sa.update(table).where(table.c.id == sa.bindparam("of")).values(sort_name=sa.bindparam("to"))
        database.execute(change, [{"of": row_id, "to": build(*values)} for row_id, *values in rows])
