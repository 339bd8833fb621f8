"""Which key a text is."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ConfigError, InvalidKey
from server.access.keyfile import KeyFile, load
from server.access.keys import Key, Keyring, Secret, hashed, identity, made

TEXT, SECRET = made()
RING = Keyring.of([(Key("ann"), [SECRET])])


def test_a_key_is_found_by_its_text_and_only_its_hash_is_held() -> None:
    assert RING.find(TEXT, 0.0).name == "ann"
    assert TEXT not in repr(RING)
    assert TEXT.removeprefix("sk-sf-")[9:] not in repr(RING)


def test_keys_differ_and_have_no_short_secrets() -> None:
    texts = {made()[0] for _ in range(100)}
    assert len(texts) == 100
    assert min(map(len, texts)) >= len("sk-sf-01234567-") + 43


@pytest.mark.parametrize(
    "text", ["", "none", "sk-sf-", TEXT[:-1], TEXT + "x", TEXT.upper(), TEXT[:14], "sk-sf-00000000-" + TEXT[15:], "é" * 300]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        RING.find(text, 0.0)


@given(st.text(st.characters(codec="latin-1"), max_size=400))
def test_no_text_is_a_key_or_an_accident(text: str) -> None:
    with pytest.raises(InvalidKey):
        RING.find(text, 0.0)


def test_an_unknown_id_is_compared_as_a_known_one_is() -> None:
    """Else the time would tell which ids there are: both ways hash once."""

    def seconds(text: str) -> float:
        started = time.perf_counter()
        for _ in range(2000):
            with pytest.raises(InvalidKey):
                RING.find(text, 0.0)
        return time.perf_counter() - started

    wrong_secret, wrong_id = TEXT[:-1] + ("a" if TEXT[-1] != "a" else "b"), "sk-sf-zzzzzzzz-" + TEXT[15:]
    ratio = min(seconds(wrong_secret) / seconds(wrong_id) for _ in range(5))
    assert 0.3 < ratio < 3


def test_a_secret_ends_when_it_expires_and_another_goes_on() -> None:
    later, second = made()
    ring = Keyring.of([(Key("ann"), [Secret(SECRET.id, SECRET.hash, expires=100.0), second])])
    assert ring.find(TEXT, 99.9).name == "ann"
    with pytest.raises(InvalidKey, match="expired"):
        ring.find(TEXT, 100.0)
    assert ring.find(later, 100.0).name == "ann"


def test_the_same_secret_under_another_id_has_another_hash() -> None:
    other = "sk-sf-00000000-" + TEXT[15:]
    assert identity(other) == "00000000"
    assert hashed(other) != hashed(TEXT)


ENTRY = f"secrets: [{{id: {SECRET.id!r}, hash: {SECRET.hash.hex()}}}]"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("keys: {a: {rout: [x]}}", "keys.a.rout"),
        ("keys: {'a b': {}}", "keys.a b"),
        ("keys: {a: {rate: 0}}", "keys.a.rate"),
        ("keys: {a: {budgets: {week: {usd: 1}}}}", "keys.a.budgets.week"),
        ("keys: {a: {budgets: {day: {usd: -1}}}}", "keys.a.budgets.day.usd"),
        ("keys: {a: {secrets: [{id: x, hash: y}]}}", "keys.a.secrets.0.id"),
        ("keys: {a: {residency: outside}}", "keys.a.residency"),
        (f"keys: {{a: {{{ENTRY}}}, b: {{{ENTRY}}}}}", SECRET.id),
        ("[", "keys.yaml"),
    ],
)
def test_a_mistake_in_the_file_names_its_field(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told.replace(".", r"\.")) as caught:
        load(path)
    assert SECRET.hash.hex() not in caught.value.message


def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("")
    with pytest.raises(InvalidKey):
        load(path).ring.find(TEXT, 0.0)


def test_a_file_that_changes_is_read_again_and_one_that_is_broken_changes_nothing(tmp_path: Path) -> None:
    path, said = tmp_path / "keys.yaml", list[str]()
    path.write_text(f"keys: {{ann: {{{ENTRY}}}}}")
    followed = KeyFile(path, lambda entries: None, said.append)
    assert followed.ring.find(TEXT, 0.0).name == "ann"
    path.write_text("keys: {ann: {nonsense: 1}}")
    followed.refresh()
    assert followed.ring.find(TEXT, 0.0).name == "ann"
    path.unlink()
    followed.refresh()
    assert followed.ring.find(TEXT, 0.0).name == "ann"
    path.write_text("keys: {}")
    followed.refresh()
    with pytest.raises(InvalidKey):
        followed.ring.find(TEXT, 0.0)
    assert [sentence.partition(":")[0] for sentence in said] == [
        "the keys in force stay, for the file of keys is not valid",
        "the keys in force stay, for the file of keys is not valid",
        "the file of keys was read again",
    ]
