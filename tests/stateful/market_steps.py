"""What tenants, managers and facilitators do with accounts and deployments, rightly and wrongly."""

from __future__ import annotations

from dataclasses import replace

import boa  # type: ignore[import-untyped]

from tests.stateful.evm import ZERO_ADDRESS, address, permit, signer, word, words_of
from tests.stateful.model import (
    NOBODY,
    Account,
    DeploymentName,
    DeploymentState,
    Group,
    Resource,
    Terms,
)
from tests.stateful.settings import (
    FACILITATOR,
    MANAGERS,
    OWNERS,
    PEOPLE,
    ROLES,
    STRANGER,
    TENANTS,
    WHALE,
)
from tests.stateful.side_by_side import UNKNOWN_DEPLOYMENT, SideBySide


class MarketSteps(SideBySide):
    """Money in and out; deployments and their managers."""

    # -------------------------------------------------------------- money

    def money_in(self) -> None:
        payer = self.pick([TENANTS[0], OWNERS[0], TENANTS[1], OWNERS[1], STRANGER, WHALE])
        account: Account = self.pick([payer, payer, *self.numbers, FACILITATOR, NOBODY, 99])
        has = self.model.wallets.get(payer, 0)
        room = (2**96 - 1) // self.model.parameters.scale - self.model.holdings
        amount = self.pick([1, has, has // 3, has + 1, min(has, room), room + 1, 0, 2**96, 2**96 - 1])
        if self.one_in(6) and payer != WHALE and amount <= has:
            self.send_tokens(payer, min(amount, 10))
        else:
            self.deposit(payer, account, amount)

    def deposit(self, caller: str, account: Account, amount: int) -> None:
        def expected() -> None:
            self.model.deposit(caller, account, amount)

        if self.one_in(3):
            self.deposit_with_permit(caller, account, amount, self.draw(6))
        else:
            self.both("deposit", caller, expected, address(account), amount)

    def deposit_with_permit(self, caller: str, account: Account, amount: int, fault: int = 0) -> None:
        """Deposit with nothing allowed but by a permit, which is good, has one of four faults, or was used before."""
        self.allow(caller, 0)
        deadline = boa.env.evm.patch.timestamp - (fault == 1)
        signed = amount + (fault == 2), deadline + (fault == 3)
        role = "attacker" if fault == 4 else ROLES[caller]
        signature = permit(self.market, signer(role), caller, *signed)
        if fault == 5:
            arguments = caller, self.market.exchange, *signed, *signature
            assert self.market.send(self.market.token, "permit", STRANGER, *arguments) is None
        allowance = amount if fault in (0, 5) else 0

        def expected() -> None:
            self.model.deposit(caller, account, amount, allowance)

        self.both("deposit_with_permit", caller, expected, address(account), amount, deadline, *signature)
        self.allow(caller, 2**255)

    def allow(self, owner: str, amount: int) -> None:
        assert self.market.send(self.market.token, "approve", owner, self.market.exchange, amount) is None

    def send_tokens(self, caller: str, amount: int) -> None:
        self.model.send_tokens(caller, amount)
        self.sent_tokens += amount
        assert self.market.send(self.market.token, "transfer", caller, self.market.exchange, amount) is None
        self.compare([])

    def money_out(self) -> None:
        account: Account = self.pick([*TENANTS, *self.numbers, FACILITATOR, WHALE])
        right = self.model.providers[account].owner if isinstance(account, int) else account
        if isinstance(account, int) and self.one_in(4):
            right = self.model.providers[account].operator
        has = self.model.balance(account).available // self.model.parameters.scale
        amount = self.pick([has, has // 2, 1, has + 1, has, 0, 2**96])
        self.withdraw(self.caller(right), account, amount, is_to_other=self.one_in(3))

    def withdraw(self, caller: str, account: Account, amount: int, *, is_to_other: bool = False) -> None:
        if not is_to_other:
            self.both(
                "withdraw", caller, lambda: self.model.withdraw(caller, account, amount), address(account), amount
            )
            return
        recipient = self.pick([STRANGER, ZERO_ADDRESS, self.market.exchange])
        receiver = STRANGER if recipient == STRANGER else NOBODY

        def expected() -> None:
            self.model.withdraw(caller, account, amount, receiver)

        self.both("withdraw_to", caller, expected, address(account), amount, recipient)

    # -------------------------------------------------------------- deployments

    def submit_deployment(self) -> None:
        self.new_deployment(self.caller(self.pick(TENANTS)))

    def new_deployment(self, caller: str, *, is_right: bool = False) -> None:
        self.deployment_count += 1
        salt, version, wait = self.deployment_count, 1, self.pick([20, 6, 40, 0, 3])
        groups = [self.group(is_right=is_right) for _ in range(1 + self.draw(2))]
        deposits = [self.deposit_of(group, is_right=is_right) for group in groups]
        if not is_right and self.one_in(8):
            fault = self.draw(6)
            salt = 1 if fault == 0 else salt
            version = 0 if fault == 1 else version
            groups = [] if fault == 2 else groups
            deposits = deposits[1:] if fault == 3 else deposits
            wait = self.pick([2**32, 2**32 - 1]) if fault > 3 else wait

        def expected() -> None:
            self.model.submit_deployment(caller, salt, version, wait, groups, deposits)

        what = word(salt), word(version), wait, [words_of(group) for group in groups], deposits
        self.both("submit_deployment", caller, expected, *what)

    def group(self, *, is_right: bool = False) -> Group:
        tip = self.model.parameters.tip
        unit = Resource(
            milli_cpu=1,
            memory_bytes=1,
            disk_bytes=0,
            price=self.pick([10**9, 10**9 + 7, 10**13, 1]),
            collateral=self.pick([10**13 + tip, 2 * tip + 1, tip + 1, 2 * tip, 5 * 10**14]),
            count=1 + self.draw(3),
        )
        second = replace(unit, price=unit.price // 3, collateral=0, count=1)
        resources = (unit, second) if self.one_in(4) else (unit,)
        group = Group(b"group".ljust(32, b"\0"), self.pick([3, 3, 1, 2**32 - 1]), self.draw(2) == 0, resources)
        return group if is_right or not self.one_in(10) else self.bad_group(group)

    def bad_group(self, group: Group) -> Group:
        """Break one rule, at its limit."""
        unit = group.resources[0]
        tip = self.model.parameters.tip
        units = [
            replace(unit, count=0),
            replace(unit, count=2**32),
            replace(unit, count=2**32 - 1),
            replace(unit, milli_cpu=0),
            replace(unit, memory_bytes=0),
            replace(unit, price=2**80),
            replace(unit, price=2**79, count=2),
            replace(unit, price=2**80 - 1, count=1),
            replace(unit, price=0),
            replace(unit, price=0, collateral=tip, count=1),
            replace(unit, collateral=2**96),
            replace(unit, collateral=2**95, count=2),
            replace(unit, collateral=max(0, tip - 1), count=1),
        ]
        groups = [replace(group, resources=()), replace(group, regions=0), replace(group, regions=2**32)]
        groups += [replace(group, resources=(unit,)) for unit in units]
        groups += [replace(group, resources=(unit, bad)) for bad in units[:6]]
        return self.pick(groups)

    def deposit_of(self, group: Group, *, is_right: bool = False) -> int:
        smallest, charge = self.model.minimum_deposit(group), self.model.max_charge(group)
        right = [smallest, smallest + 5 * charge + 1, smallest + charge // 2, smallest + 10**13]
        return self.pick(right if is_right or not self.one_in(10) else [max(0, smallest - 1), 2**96, 2**96 - 1])

    def update_deployment(self) -> None:
        name = self.some_deployment()
        mine = self.orders_of(name)
        version = self.draw(2)
        groups = [self.group() for _ in range(self.pick([0, 1, 2, 0, 1, 7]))]
        deposits = [self.deposit_of(group) for group in groups]
        deposits += [0] if self.one_in(20) else []
        removed = self.batch(mine)[:8] if self.one_in(4) else [terms for terms in mine if self.one_in(3)][:8]
        caller = self.caller(self.pick([name.tenant, name.tenant, *MANAGERS]))

        def expected() -> None:
            self.model.update_deployment(caller, name, version, groups, deposits, removed)

        encoded = [words_of(group) for group in groups]
        what = self.ids.deployment(name), word(version), encoded, deposits, self.keys(removed)
        self.both("update_deployment", caller, expected, *what)

    def some_deployment(self) -> DeploymentName:
        return UNKNOWN_DEPLOYMENT if self.one_in(20) else self.pick(self.model.deployments)

    def deployments_in(self, state: DeploymentState) -> list[DeploymentName]:
        return [name for name, deployment in self.model.deployments.items() if deployment.state == state]

    def orders_of(self, name: DeploymentName) -> list[Terms]:
        return [terms for terms in self.model.orders if terms.deployment == name]

    def close_deployment(self) -> None:
        name = self.some_deployment()
        mine = self.orders_of(name)
        orders = self.batch(mine)[:8] if self.one_in(3) else [terms for terms in mine if self.draw(2)][:8]
        self.close(self.caller(name.tenant), name, orders)

    def close(self, caller: str, name: DeploymentName, orders: list[Terms]) -> None:
        def expected() -> None:
            self.model.close_deployment(caller, name, orders)

        self.both("close_deployment", caller, expected, self.ids.deployment(name), self.keys(orders))

    def deployment_closed(self) -> None:
        closing = self.deployments_in(DeploymentState.CLOSING)
        names = self.pick([closing, 2 * closing, [*self.model.deployments, UNKNOWN_DEPLOYMENT], closing[:1]])
        self.all_closed(self.pick(PEOPLE), names)

    def all_closed(self, caller: str, names: list[DeploymentName]) -> None:
        ids = [self.ids.deployment(name) for name in names]
        self.both("deployment_closed", caller, lambda: self.model.deployment_closed(caller, names), ids)

    def set_manager(self) -> None:
        name = self.some_deployment()
        caller = self.caller(name.tenant)
        manager = self.pick([*MANAGERS, *MANAGERS, name.tenant, STRANGER])
        permissions = self.pick([7, 4, 2, 1, 6, 3, 0])
        expires = self.model.block + self.pick([50, 1_000, 3, 0])
        cap = self.pick([10**16, 10**14, 10**10, 1, 0])
        if self.one_in(15):
            expires, cap = self.pick([(2**40, cap), (2**40 - 1, cap), (expires, 2**96), (expires, 2**96 - 1)])

        def expected() -> None:
            self.model.set_manager(caller, name, manager, permissions, expires, cap)

        self.both("set_manager", caller, expected, self.ids.deployment(name), manager, permissions, expires, cap)
