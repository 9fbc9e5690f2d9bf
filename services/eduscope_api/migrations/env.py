"""Runs the revisions of EDUscope's database."""

from services.eduscope_api.tables import Base
from shared.migrate import run_env

run_env(Base.metadata)
