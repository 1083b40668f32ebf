"""Follows deployments and has their recipients told: the only loop of `moorage notify watch`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli.core.story import Line
from cli.core.view import full
from cli.followed import Followed, Rules, Surroundings
from cli.notification_journal import Held, NotificationJournal
from cli.recipients import Recipient
from moorage.chain.rpc import ChainError
from moorage.types import DeploymentId

RETRY_SECONDS = 2.0


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
            recipients: reads them from a file; none if the file can't be used, which it tells.
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
        self._block_number = 0

    async def run(self, *, is_once: bool, ends: bool) -> None:
        """Go on until cancelled.

        Args:
            is_once: look and send once.
            ends: end when everything that was chosen is closed and told.

        Raises:
            NodeUnavailable: the node does not answer, and it is the only look.
            Failure: a journal can't be written.
        """
        try:
            while True:
                has_looked = await self._look_patiently(is_once)
                for followed in self._followed.values():
                    self._here.courier.start(followed.journal, followed.recipients)
                if is_once:
                    return await self._here.courier.settle()
                if has_looked:
                    self._drop_ended()
                if ends and self._ended and not self._followed:
                    return None
                await asyncio.sleep(self._poll_seconds if has_looked else max(self._poll_seconds, RETRY_SECONDS))
        finally:
            await self._here.courier.close()
            for followed in self._followed.values():
                followed.close()

    async def _look_patiently(self, is_once: bool) -> bool:
        try:
            await self._look()
        except ChainError as error:
            if is_once:
                raise
            self._tell_once(Line(self._block_number, "node", f"{error}; waiting"))
            return False
        return True

    async def _look(self) -> None:
        number = await self._here.views.block_number()
        is_new, self._block_number = number != self._block_number, number
        if is_new:
            self._take_up()
        for followed in self._followed.values():
            await followed.look(number)

    def _take_up(self) -> None:
        """Follow what is new."""
        for deployment, file in self._choose().items():
            if deployment not in self._followed and deployment not in self._ended:
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
        journal.begin(file)
        self._followed[deployment] = Followed(deployment, journal, recipients, self._rules, self._here)
        names = ", ".join(f"{each.name} ({each.shown})" for each in recipients)
        text = f"deployment {full(deployment)}: {names}"
        self._here.tell(Line(self._block_number, "following", text, {"deployment": full(deployment)}))
        return None

    def _drop_ended(self) -> None:
        for deployment, followed in list(self._followed.items()):
            if followed.is_settled:
                text = f"deployment {full(deployment)} is closed, and everybody was told"
                self._here.tell(Line(self._block_number, "ended", text, {"deployment": full(deployment)}))
                followed.close()
                del self._followed[deployment]
                self._ended.add(deployment)

    def _tell_once(self, line: Line) -> None:
        if line.text not in self._told:
            self._told.add(line.text)
            self._here.tell(line)


def journal_path(directory: Path, deployment: DeploymentId) -> Path:
    """Return where a deployment's journal is."""
    return directory / f"{deployment.hex()}.sqlite"


def unfinished(directory: Path) -> dict[DeploymentId, Path]:
    """Return the deployments of which there is a journal that is not at its end, with their files."""
    found = {}
    for path in sorted(directory.glob("*.sqlite")):
        journal = NotificationJournal(path, is_shared=True)
        if not journal.is_over and journal.file is not None:
            found[DeploymentId(bytes.fromhex(path.stem))] = journal.file
        journal.close()
    return found
