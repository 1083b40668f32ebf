"""Named places at which a test can kill a program, to prove that it picks up where it was.

Every place is declared here. A process dies by SIGKILL where MOORAGE_CRASH_AT says; a test that has daemons in its own
process installs a hook that raises Crashed there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CRASH_POINTS = {
    # the facilitator's cycle
    "facilitator-snapshot": "the market is read",
    "facilitator-looked": "it is known what became of what was sent",
    # the agent's cycle
    "agent-snapshot": "the market is read",
    "agent-looked": "it is known what became of what was sent",
    "agent-confirmed": "confirmations are on their way, and nothing else yet",
    "before-ConfirmLeases": "confirmations are due",
    "after-ConfirmLeases": "they are on their way, or refused",
    "before-SubmitFulfillment": "a bid is decided",
    "after-SubmitFulfillment": "it is on its way, or refused",
    "before-ConfirmClosed": "nothing is left of a lease that is closing",
    "after-ConfirmClosed": "its end is on its way, or refused",
    "before-ClaimLeases": "there is enough to be claimed",
    "after-ClaimLeases": "the claim is on its way, or refused",
    "before-ReleaseFulfillment": "a bid is lost",
    "after-ReleaseFulfillment": "its release is on its way, or refused",
    # the outbox
    "outbox-simulated": "what is to be sent was tried",
    "outbox-signed": "it is signed, and nobody knows of it yet",
    "outbox-journaled": "the journal has it, and no node",
    "outbox-sent": "nodes have it, or maybe not",
    "outbox-replaced": "replacements are in the journal, and no node has them",
    "outbox-included": "it is in a block, and the journal does not say so yet",
    # the agent, around the engine and the disk
    "before-workloads": "it is known what has to run",
    "after-workloads": "the engine has been brought there",
    "before-CreateNetwork": "the engine lacks a network",
    "after-CreateNetwork": "it has it",
    "before-StartWorkload": "a container has to be started",
    "after-StartWorkload": "it runs",
    "before-ReconnectWorkload": "a container is on other networks than it should be",
    "after-ReconnectWorkload": "it is on the right ones",
    "before-StopContainer": "a container is to stop",
    "after-StopContainer": "it is still",
    "before-RemoveContainer": "a container is to go",
    "after-RemoveContainer": "it is gone",
    "before-RemoveNetwork": "a network is to go",
    "after-RemoveNetwork": "it is gone",
    "before-RemoveVolume": "a volume is to go",
    "after-RemoveVolume": "it is gone",
    "gateway-closed": "a gateway takes nothing new that is not allowed any more, and its files are the old ones",
    "gateway-written": "they are the new ones, and it does not know",
    "gateway-reloaded": "it runs with them, and connections that are not allowed any more may go on",
    "gateway-tuned": "they do not",
    "before-storing-manifest": "a manifest has come whole, and is good",
    "after-storing-manifest": "it is on the disk",
    "before-forgetting-manifest": "nothing of an ended lease is on the engine",
    "after-forgetting-manifest": "its manifest is deleted",
    # the agent, around the other agents of a deployment
    "overlay-answered": "a peer has said something new about its workloads",
    "overlay-kept": "it is on the disk, and the gateway does not have it yet",
    # the registration
    "before-register_provider": "the root certificate is stored",
    "after-register_provider": "the registry has the provider",
    "before-add_root": "another root is stored, and not on chain",
    "after-old_root": "the root that counts is kept beside, and none is in its place",
    "after-new_root": "the new root is in its place, and issues nothing yet",
    "after-add_root": "the registry has the other root, or had it",
    "after-remove_root": "the registry has the old root no more",
    "after-deposit": "the collateral is paid in, and the registration is not written yet",
    # the tenant's program
    "before-recording": "it is agreed to, and nothing is written down",
    "after-recording": "the manifest is on the disk, and nothing is sent",
    "after-paying-in": "the account has what is needed",
    "after-submitting": "the deployment or its update is in a block",
    "before-delivering": "an agent lacks the manifest",
    "after-delivering": "it has it, or has refused it",
    "while-watching": "the deployment was looked at",
}
"""Where a program can be killed, and what is so there."""

_hooks: list[Callable[[str], None]] = []


class Crashed(BaseException):
    """A daemon in a test's own process dies here; nothing of it may go on, so nothing but the test catches it."""


def crash_point(name: str) -> None:
    """Kill this process with SIGKILL if MOORAGE_CRASH_AT names this place; do nothing otherwise."""
    if os.environ.get("MOORAGE_CRASH_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
    for hook in _hooks:
        hook(name)


@contextmanager
def crash_hook(hook: Callable[[str], None]) -> Iterator[None]:
    """Have a function called with the name of each place that is passed, until the end of the block.

    Args:
        hook: may raise Crashed.
    """
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)
