"""Takes numbers to factor, and shows what came out: a page puts jobs into a queue in redis, workers of rq do them.

`jobs:app` is the page (gunicorn); a worker is `rq worker`, which imports this module for what it has to do.
"""

from __future__ import annotations

import os
import socket
from typing import Any

import redis
from flask import Flask, jsonify, request
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from werkzeug.wrappers import Response

KEPT_SECONDS = 3600
LARGEST = 10**15
SHOWN = 20
RECENT = "recent-jobs"

app = Flask(__name__)
server = redis.Redis(host=os.environ.get("QUEUE_HOST", "queue"), socket_connect_timeout=2, socket_timeout=5)
queue = Queue(connection=server)


def factors(number: int) -> dict[str, Any]:
    """Return the prime factors of a number, and which worker has found them. This is what workers do."""
    left, divisor, found = number, 2, []
    while divisor * divisor <= left:
        while left % divisor == 0:
            found.append(divisor)
            left //= divisor
        divisor += 1
    return {"number": number, "factors": [*found, left] if left > 1 else found, "worker": socket.gethostname()}


@app.post("/jobs")
def put() -> tuple[Response, int]:
    number = request.get_json(force=True, silent=True)
    if not isinstance(number, int) or not 1 < number <= LARGEST:
        return jsonify(error=f"the body has to be a whole number from 2 to {LARGEST}"), 400
    job = queue.enqueue("jobs.factors", number, result_ttl=KEPT_SECONDS)
    server.lpush(RECENT, job.id)
    server.ltrim(RECENT, 0, SHOWN - 1)
    return jsonify(shown(job)), 202


@app.get("/jobs/<identifier>")
def show(identifier: str) -> Response | tuple[Response, int]:
    try:
        return jsonify(shown(Job.fetch(identifier, connection=server)))
    except NoSuchJobError:
        return jsonify(error="no such job"), 404


@app.get("/")
def index() -> Response:
    recent = [identifier.decode() for identifier in server.lrange(RECENT, 0, SHOWN - 1)]
    found = Job.fetch_many(recent, connection=server)
    return jsonify(waiting=len(queue), recent=[shown(job) for job in found if job is not None])


def shown(job: Job) -> dict[str, Any]:
    """Return what everybody may know of a job."""
    return {"id": job.id, "state": job.get_status(refresh=False).value, "result": job.return_value()}


@app.errorhandler(redis.RedisError)
def queue_unreachable(error: redis.RedisError) -> tuple[Response, int]:
    return jsonify(error=f"queue unreachable: {type(error).__name__}"), 503
