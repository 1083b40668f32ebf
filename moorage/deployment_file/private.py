"""Reads secrets and passwords from where a deployment file says that they are: a file, or a variable, of this machine.

No value is ever shown, not even one that is wrong. Files are found as those that are included: what an included file
names stays below the directory of the deployment file, whose own text alone may give an absolute path.
"""

from __future__ import annotations

import os
import re
from pathlib import Path as FilePath

from moorage.deployment_file.document import Path
from moorage.deployment_file.local_files import read_bytes
from moorage.deployment_file.problems import quoted
from moorage.deployment_file.reader import Reader
from moorage.workload_secrets import MAX_SECRET_CHARACTERS, PASSWORD_PATTERN, Credentials, Secret

MAX_BYTES = 4 * MAX_SECRET_CHARACTERS


def read_secrets(reader: Reader, path: Path) -> dict[str, Secret]:
    """Return the secrets of a service by the names of their files."""
    values = {name: read_private(reader, (*path, name)) for name in reader.map(*path)}
    return {name: Secret(value=value) for name, value in values.items() if value is not None}


def read_credentials(reader: Reader, path: Path) -> Credentials | None:
    """Return what a service's image is pulled with, None if there is nothing or it is wrong, which is noted."""
    if not reader.map(*path):
        return None
    password = read_private(reader, (*path, "password"))
    if reader.get(*path, "user") is None or password is None:
        return None
    password = password.removesuffix("\n").removesuffix("\r")  # an editor's, not the registry's
    if not re.search(PASSWORD_PATTERN, password):
        reader.refuse((*path, "password"), "the password has to be 1 to 4096 printable characters without spaces")
        return None
    return Credentials(user=reader.document.text((*path, "user")), password=password)


def read_private(reader: Reader, path: Path) -> str | None:
    """Return what is where `{file: path}` or `{env: VARIABLE}` says; None if nothing is or can be, which is noted."""
    written = reader.map(*path)
    variable, file = written.get("env"), written.get("file")
    if len(written) != 1:
        return None  # reported already
    if reader.document.value_position((*path, *written)).source.is_remote:
        reader.refuse((*path, *written), "a remote file can't name what is on this machine; name it in a file of yours")
        return None
    if variable is not None:
        value = _variable(reader, (*path, "env"), variable)
    else:
        value = _content(reader, (*path, "file"), file) if file is not None else None
    if value is not None and len(value) > MAX_SECRET_CHARACTERS:
        reader.refuse(path, f"this has more than {MAX_SECRET_CHARACTERS} characters")
        return None
    return value


def _variable(reader: Reader, path: Path, name: str) -> str | None:
    value = os.environ.get(name)
    if value is None:
        _lack(reader, path, f"the environment has no variable {quoted(name)}")
    elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        reader.refuse(path, f"the variable {quoted(name)} is not UTF-8")
        return None
    return value


def _content(reader: Reader, path: Path, name: str) -> str | None:
    try:
        return read_bytes(_found(reader, path, name), MAX_BYTES, is_resolved=True).decode("utf-8")
    except FileNotFoundError as error:
        _lack(reader, path, f"the file {quoted(name)} can't be read: {error.strerror}")
        return None
    except UnicodeDecodeError:
        reason = "it is not UTF-8"  # the exception quotes the content
    except OSError as error:
        reason = error.strerror or "it is no file"
    except (ValueError, RuntimeError) as error:
        reason = str(error)
    reader.refuse(path, f"the file {quoted(name)} can't be read: {reason}")
    return None


def _lack(reader: Reader, path: Path, message: str) -> None:
    """Note that a secret is not on this machine: wrong only where it is going to be delivered."""
    if reader.are_secrets_needed:
        reader.refuse(path, message)
    else:
        reader.warn(path, f"{message}; whoever deploys this needs it")


def _found(reader: Reader, path: Path, name: str) -> FilePath:
    """Return a file as the file sees it that names it, with all links resolved.

    Raises:
        ValueError: it may not name it.
    """
    naming = reader.document.value_position(path).source
    if FilePath(name).is_absolute():
        if FilePath(naming.name) == reader.file:
            return FilePath(name).resolve()
        raise ValueError("it has an absolute path; only the deployment file itself can give one")
    found = (naming.directory / name).resolve()
    if not found.is_relative_to(reader.file.resolve().parent):
        raise ValueError("it is not below the directory of the deployment file; give its absolute path there")
    return found
