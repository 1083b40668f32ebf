"""Keeps pages in a database that all regions share, and in the cache of its own region what was read there lately.

Every answer says which region has given it, and whether the page came from the cache or the database. Neither of the
two has to be there for the program to start, or to go on: what needs the database answers 503 until it is back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pg8000.dbapi
import redis
from flask import Flask, jsonify, request
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.wrappers import Response

UNREACHABLE = (pg8000.dbapi.Error, OSError)
REGION = os.environ.get("MOORAGE_DATACENTER", "nowhere")
PROVIDER = os.environ.get("MOORAGE_PROVIDER", "none")
LEASE = os.environ.get("MOORAGE_LEASE", "none")[:8]
PASSWORD = Path("/run/secrets/database-password")
KEPT_SECONDS = 30
"""How old a page from the cache can be: other regions write, too."""
MAX_TEXT = 10_000
TABLE = """
CREATE TABLE IF NOT EXISTS pages (
    name text PRIMARY KEY, text text NOT NULL, written_in text NOT NULL, written_at timestamptz NOT NULL DEFAULT now()
)
"""
WRITE = """
INSERT INTO pages (name, text, written_in) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET text = EXCLUDED.text, written_in = EXCLUDED.written_in, written_at = now()
"""

app = Flask(__name__)
cache = redis.Redis(
    host=os.environ.get("CACHE_HOST", "cache"),
    socket_connect_timeout=1,
    socket_timeout=1,
    retry=Retry(NoBackoff(), retries=0),
    decode_responses=True,
)


@contextmanager
def database() -> Iterator[Any]:
    """Open a connection for one request, with the table in place; what was done in it is committed in the end."""
    connection = pg8000.dbapi.connect(
        user="pages",
        password=PASSWORD.read_text(),
        host=os.environ.get("DATABASE_HOST", "db"),
        database="postgres",
        timeout=5,
    )
    try:
        cursor = connection.cursor()
        make_table(cursor)
        yield cursor
        connection.commit()
    finally:
        connection.close()


def make_table(cursor: Any) -> None:
    cursor.execute("SELECT to_regclass('pages')")
    if cursor.fetchone()[0] is None:
        cursor.execute("SELECT pg_advisory_xact_lock(1)")  # two that create a table at once are an error in one of them
        cursor.execute(TABLE)


@app.get("/")
def index() -> Response:
    with database() as cursor:
        cursor.execute("SELECT name, written_in FROM pages ORDER BY name")
        return answer(pages=dict(cursor.fetchall()))


@app.put("/pages/<name>")
def write(name: str) -> Response:
    text = request.get_data(as_text=True)[:MAX_TEXT]
    with database() as cursor:
        cursor.execute(WRITE, (name, text, REGION))
    forget(name)
    return answer(page=name, text=text, written_in=REGION)


@app.get("/pages/<name>")
def read(name: str) -> Response | tuple[Response, int]:
    if (cached := remembered(name)) is not None:
        return answer(**cached, came_from="cache")
    with database() as cursor:
        cursor.execute("SELECT text, written_in FROM pages WHERE name = %s", (name,))
        row = cursor.fetchone()
    if row is None:
        return answer(page=name, error="no such page"), 404
    page = {"page": name, "text": row[0], "written_in": row[1]}
    remember(name, page)
    return answer(**page, came_from="database")


@app.get("/here")
def here() -> Response:
    return answer()


@app.get("/healthz")
def healthz() -> Response | tuple[Response, int]:
    states = {"database": "ok", "cache": "ok"}
    try:
        with database():
            pass
    except UNREACHABLE as error:
        states["database"] = f"unreachable: {type(error).__name__}"
    try:
        cache.ping()
    except redis.RedisError as error:
        states["cache"] = f"unreachable: {type(error).__name__}"
    return answer(**states), 200 if states["database"] == "ok" else 503


def remembered(name: str) -> dict[str, str] | None:
    """Return a page from the cache; a cache that is away is one without it."""
    try:
        found = cache.get(f"page:{name}")
    except redis.RedisError:
        return None
    return None if found is None else json.loads(found)


def remember(name: str, page: dict[str, str]) -> None:
    try:
        cache.set(f"page:{name}", json.dumps(page), ex=KEPT_SECONDS)
    except redis.RedisError:
        app.logger.warning("not cached: %s", name)


def forget(name: str) -> None:
    try:
        cache.delete(f"page:{name}")
    except redis.RedisError:
        app.logger.warning("not forgotten in %s: %s", REGION, name)


def answer(**fields: object) -> Response:
    response = jsonify(answered_by=REGION, provider=PROVIDER, lease=LEASE, **fields)
    response.headers["X-Region"] = REGION
    return response


@app.errorhandler(pg8000.dbapi.Error)
@app.errorhandler(OSError)
def database_unreachable(error: Exception) -> tuple[Response, int]:
    return answer(error=f"database unreachable: {type(error).__name__}"), 503
