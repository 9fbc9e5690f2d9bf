"""Runs the revisions of the hub's database."""

from services.basispoort_hub.tables import Base
from shared.migrate import run_env

run_env(Base.metadata)
