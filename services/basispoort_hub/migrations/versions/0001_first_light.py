"""first light"""

import sqlalchemy as sa
from alembic import op

import shared.database

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("closed_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("kept_password_hash", sa.String(), nullable=True),
        sa.Column("kept_for_person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "administration_keys",
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("administration", sa.String(), nullable=False),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_administration_keys")),
    )
    with op.batch_alter_table("administration_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_administration_keys_administration"), ["administration"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("due_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("sent_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("failed_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_due_at"), ["due_at"], unique=False)

    op.create_table(
        "publishers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publishers")),
        sa.UniqueConstraint("code", name=op.f("uq_publishers_code")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "schools",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("administration", sa.String(), nullable=True),
        sa.Column("connection_on", sa.Boolean(), nullable=False),
        sa.Column("administration_on", sa.Boolean(), nullable=False),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("received_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("first_received_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("heard_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("silence_told_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("drift_found_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("mutated_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schools")),
        sa.UniqueConstraint("code", name=op.f("uq_schools_code")),
        sa.UniqueConstraint("ref", name=op.f("uq_schools_ref")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "sign_in_attempts",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_attempts")),
    )
    op.create_table(
        "answers",
        sa.Column(
            "school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("mutated_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_answers_school_id")),
        sa.PrimaryKeyConstraint("school_id", "part", name=op.f("pk_answers")),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("opened_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("reminded_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("kept_until", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("closed_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("closed_how", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_holds_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_holds_school_id"), ["school_id"], unique=False)

    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("spent_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("void_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_links_account_id")),
        sa.ForeignKeyConstraint(["message_id"], ["outbox.id"], name=op.f("fk_links_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.create_index(
            "ix_links_one_live",
            ["account_id", "purpose"],
            unique=True,
            sqlite_where=sa.text("spent_at IS NULL AND void_at IS NULL"),
            postgresql_where=sa.text("spent_at IS NULL AND void_at IS NULL"),
        )

    op.create_table(
        "people",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("key_hash", sa.String(), nullable=True),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("left_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_people_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("school_id", "kind", "key", name=op.f("uq_people_school_id_kind_key")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_people_school_id"), ["school_id"], unique=False)

    op.create_table(
        "permissions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("granted_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("granted_on", sa.Date(), nullable=False),
        sa.Column("granted_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("withdrawn_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_permissions_publisher_id")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_permissions_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permissions")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("permissions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_permissions_granted_on"), ["granted_on"], unique=False)
        batch_op.create_index(
            "ix_permissions_one_open",
            ["school_id", "publisher_id"],
            unique=True,
            sqlite_where=sa.text("withdrawn_at IS NULL"),
            postgresql_where=sa.text("withdrawn_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_permissions_publisher_id"), ["publisher_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_permissions_withdrawn_on"), ["withdrawn_on"], unique=False)

    op.create_table(
        "publisher_keys",
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("publisher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", shared.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["publisher_id"], ["publishers.id"], name=op.f("fk_publisher_keys_publisher_id")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_publisher_keys")),
    )
    with op.batch_alter_table("publisher_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publisher_keys_publisher_id"), ["publisher_id"], unique=False)

    op.create_table(
        "roster_entries",
        sa.Column(
            "school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("layer", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_roster_entries_school_id")),
        sa.PrimaryKeyConstraint("school_id", "layer", "kind", "key", name=op.f("pk_roster_entries")),
    )
    op.create_table(
        "appointments",
        sa.Column(
            "person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_appointments_account_id")),
        sa.ForeignKeyConstraint(["message_id"], ["outbox.id"], name=op.f("fk_appointments_message_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_appointments_person_id")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_appointments_school_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_appointments")),
    )
    with op.batch_alter_table("appointments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_appointments_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_appointments_school_id"), ["school_id"], unique=False)

    op.create_table(
        "coordinators",
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "school_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("appointed_at", shared.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("appointed_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_coordinators_account_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_coordinators_person_id")),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_coordinators_school_id")),
        sa.PrimaryKeyConstraint("account_id", "school_id", name=op.f("pk_coordinators")),
    )
    op.create_table(
        "held_people",
        sa.Column("hold_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("newcomer", sa.Boolean(), nullable=False),
        sa.Column("matches", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name=op.f("fk_held_people_hold_id")),
        sa.PrimaryKeyConstraint("hold_id", "key", "newcomer", name=op.f("pk_held_people")),
    )


def downgrade() -> None:
    op.drop_table("held_people")
    op.drop_table("coordinators")
    with op.batch_alter_table("appointments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_appointments_school_id"))
        batch_op.drop_index(batch_op.f("ix_appointments_account_id"))

    op.drop_table("appointments")
    op.drop_table("roster_entries")
    with op.batch_alter_table("publisher_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_publisher_keys_publisher_id"))

    op.drop_table("publisher_keys")
    with op.batch_alter_table("permissions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_permissions_withdrawn_on"))
        batch_op.drop_index(batch_op.f("ix_permissions_publisher_id"))
        batch_op.drop_index(
            "ix_permissions_one_open",
            sqlite_where=sa.text("withdrawn_at IS NULL"),
            postgresql_where=sa.text("withdrawn_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_permissions_granted_on"))

    op.drop_table("permissions")
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_people_school_id"))

    op.drop_table("people")
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_links_one_live",
            sqlite_where=sa.text("spent_at IS NULL AND void_at IS NULL"),
            postgresql_where=sa.text("spent_at IS NULL AND void_at IS NULL"),
        )

    op.drop_table("links")
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_holds_school_id"))

    op.drop_table("holds")
    op.drop_table("answers")
    op.drop_table("sign_in_attempts")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_user_id"))

    op.drop_table("sessions")
    op.drop_table("schools")
    op.drop_table("publishers")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_due_at"))

    op.drop_table("outbox")
    with op.batch_alter_table("administration_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_administration_keys_administration"))

    op.drop_table("administration_keys")
    op.drop_table("accounts")
