"""answers as they are"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # PostgreSQL would pack large values: one of these is packed already, the other is read too often for that
        op.execute("ALTER TABLE answers ALTER body SET STORAGE EXTERNAL, ALTER packed SET STORAGE EXTERNAL")
