"""Follows deployments and has their recipients told: the only loop of `moorage notify watch`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.core.story import Line
from cli.core.view import full
from cli.failures import Failure, explain
from cli.followed import Followed, Rules, Surroundings
from cli.notification_journal import Held, NotificationJournal, looked_at
from cli.recipients import Recipient
from moorage.chain.rpc import ChainError
from moorage.types import DeploymentId

RETRY_SECONDS = 2.0
JOURNALS = "[0-9a-f]" * 64 + ".sqlite"
"""Names of journals; what else lies beside them is no business of ours."""


class Notifier:
    """Follows all deployments that it is told to follow."""

    def __init__(
        self,
        choose: Callable[[], Mapping[DeploymentId, Path]],
        directory: Path,
        recipients: Callable[[Path], Sequence[Recipient]],
        rules: Rules,
        surroundings: Surroundings,
        poll_seconds: float,
    ) -> None:
        """
        Args:
            choose: names the deployments to follow and the file that names their recipients, anew at each block.
            directory: of the journals.
            recipients: reads them from a file, as they are now; none if it can't be used at first, which it tells.
        """
        self._choose = choose
        self._directory = directory
        self._recipients = recipients
        self._rules = rules
        self._here = surroundings
        self._poll_seconds = poll_seconds
        self._followed: dict[DeploymentId, Followed] = {}
        self._ended: set[DeploymentId] = set()
        self._told: set[str] = set()
        self._troubles: dict[Hashable, str] = {}
        """What does not go well now, as it was told."""
        self._block_number = 0

    async def run(self, *, is_once: bool, ends: bool) -> None:
        """Go on until cancelled, whatever fails.

        Args:
            is_once: look and send once.
            ends: end when everything that was chosen is closed and told.

        Raises:
            ChainError: the node does not answer, and it is the only look.
            Failure: a journal can't be read or written, and it is the only look.
            BrokenPipeError: nobody reads what is told any more.
        """
        try:
            while True:
                problems = [*await self._look(), *self._start()]
                if is_once:
                    await self._here.courier.settle()
                    for problem in problems:
                        raise problem
                    return None
                self._drop_ended()
                if ends and self._ended and not self._followed:
                    return None
                await asyncio.sleep(max(self._poll_seconds, RETRY_SECONDS) if problems else self._poll_seconds)
        finally:
            await self._here.courier.close()
            for followed in self._followed.values():
                followed.close()

    async def _look(self) -> list[Exception]:
        """Look at everything, and return what has failed: it keeps nothing else from being looked at."""
        problems: list[Exception] = []
        with self._trying("node", problems):
            number = await self._here.views.block_number()
        if problems:
            return problems
        is_new, self._block_number = number != self._block_number, number
        if is_new:
            self._take_up(problems)
        for deployment, followed in self._followed.items():
            with self._trying(deployment, problems):
                await followed.look(number)
        return problems

    def _start(self) -> list[Exception]:
        """Have sent what is due, and return what has failed."""
        problems: list[Exception] = []
        for deployment, followed in self._followed.items():
            with self._trying(("sending", deployment), problems):
                self._here.courier.start(followed.journal, followed.recipients)
        return problems

    def _take_up(self, problems: list[Exception]) -> None:
        """Follow what is new, and tell who is named now."""
        chosen: Mapping[DeploymentId, Path] = {}
        with self._trying("choice", problems):
            chosen = self._choose()
        for deployment, file in chosen.items():
            with self._trying(("file", deployment), problems):
                if deployment in self._followed:
                    self._followed[deployment].take(self._recipients(file))
                elif deployment not in self._ended:
                    self._open(deployment, file)

    def _open(self, deployment: DeploymentId, file: Path) -> None:
        recipients = self._recipients(file)
        if not recipients:
            return
        try:
            journal = NotificationJournal(journal_path(self._directory, deployment))
        except Held as error:
            text = f"another program ({error}) notifies of deployment {full(deployment)}; waiting for it to end"
            return self._tell_once(Line(self._block_number, "held", text, {"deployment": full(deployment)}))
        try:
            journal.begin(file)
            self._followed[deployment] = Followed(deployment, journal, recipients, self._rules, self._here)
        except BaseException:
            journal.close()
            raise
        names = ", ".join(f"{each.entry} ({each.shown})" for each in recipients)
        text = f"deployment {full(deployment)}: {names}"
        self._here.tell(Line(self._block_number, "following", text, {"deployment": full(deployment)}))
        return None

    def _drop_ended(self) -> None:
        for deployment, followed in list(self._followed.items()):
            with self._trying(("ending", deployment), []):
                if deployment not in self._troubles and followed.is_settled:
                    self._drop(deployment, followed)

    def _drop(self, deployment: DeploymentId, followed: Followed) -> None:
        followed.settle()
        text = f"deployment {full(deployment)} is closed, and everybody was told"
        self._here.tell(Line(self._block_number, "ended", text, {"deployment": full(deployment)}))
        followed.close()
        del self._followed[deployment]
        self._ended.add(deployment)

    @contextmanager
    def _trying(self, what: Hashable, problems: list[Exception]) -> Iterator[None]:
        """Go on after whatever fails, and tell it: once, until it goes well again."""
        try:
            yield
        except Exception as error:  # one deployment must not keep the others from being told
            problems.append(error)
            self._tell_trouble(what, error)
        else:
            self._troubles.pop(what, None)

    def _tell_trouble(self, what: Hashable, error: Exception) -> None:
        is_of_node = isinstance(error, ChainError)
        text = f"{error}; waiting" if is_of_node else f"{explain(error).message}; trying again"
        is_told = text in self._troubles.values()
        self._troubles[what] = text
        if not is_told:
            self._here.tell(Line(self._block_number, "node" if is_of_node else "problem", text))

    def _tell_once(self, line: Line) -> None:
        if line.text not in self._told:
            self._told.add(line.text)
            self._here.tell(line)


def journal_path(directory: Path, deployment: DeploymentId) -> Path:
    """Return where a deployment's journal is."""
    return directory / f"{deployment.hex()}.sqlite"


def unfinished(directory: Path, tell: Callable[[str], None]) -> dict[DeploymentId, Path]:
    """Return the deployments of which there is a journal that is not at its end, with their files.

    Args:
        tell: says which journals cannot be read.
    """
    found = {}
    for path in sorted(directory.glob(JOURNALS)):
        try:
            with looked_at(path) as journal:
                if journal is not None and journal.file is not None and (not journal.is_over or journal.waiting()):
                    found[DeploymentId(bytes.fromhex(path.stem))] = journal.file
        except Failure as error:
            tell(error.message)
    return found
