"""supplier side"""

import sqlalchemy as sa
from alembic import op

import shared.database

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite makes these tables anew: a number that was given out must not come back
NUMBERS_GO_ON = {"sqlite_autoincrement": True}


def upgrade() -> None:
    op.create_table(
        "allowed_addresses",
        sa.Column(
            "publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("address", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_allowed_addresses_publisher_id")),
        sa.PrimaryKeyConstraint("publisher_id", "address", name=op.f("pk_allowed_addresses")),
    )
    op.create_table(
        "lika_codes",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_lika_codes_publisher_id")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_lika_codes")),
    )
    with op.batch_alter_table("lika_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lika_codes_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "publisher_certificates",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("not_after", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["publisher_id"], ["publishers.id"], name=op.f("fk_publisher_certificates_publisher_id")
        ),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_publisher_certificates")),
    )
    with op.batch_alter_table("publisher_certificates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publisher_certificates_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "webhooks",
        sa.Column(
            "publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("former_secret", sa.String(), nullable=True),
        sa.Column("former_until", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("told_transaction", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("told_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("failing_since", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["outbox.id"], name=op.f("fk_webhooks_message_id")),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_webhooks_publisher_id")),
        sa.PrimaryKeyConstraint("publisher_id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "announced_domains",
        sa.Column(
            "school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("old_domain", sa.String(), nullable=False),
        sa.Column("new_domain", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_announced_domains_school_id")),
        sa.PrimaryKeyConstraint("school_id", "old_domain", name=op.f("pk_announced_domains")),
    )
    op.create_table(
        "applications",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("lika_code", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("method_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("icon", sa.String(), nullable=True),
        sa.Column("icon_url", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["lika_code"], ["lika_codes.code"], name=op.f("fk_applications_lika_code")),
        sa.ForeignKeyConstraint(["method_id"], ["applications.id"], name=op.f("fk_applications_method_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
        sa.UniqueConstraint("lika_code", "kind", "key", name=op.f("uq_applications_lika_code_kind_key")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("applications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_applications_method_id"), ["method_id"], unique=False)

    op.create_table(
        "feed",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("transaction", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("rekeyed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("made_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_feed_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feed_made_at"), ["made_at"], unique=False)
        batch_op.create_index("ix_feed_order", ["transaction", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_feed_school_id"), ["school_id"], unique=False)

    op.create_table(
        "former_codes",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_former_codes_school_id")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_former_codes")),
    )
    with op.batch_alter_table("former_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_former_codes_school_id"), ["school_id"], unique=False)

    op.create_table(
        "permission_requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("closed_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("closed_how", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_permission_requests_publisher_id")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_permission_requests_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permission_requests")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("permission_requests", schema=None) as batch_op:
        batch_op.create_index(
            "ix_permission_requests_one_open",
            ["school_id", "publisher_id"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_permission_requests_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "school_ends",
        sa.Column(
            "school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("into_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ended_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["into_id"], ["schools.id"], name=op.f("fk_school_ends_into_id")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_school_ends_school_id")),
        sa.PrimaryKeyConstraint("school_id", name=op.f("pk_school_ends")),
    )
    with op.batch_alter_table("school_ends", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_school_ends_into_id"), ["into_id"], unique=False)

    op.create_table(
        "licences",
        sa.Column(
            "application_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_licences_application_id")),
        sa.PrimaryKeyConstraint("application_id", "person_id", name=op.f("pk_licences")),
    )
    with op.batch_alter_table("licences", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_licences_person_id"), ["person_id"], unique=False)

    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("content_hash", sa.String(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("packed", sa.LargeBinary(), nullable=True))

    with op.batch_alter_table("permissions", schema=None, table_kwargs=NUMBERS_GO_ON) as batch_op:
        batch_op.add_column(
            sa.Column("withdrawn_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.drop_index(batch_op.f("ix_permissions_granted_on"))
        batch_op.drop_index(batch_op.f("ix_permissions_publisher_id"))
        batch_op.drop_index(batch_op.f("ix_permissions_withdrawn_on"))
        batch_op.create_index("ix_permissions_granted", ["publisher_id", "granted_on"], unique=False)
        batch_op.create_index("ix_permissions_withdrawn", ["publisher_id", "withdrawn_on"], unique=False)

    with op.batch_alter_table("publishers", schema=None, table_kwargs=NUMBERS_GO_ON) as batch_op:
        batch_op.add_column(sa.Column("requests_per_minute", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("portal_name", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("portal_url", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("helpdesk_email", sa.String(), nullable=True))

    with op.batch_alter_table("schools", schema=None, table_kwargs=NUMBERS_GO_ON) as batch_op:
        batch_op.add_column(sa.Column("teachers_readable", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("street", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("house_number", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("house_number_addition", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("postal_code", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("town", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("phone_area", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("phone_subscriber", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("email", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("board_code", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("school_key", sa.String(), nullable=True))
        batch_op.add_column(
            sa.Column("sandbox_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.create_foreign_key(batch_op.f("fk_schools_sandbox_of"), "publishers", ["sandbox_of"], ["id"])
