"""Why there is no connection, in words: what the HTTP library says names the address, which is known or secret."""

from __future__ import annotations

import os
import socket
import ssl

import aiohttp

NOT_IN_TIME = "not in time"


def why_unreachable(error: Exception) -> str:
    """Return why nobody has answered, without the address and the library's inner objects.

    Args:
        error: an aiohttp.ClientError, an OSError, or what was raised in their place.
    """
    match error:
        case aiohttp.ClientConnectorError():
            return _of_system(error.os_error)
        case TimeoutError():
            return NOT_IN_TIME
        case aiohttp.ServerDisconnectedError():
            return "it has hung up"
        case OSError():
            return _of_system(error)
        case _:
            return str(error) or type(error).__name__


def _of_system(error: Exception) -> str:
    """Return the system's own words; asyncio's name the address once more."""
    match error:
        case ssl.SSLCertVerificationError() if error.verify_message:
            return f"its certificate is not valid: {error.verify_message}"
        case TimeoutError():
            return NOT_IN_TIME
        case OSError() if error.errno is not None and not isinstance(error, ssl.SSLError | socket.gaierror):
            return os.strerror(error.errno)
        case OSError():
            return error.strerror or str(error) or type(error).__name__
        case _:
            return str(error) or type(error).__name__
