"""Which replica gets a call."""

from router.types import EngineCall, Message, Part
from server.engines.openai.breaker import Breaker
from server.engines.openai.replicas import REMEMBERED, Replica, Replicas, beginning


def replicas(*loads: int) -> Replicas:
    return Replicas(tuple(Replica(f"http://r{number}", load) for number, load in enumerate(loads)), lambda: 0.0, slack=2)


def chosen(group: Replicas, prefix: str = "p", tried: tuple[str, ...] = ()) -> str | None:
    found = group.choose(prefix, tried)
    return found.url if found else None


def test_a_conversation_stays_on_its_replica() -> None:
    assert len({chosen(replicas(0, 1, 2), "same") for _ in range(5)}) == 1


def test_conversations_spread() -> None:
    assert {chosen(replicas(0, 0, 0), f"c{n}") for n in range(50)} == {"http://r0", "http://r1", "http://r2"}


def test_load_beats_affinity_beyond_the_slack() -> None:
    group = replicas(0, 0)
    own = group.choose("p")
    assert own is not None
    own.inflight = 2
    assert group.choose("p") is own
    own.inflight = 3
    assert group.choose("p") is not own


def test_a_replica_that_goes_moves_only_its_own_conversations() -> None:
    before = {f"c{n}": chosen(replicas(0, 0, 0), f"c{n}") for n in range(50)}
    group = replicas(0, 0, 0)
    group.members[0].up = False
    moved = {name for name, url in before.items() if chosen(group, name) != url}
    assert moved == {name for name, url in before.items() if url == "http://r0"}


def test_an_open_breaker_and_a_failed_check_close_a_replica() -> None:
    group = replicas(0, 0)
    group.members[0].breaker = Breaker(limit=1).failed(0.0)
    assert chosen(group) == "http://r1"
    group.members[1].up = False
    assert chosen(group) is None
    assert not group.available()


def test_one_that_was_tried_is_the_last_resort() -> None:
    assert chosen(replicas(0, 0), tried=("http://r0",)) == "http://r1"
    assert chosen(replicas(0), tried=("http://r0",)) == "http://r0"


def test_the_turns_of_a_conversation_share_their_beginning() -> None:
    first = (Message("system", (Part("text", "s"),)), Message("user", (Part("text", "u"),)))
    later = (*first, Message("assistant", (Part("text", "a"),)), Message("user", (Part("text", "v"),)))
    assert beginning(EngineCall("1", first)) == beginning(EngineCall("2", later))


def test_a_request_that_asks_again_goes_where_it_was_answered_whatever_the_load() -> None:
    group = replicas(0, 0, 0)
    for replica in group.members:
        group.remember(f"to {replica.url}", replica)
        replica.inflight = 9
        found = group.choose("p", (), f"to {replica.url}")
        assert found is replica
        replica.inflight = 0
    group.members[0].up = False
    assert group.choose("p", (), "to http://r0") is not group.members[0]
    assert group.choose("p", ("http://r1",), "to http://r1") is group.members[2]


def test_only_so_many_requests_are_remembered() -> None:
    group = replicas(0, 0)
    for number in range(REMEMBERED + 1):
        group.remember(f"{number}", group.members[1])
    assert len(group._answered) == REMEMBERED
    assert "0" not in group._answered


def test_a_server_is_down_when_it_refuses_and_when_it_is_silent_twice() -> None:
    refusing, silent = Replica("http://a"), Replica("http://b")
    refusing.unheard(busy=False)
    silent.unheard(busy=True)
    assert (refusing.up, silent.up) == (False, True)
    silent.unheard(busy=True)
    assert not silent.up
    silent.heard(well=True)
    silent.unheard(busy=True)
    assert silent.up


def test_a_server_that_was_down_comes_back_with_a_closed_breaker_and_one_that_was_up_keeps_its_own() -> None:
    gone, sick = (Replica(url, breaker=Breaker(limit=1).failed(0.0)) for url in ("http://a", "http://b"))
    gone.heard(well=False)
    for replica in (gone, sick):
        replica.heard(well=True)
    assert (gone.breaker.admits(0.0), sick.breaker.admits(0.0)) == (True, False)
