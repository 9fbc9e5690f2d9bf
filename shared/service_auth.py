"""Which program is calling? Bearer keys: stored as a hash, compared in constant time, shown once."""

import hashlib
import secrets

from fastapi import Request

from shared.problems import CallerUnknown

PREFIX = "schakel_"


def new_key() -> str:
    """A fresh bearer key of 256 bits; hand it out once and keep only `hash_key` of it."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """What is stored of a key. A plain SHA-256 is enough, because the key is random and long."""
    return hashlib.sha256(key.encode()).hexdigest()


def bearer_hash(request: Request) -> str:
    """The hash of the bearer key of this request; look it up by equality. Raises CallerUnknown when there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip() or len(key) > 200:
        raise CallerUnknown(headers={"WWW-Authenticate": "Bearer"})
    return hash_key(key.strip())
