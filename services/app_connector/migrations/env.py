"""Runs the portal's revisions on the connection that shared.migrate opened."""

from services.app_connector.tables import Base
from shared.migrate import run_env

run_env(Base.metadata)
