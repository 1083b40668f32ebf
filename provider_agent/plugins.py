"""Loads the functions that an operator has put in place of ours: `policy` and `pricing`, as `module:function`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from moorage.settings_file import SettingsError
from provider_agent.core.admission import AdmissionPolicy
from provider_agent.core.pricing import Pricing, price_per_block
from provider_agent.settings import Settings

_FORM = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
MAX_REASON_CHARACTERS = 200


def load_policy(settings: Settings) -> AdmissionPolicy | None:
    """Return the operator's admission policy, None if the settings name none.

    Raises:
        SettingsError: it can't be loaded; the message says why.
    """
    if settings.policy is None:
        return None
    return cast(AdmissionPolicy, _load(settings, "policy", settings.policy, (None, None, ())))


def load_pricing(settings: Settings) -> Pricing:
    """Return the operator's pricing function, ours if the settings name none.

    Raises:
        SettingsError: it can't be loaded; the message says why.
    """
    if settings.pricing is None:
        return price_per_block
    return cast(Pricing, _load(settings, "pricing", settings.pricing, (None, None)))


def _load(settings: Settings, key: str, written: str, arguments: tuple[object, ...]) -> Callable[..., Any]:
    where = f"{settings.file}: {key}"
    if not _FORM.fullmatch(written):
        raise SettingsError(f"{where}: {written!r} has to be of the form module:function")
    module_name, _, name = written.partition(":")
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:  # the operator's own code runs here
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON_CHARACTERS]
        raise SettingsError(
            f"{where}: module {module_name} can't be imported: {reason}: it has to be on PYTHONPATH or installed"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise SettingsError(f"{where}: module {module_name} has no function {name}")
    if inspect.iscoroutinefunction(function):
        raise SettingsError(f"{where}: {written} may not be async: a decision waits for nothing")
    _check_arguments(f"{where}: {written}", function, arguments)
    return cast(Callable[..., Any], function)


def _check_arguments(where: str, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # one of those that don't tell; what it raises later declines an order
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise SettingsError(f"{where} has to take {len(arguments)} arguments: {error}") from error
