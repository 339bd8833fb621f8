"""The decoder of server-sent events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import EngineProtocolError
from server.engines.openai.sse import Decoder


def decoded(*pieces: bytes, limit: int = 1024) -> list[str]:
    decoder = Decoder(limit)
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending_ends_a_line(end: bytes) -> None:
    assert decoded(b"data: a" + end + end + b"data: b" + end + end) == ["a", "b"]


def test_comments_and_unknown_fields_are_ignored() -> None:
    assert decoded(b": keep-alive\n\nid: 7\nretry: 1\ndata: a\n: more\n\n") == ["a"]


def test_lines_of_data_are_joined() -> None:
    assert decoded(b"data: a\ndata:b\ndata\n\n") == ["a\nb\n"]


def test_the_name_of_an_event_is_none_of_its_data() -> None:
    assert decoded(b"event: error\ndata: x\n\ndata: y\n\n") == ["x", "y"]


def test_an_error_field_is_data() -> None:
    """llama.cpp writes `error: {...}`."""
    assert decoded(b'error: {"code":500}\n\n') == ['{"code":500}']


def test_an_event_without_its_blank_line_is_none() -> None:
    assert decoded(b"data: a\n\ndata: b\n") == ["a"]


def test_a_byte_order_mark_is_no_part_of_the_first_field() -> None:
    assert decoded(b"\xef", b"\xbb\xbfdata: a\n\n") == ["a"]


def test_invalid_utf8_is_a_protocol_error() -> None:
    with pytest.raises(EngineProtocolError, match="UTF-8"):
        decoded(b"data: \xff\xfe\n\n")


@pytest.mark.parametrize("pieces", [(b"data: " + b"a" * 2000,), (b"data: " + b"a" * 600 + b"\n",) * 2, (b"a" * 900, b"a" * 900)])
def test_an_event_too_long_is_a_protocol_error(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(EngineProtocolError, match="too long"):
        decoded(*pieces)


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), min_size=1),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.data(),
)
def test_the_cuts_between_pieces_change_nothing(texts: list[str], end: str, data: st.DataObject) -> None:
    stream = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    pieces = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decoded(*pieces, limit=100_000) == texts
