"""A guestbook: counts visits and keeps the last names in redis, and says which container and lease served the page."""

from __future__ import annotations

import os
import socket

import redis
from flask import Flask, redirect, render_template_string, request
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from werkzeug.wrappers import Response

PAGE = """<!doctype html>
<title>Guestbook</title>
<h1>Guestbook</h1>
<p>Visits: <b id="visits">{{ visits }}</b></p>
<p>Served by container <code id="container">{{ container }}</code>,
lease <code id="lease">{{ lease }}</code>, provider <code id="provider">{{ provider }}</code></p>
<form method="post" action="/sign">
<input name="name" maxlength="40" placeholder="Your name"><button>Sign</button>
</form>
<ul>{% for name in names %}<li>{{ name }}</li>{% endfor %}</ul>
"""
MAX_NAMES = 20
MAX_NAME_LENGTH = 40

app = Flask(__name__)
cache = redis.Redis(
    host=os.environ.get("CACHE_HOST", "cache"),
    port=int(os.environ.get("CACHE_PORT", "6379")),
    socket_connect_timeout=2,
    socket_timeout=2,
    retry=Retry(ConstantBackoff(0.1), retries=1),
    decode_responses=True,
)


@app.get("/")
def index() -> str:
    return render_template_string(
        PAGE,
        visits=cache.incr("visits"),
        names=cache.lrange("names", 0, MAX_NAMES - 1),
        container=socket.gethostname(),
        lease=os.environ.get("MOORAGE_LEASE", "none"),
        provider=os.environ.get("MOORAGE_PROVIDER", "none"),
    )


@app.post("/sign")
def sign() -> Response:
    name = request.form.get("name", "").strip()[:MAX_NAME_LENGTH]
    if name:
        cache.lpush("names", name)
        cache.ltrim("names", 0, MAX_NAMES - 1)
    return redirect("/", code=303)


@app.get("/healthz")
def healthz() -> tuple[dict[str, str], int]:
    try:
        cache.ping()
    except redis.RedisError as error:
        return {"status": "cache unreachable", "detail": type(error).__name__}, 503
    return {"status": "ok"}, 200


@app.errorhandler(redis.RedisError)
def cache_unreachable(error: redis.RedisError) -> tuple[str, int]:
    return f"cache unreachable: {type(error).__name__}\n", 503
