# pragma version 0.4.3
"""
@title Refusals
@license Apache-2.0
@dev The compiler spends 112 bytes on every assert with a reason. Through this one function a reason costs half of that,
     and the exchange fits into one contract.
"""


@pure
@internal
def because(reason: String[32]):
    """
    @dev Revert the transaction with Error(string).
    @param reason "module: what is wrong".
    """
    assert False, reason


@pure
@internal
def unless(is_any: bool):
    """
    @dev Refuse a batch that has acted on nothing.
    @param is_any Whether it has acted.
    """
    if not is_any:
        self.because("exchange: nothing is ready")
