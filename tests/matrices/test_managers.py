"""Managers of a deployment: revoked, expired, at their cap, and never beyond what they were given."""

from __future__ import annotations

import pytest

from tests.matrices.authority import BIDDING, MUCH, RUNNING, labels, managers, model_alone, row_of, rows
from tests.matrices.cast import EVERYTHING, EXPIRED, GROUP, MANAGERS, REVOKED, SPENT, TENANT, WINNER
from tests.matrices.pair import Pair, call
from tests.stateful.model import DeploymentName

ALL_MANAGERS = [*MANAGERS, EXPIRED, REVOKED, SPENT]
(ABLE,) = managers(EVERYTHING)
BY_MANAGERS = labels("update_deployment", "fund")
OF_THE_TENANT = labels("set_manager", "close_deployment", "withdraw, a tenant's", "withdraw_to, a tenant's")


def deployment_of(label: str) -> DeploymentName:
    return BIDDING if label == "fund, order" else RUNNING


@pytest.mark.parametrize("manager", ALL_MANAGERS)
def test_e03_manager__appoints_closes_or_withdraws__is_refused_whatever_it_may(pair: Pair, manager: str) -> None:
    assert len(OF_THE_TENANT) == 6
    for label in OF_THE_TENANT:
        with pair.branch():
            answer = pair.send(row_of(pair, label).send(manager))
            assert answer in {"deployments: not the tenant", "ledger: not the owner"}


@pytest.mark.parametrize("label", BY_MANAGERS)
@pytest.mark.parametrize("is_before", [False, True])
def test_e02_manager__revoked_and_used_in_one_block__counts_as_it_is_then(
    pair: Pair, label: str, is_before: bool
) -> None:
    use = row_of(pair, label).send(ABLE)
    with pair.branch():
        if is_before:
            assert pair.send(use) is None
        assert pair.send(call("set_manager", TENANT, deployment_of(label), ABLE, 0, 0, 0)) is None
        had = pair.worth(TENANT)

        # who is no manager any more may still give a gift
        assert pair.send(use) == (None if label.startswith("fund") else "deployments: not permitted")
        assert pair.worth(TENANT) == had


@pytest.mark.parametrize("label", BY_MANAGERS)
def test_e02_manager__in_its_last_block_and_after_it__acts_and_is_refused(pair: Pair, label: str) -> None:
    answers = []
    for expires in (pair.model.block, pair.model.block - 1):
        with pair.branch():
            pair.do("set_manager", TENANT, deployment_of(label), EXPIRED, EVERYTHING, expires, MUCH)
            answers.append(pair.send(row_of(pair, label).send(EXPIRED)))

    assert answers == [None, "deployments: manager expired"]


@pytest.mark.parametrize("label", ["update_deployment, group", *labels("fund")])
def test_e11_manager__spends_its_cap__to_the_last_unit_and_no_more(pair: Pair, label: str) -> None:
    use, name, now = row_of(pair, label).send(SPENT), deployment_of(label), pair.model.block
    with pair.branch():
        had = pair.worth(TENANT)
        pair.do("set_manager", TENANT, name, SPENT, EVERYTHING, now, MUCH)
        assert pair.send(use) is None
        cost = MUCH - pair.model.manager_view(name, SPENT)[2]
        assert had - pair.worth(TENANT) == cost > 0

    with pair.branch():
        pair.do("set_manager", TENANT, name, SPENT, EVERYTHING, now, cost - 1)
        assert pair.send(use) == "deployments: above spend cap"
        pair.do("set_manager", TENANT, name, SPENT, EVERYTHING, now, cost)
        assert pair.send(use) is None
        assert pair.model.manager_view(name, SPENT)[2] == 0


def test_e11_manager__removes_what_it_added__has_not_more_to_spend(pair: Pair) -> None:
    deposit = pair.model.minimum_deposit(GROUP)
    with pair.branch():
        assert pair.send(call("update_deployment", ABLE, RUNNING, 0, [GROUP], [deposit], [])) is None
        spendable = pair.model.manager_view(RUNNING, ABLE)[2]
        added = list(pair.model.orders)[-1]
        assert pair.send(call("update_deployment", ABLE, RUNNING, 0, [], [], [added])) is None

        assert pair.model.manager_view(RUNNING, ABLE)[2] == spendable < MUCH


@pytest.mark.parametrize("manager", ALL_MANAGERS)
def test_manager__every_transaction__takes_no_more_than_its_cap_loses(manager: str) -> None:
    pair = model_alone()
    for row in rows(pair):
        with pair.branch():
            had = {account: pair.worth(account) for account in pair.model.accounts}
            spendable = {name: pair.model.manager_view(name, manager)[2] for name in (RUNNING, BIDDING)}
            if pair.send(row.send(manager)):
                continue
            spent = sum(spendable[name] - pair.model.manager_view(name, manager)[2] for name in spendable)
            poorer = {account for account in had if pair.worth(account) < had[account]}
            assert poorer <= {manager, TENANT} | ({WINNER} if row.label == "submit_stale_lease" else set())
            assert had[TENANT] - pair.worth(TENANT) <= spent
