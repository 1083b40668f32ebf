"""Every transaction in every state of an order, a lease and a deployment: what the model does, or refused as there."""

from __future__ import annotations

import re

import pytest

from tests.bytecode import ROOT
from tests.matrices.calls import calls
from tests.matrices.cast import ORDINARY, WINNER
from tests.matrices.interface import transactions
from tests.matrices.pair import Pair
from tests.matrices.states import states, tell
from tests.matrices.sweep import Move, cells
from tests.stateful.model import DeploymentState, State

Kind = type[State] | type[DeploymentState]

NEVER = {
    *("cancel_fulfillment, no bid", "fund, as many as possible"),
    *("submit_lease_confirmation, loser", "confirm_closed, loser"),
}
"""Calls that no state accepts."""

ARROW = re.compile(r"^    (\w+) --> (\w+): (.+)$", re.MULTILINE)


@pytest.mark.parametrize("state", states())
def test_state__every_transaction__does_what_the_model_does(state: str) -> None:
    pair = Pair(ORDINARY)
    with pair.branch():
        terms = tell(pair, states()[state])
        for sent in calls(pair, terms):
            with pair.branch():
                pair.send(sent)


def test_matrix__of_states_and_transactions__is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    labels = {cell.label for cell in cells()}
    accepted = sum(cell.refusal is None for cell in cells())
    with capsys.disabled():
        print(f"\n{len(cells())} cells: {len(states())} states x {len(labels)} calls; {accepted} are accepted")

    assert {label.split(",")[0] for label in labels} == set(transactions("Exchange"))
    assert len(cells()) == len(states()) * len(labels)
    assert {cell.state for cell in cells()} == set(states())
    assert labels - {cell.label for cell in cells() if cell.refusal is None} == NEVER
    refused = {cell.label.split(",")[0] for cell in cells() if cell.refusal}
    assert set(transactions("Exchange")) - refused == {"deposit", "deposit_with_permit", "withdraw", "withdraw_to"}


@pytest.mark.parametrize("kind", [State, DeploymentState])
def test_states__from_which_cells_start_or_to_which_they_lead__are_all_there_are(kind: Kind) -> None:
    moves = [move for cell in cells() for move in cell.moves if move.kind == kind.__name__]

    assert {name for move in moves for name in (move.before, move.after)} == {state.name for state in kind}


@pytest.mark.parametrize(("kind", "only_here"), [(State, "ORDER_CLOSED"), (DeploymentState, "deployment_closed")])
def test_arrows__of_the_state_diagram__are_those_that_cells_take(kind: Kind, only_here: str) -> None:
    diagrams = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", protocol(), re.DOTALL)
    (diagram,) = (drawn for drawn in diagrams if only_here in drawn)

    moves = {move for cell in cells() for move in cell.moves if move.kind == kind.__name__}

    assert moves == arrows(diagram, kind.__name__)


def test_b08_collateral__every_transaction_in_every_state__falls_for_staleness_alone() -> None:
    robbed = [cell for cell in cells() if cell.robbed]

    assert len(robbed) > 20
    assert {account for cell in robbed for account in cell.robbed} == {WINNER}
    assert all(Move("State", "ACTIVE", "STALE", cell.label.split(",")[0]) in cell.moves for cell in robbed)
    assert all("stale" in cell.state for cell in robbed)


def protocol() -> str:
    return (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8").replace("[*] -->", "UNKNOWN -->")


def arrows(diagram: str, kind: str) -> set[Move]:
    """Return the arrows between different states, one for each transaction that is named at them."""
    found = set()
    for before, after, text in ARROW.findall(diagram):
        for name in set(re.findall(r"\w+", text)) & set(transactions("Exchange")):
            found.add(Move(kind, before, after, name))
    return {move for move in found if move.before != move.after}
