"""Where a command that signs is at work: a wallet at a market, what was asked for, and what is remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field

from cli import wallet
from cli.environment import Environment
from cli.options import Options
from cli.outgoing import Outgoing
from cli.output import Screen, open_screen
from cli.records import Records
from cli.session import Session, open_session
from cli.signers import TenantSigner


@dataclass(frozen=True, slots=True)
class Desk:
    """One run of a command that signs."""

    environment: Environment
    options: Options
    session: Session
    signer: TenantSigner
    records: Records
    """The wallet's own, or those of the tenant that it acts for."""
    outgoing: Outgoing = field(default_factory=Outgoing)

    def confirm(self, question: str) -> None:
        """See Environment.confirm."""
        self.environment.confirm(question, is_agreed=self.options.is_agreed)

    @contextmanager
    def open_screen(self, *, is_brief: bool = False) -> Iterator[Screen]:
        """Give the screen that suits the run, see cli.output.open_screen."""
        with open_screen(self.environment, self.options.output, is_brief=is_brief) as screen:
            self.outgoing.screen = screen
            try:
                yield screen
            finally:
                self.outgoing.screen = None

    def paused(self) -> AbstractContextManager[None]:
        """Keep what is drawn away from what is shown and asked until the end of the block."""
        return nullcontext() if self.outgoing.screen is None else self.outgoing.screen.paused()


@asynccontextmanager
async def open_desk(environment: Environment, options: Options) -> AsyncIterator[Desk]:
    """Connect to the market that is asked for, with whoever signs for the tenant.

    Raises:
        NodeUnavailable: the node does not answer.
        MarketError: there is no such market on its chain.
        KeyFileError: the file of the key is no key.
        Failure: there is no wallet, or nobody has agreed to the market of the working directory.
    """
    async with (
        open_session(options) as session,
        wallet.open_signer(environment, options, session.market) as signer,
    ):
        yield desk_of(environment, options, session, signer)


def desk_of(environment: Environment, options: Options, session: Session, signer: TenantSigner) -> Desk:
    """Return the desk of a signer that is there already."""
    return Desk(
        environment, options, session, signer, Records(environment.state_directory, session.market, signer.address)
    )
