"""The life of a deployment on a market of any token, in chapters, so that a token can change between two of them."""

from __future__ import annotations

from typing import Any

from tests.stateful.evm import NO_SIGNATURE, Market, Setting, create_token, person
from tests.stateful.model import Account, DeploymentName, Group, Parameters, Provider, Resource, State, Terms
from tests.tokens.play import Play, call

TENANT, STRANGER, FACILITATOR = person("tenant"), person("stranger"), person("facilitator")
OWNERS = [person("owner"), person("second owner")]
OPERATORS = [person("operator"), person("second operator")]
FIRST, SECOND = 1, 2  # providers
PEOPLE = [TENANT, STRANGER, FACILITATOR, *OWNERS, *OPERATORS]
PROVIDERS = tuple(Provider(*keys, region=1, cap=2**90 - 1) for keys in zip(OWNERS, OPERATORS, strict=True))
PERIOD, GRACE, WAIT = 10, 6, 4


def setting_of(decimals: int = 18, providers: tuple[Provider, ...] = PROVIDERS) -> Setting:
    """Return a market in which the tenant and both owners have a hundred tokens, or a hundred units of 10^18."""
    scale = 10 ** max(18 - decimals, 0)
    parameters = Parameters(scale, PERIOD, interest_rate=10**9, tip=10**12 + 1, grace=GRACE, max_fulfillments=2)
    wallets = dict.fromkeys([TENANT, *OWNERS], 100 * 10**18 // scale)
    return Setting(f"{decimals} decimals", decimals, parameters, wallets, providers, ())


def group(*, persist: bool = False) -> Group:
    """Return what one datacenter is asked for; its charge is not a whole number of base units of most tokens."""
    unit = Resource(1, 1, 1, price=10**15 + 7, collateral=5 * 10**16, count=2)
    return Group(b"group".ljust(32, b"\0"), 1, persist, (unit,))


class Lifecycle(Play):
    """A market with a tenant and two providers."""

    def __init__(self, token: str = "StandardToken", decimals: int = 18, switch: tuple[Any, ...] = ()) -> None:
        """Open a market.

        Args:
            token: the name of one below contracts/testing.
            decimals: of the token.
            switch: what the token is called with before anybody gets any: a signature and arguments.
        """
        setting = setting_of(decimals)
        created = create_token(f"testing/{token}", setting)
        if switch:
            assert call(created, *switch) is None
        super().__init__(Market(setting, created))
        self.unit = 10**18 // setting.parameters.scale  # base units
        self.plain = Terms(DeploymentName(TENANT, 1), 0, WAIT, group())
        self.persistent = self.plain._replace(nonce=1, group=group(persist=True))
        self.renewed = self.persistent._replace(nonce=self.persistent)

    # -------------------------------------------------------------- the chapters

    def live(self) -> None:
        """Play all chapters."""
        self.bring_money()
        self.run_leases()
        self.end_leases()
        self.leave()

    def bring_money(self) -> None:
        """Deposit for the tenant and both providers, in both ways."""
        self.do("deposit", TENANT, TENANT, 20 * self.unit)
        self.do("deposit_with_permit", TENANT, TENANT, 10 * self.unit, *NO_SIGNATURE)
        self.do("deposit", OWNERS[0], FIRST, 10 * self.unit)
        self.do("deposit", OWNERS[1], SECOND, 10 * self.unit)
        self.compare_all()

    def run_leases(self) -> None:
        """Order, bid, match, confirm, claim, fund; let a lease go stale and its replacement be won by the other."""
        first = [self.plain, self.persistent]
        deposits = [3 * self.model.minimum_deposit(terms.group) + 11 for terms in first]
        self.do("submit_deployment", TENANT, 1, 1, WAIT, [terms.group for terms in first], deposits)
        for terms in first:
            self.do("submit_fulfillment", OPERATORS[0], FIRST, terms, [10**15])
            self.do("submit_fulfillment", OPERATORS[1], SECOND, terms, [10**15 + 3])
        self.pass_blocks(WAIT)
        self.do("submit_lease", FACILITATOR, first)
        self.pass_blocks(1)
        self.do("submit_lease_confirmation", OPERATORS[0], FIRST, first)
        self.pass_blocks(PERIOD - 2)
        self.do("submit_lease_confirmation", OPERATORS[0], FIRST, [self.plain])
        self.do("claim", STRANGER, [self.plain])
        self.do("fund", TENANT, self.plain, 5)
        self.pass_blocks(3)
        self.do("submit_stale_lease", FACILITATOR, [self.persistent])
        self.do("submit_fulfillment", OPERATORS[1], SECOND, self.renewed, [10**15 + 5])
        self.pass_blocks(WAIT)
        self.do("submit_lease", STRANGER, [self.renewed])
        self.do("submit_lease_confirmation", OPERATORS[1], SECOND, [self.renewed])
        self.do("submit_lease_confirmation", OPERATORS[0], FIRST, [self.plain])
        self.compare_all()
        states = [self.model.orders[terms].state for terms in (self.plain, self.persistent, self.renewed)]
        assert states == [State.ACTIVE, State.STALE, State.ACTIVE]

    def end_leases(self) -> None:
        """Close the deployment; one provider confirms the closing, the other is passed over after the grace."""
        self.pass_blocks(3)
        self.do("close_deployment", TENANT, self.plain.deployment, [self.plain, self.renewed])
        self.do("confirm_closed", OPERATORS[0], FIRST, [self.plain])
        for terms in (self.plain, self.persistent):
            self.do("release_fulfillments", STRANGER, terms, [FIRST, SECOND])
        self.pass_blocks(GRACE + 1)
        self.do("finish_leases", FACILITATOR, [self.renewed])
        self.do("deployment_closed", FACILITATOR, [self.plain.deployment])
        self.alike("claim", STRANGER, [self.persistent])  # if a stale lease still has something of its provider
        self.compare_all()

    def accounts(self) -> list[tuple[Account, str]]:
        """Return all accounts and who withdraws from them."""
        return [*((each, each) for each in (TENANT, FACILITATOR, STRANGER)), (FIRST, OWNERS[0]), (SECOND, OWNERS[1])]

    def leave(self, *, fee_percent: int = 0) -> None:
        """Let everybody withdraw, the second provider to another wallet; less than a base unit of each stays.

        Args:
            fee_percent: what the token takes from who receives.
        """
        for account, owner in self.accounts():
            amount = self.withdrawable(account)
            recipient = OPERATORS[1] if account == SECOND else owner
            if not amount:
                continue
            if account == SECOND:
                self.do("withdraw_to", owner, account, amount, recipient)
            else:
                self.do("withdraw", owner, account, amount)
            self.model.wallets[recipient] = self.model.wallets.get(recipient, 0) - amount * fee_percent // 100
        self.compare_all()
        self.check_empty()

    def check_empty(self) -> None:
        """Check that the exchange holds nothing but what nobody can withdraw."""
        scale = self.model.parameters.scale
        dust = sum(balance.available for balance in self.model.accounts.values())
        assert self.market.tokens(self.market.exchange) * scale == self.surplus * scale + dust
        assert dust < scale * len(self.accounts())
