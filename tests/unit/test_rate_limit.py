import pytest

from provider_agent.shell.rate_limit import Rate, TokenBuckets, peer_of


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_h16_token_buckets__burst_used_up__refuse_until_time_passes() -> None:
    clock = Clock()
    buckets = TokenBuckets(Rate(per_second=2, burst=3), clock)

    burst = [buckets.take("a") for _ in range(4)]
    clock.seconds = 0.5
    later = [buckets.take("a") for _ in range(2)]

    assert burst == [True, True, True, False]
    assert later == [True, False]


def test_h16_token_buckets__long_pause__gives_no_more_than_the_burst() -> None:
    clock = Clock()
    buckets = TokenBuckets(Rate(per_second=2, burst=3), clock)
    buckets.take("a")
    clock.seconds = 1_000_000

    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]


def test_h16_token_buckets__one_peer_at_its_limit__leaves_others_alone() -> None:
    buckets = TokenBuckets(Rate(per_second=1, burst=1), Clock())
    buckets.take("a")

    assert buckets.take("b")
    assert not buckets.take("a")


def test_h16_token_buckets__too_many_peers__forget_the_one_unseen_for_longest() -> None:
    buckets = TokenBuckets(Rate(per_second=1, burst=1), Clock(), max_peers=2)
    for peer in ("a", "b", "a", "c"):
        buckets.take(peer)

    assert [buckets.take("a"), buckets.take("b")] == [False, True]


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_peer_of__address__is_one_subscriber(host: str, peer: str) -> None:
    assert peer_of(host) == peer
