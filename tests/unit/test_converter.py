"""Payloads: exact or refused, within limits, made again by type hint."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Literal, NamedTuple, NoReturn, TypedDict, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from workflows import converter
from workflows.converter import Converter, decode, encode, load_codec
from workflows.engine.payload import DEFAULT_MAX_BYTES, LARGEST_MAX_BYTES, MAX_DEPTH
from workflows.exceptions import InvalidArgumentError, PayloadError

pytestmark = pytest.mark.unit

texts = st.text(st.characters(exclude_categories=["Cs"]))
floats = st.floats(allow_nan=False, allow_infinity=False)
plain_scalars = st.none() | st.booleans() | st.integers() | floats | texts
plain_values = st.recursive(
    plain_scalars,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


# -- without a hint --------------------------------------------------------------------


@given(plain_values)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    data = encode(value)
    assert repr(decode(data)) == repr(value)
    assert json.loads(data) == value


def test_small_payloads_are_written_compactly_in_utf8() -> None:
    assert encode({"नाम": ["x", 1, None]}) == '{"नाम":["x",1,null]}'.encode()


@pytest.mark.parametrize(
    "number", [2**53 + 1, 2**64, -(2**64), 10**400, 10**4298, 1 - 10**4299]
)
def test_integers_of_any_size_are_exact(number: int) -> None:
    assert decode(encode({"n": number})) == {"n": number}


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        ({"a": [1, float("nan")]}, "/a/1", "NaN"),
        ({"a": float("inf")}, "/a", "infinity"),
        ([{"b": -float("inf")}], "/0/b", "infinity"),
        ({"n": 10**4299}, "/n", "4299"),
        ({"n": -(10**5000)}, "/n", "4299"),
        ({"s": "half \ud800"}, "/s", "surrogate"),
        ({"s\udfff": 1}, "/s\\udfff", "surrogate"),
        ({"a/b": {"~": object()}}, "/a~1b/~0", "object"),
        ({"f": print}, "/f", "function"),
        ({"c": 1j}, "/c", "complex"),
        ({"e": ValueError("secret")}, "/e", "ValueError"),
        ({"g": iter("abc")}, "/g", "iterator"),
        ({(1, 2): 3}, "/?", "tuple"),
        ({None: 3}, "/?", "NoneType"),
        ({True: 3}, "/True", "bool"),
        ({1.5: 3}, "/?", "float"),
        ({1: "a", "1": "b"}, "", "same"),
    ],
)
def test_what_json_cannot_hold_exactly_is_refused_with_its_path(
    value: Any, path: str, problem: str
) -> None:
    with pytest.raises(PayloadError, match=problem) as raised:
        encode(value)
    assert raised.value.path == path
    assert "secret" not in str(raised.value)
    str(raised.value).encode()  # printable even so


def test_a_cycle_is_refused() -> None:
    items: list[Any] = []
    items.append(items)
    table: dict[str, Any] = {}
    table["self"] = table
    for value in (items, table):
        with pytest.raises(PayloadError, match="cycle"):
            encode(value)


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = [value]
    return value


def test_sixty_four_levels_are_the_limit_both_ways() -> None:
    deepest = encode(nested(MAX_DEPTH))
    assert decode(deepest) == nested(MAX_DEPTH)
    with pytest.raises(PayloadError, match="deeper than 64"):
        encode(nested(MAX_DEPTH + 1))
    with pytest.raises(PayloadError, match="deeper than 64"):
        decode(b"[" + deepest + b"]")


def test_many_brackets_side_by_side_are_not_deep() -> None:
    value: list[Any] = [[], {}] * 1000
    assert decode(encode(value)) == value
    assert decode(encode("[" * 1000)) == "[" * 1000


def test_the_size_limit_is_exact() -> None:
    largest = "x" * (DEFAULT_MAX_BYTES - 2)
    assert decode(encode(largest)) == largest
    with pytest.raises(PayloadError, match="262144 bytes"):
        encode(largest + "x")


def test_what_was_accepted_under_a_higher_limit_is_still_read() -> None:
    small, large = Converter(10), Converter(LARGEST_MAX_BYTES)
    assert small.decode(large.encode("x" * 100)) == "x" * 100
    assert small.decode_tagged(large.encode_tagged("x" * 100)) == "x" * 100
    with pytest.raises(PayloadError, match="larger than 2097152 bytes"):
        small.decode(b" " * (LARGEST_MAX_BYTES + 1))


def test_the_size_limit_can_be_set_up_to_2_mib() -> None:
    small, large = Converter(10), Converter(LARGEST_MAX_BYTES)
    assert large.decode(large.encode("x" * 2_000_000)) == "x" * 2_000_000
    with pytest.raises(PayloadError, match="10 bytes"):
        small.encode("x" * 9)
    for limit in (0, -1, LARGEST_MAX_BYTES + 1):
        with pytest.raises(InvalidArgumentError, match="max_bytes"):
            Converter(limit)


def test_shared_branches_that_multiply_are_refused_early() -> None:
    value: list[Any] = ["x"]
    for _ in range(40):  # 2 ** 40 items if written out
        value = [value, value]
    with pytest.raises(PayloadError, match="larger"):
        encode(value)


def test_a_million_items_are_refused_early() -> None:
    with pytest.raises(PayloadError, match="larger"):
        encode(list(range(10**6)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"{",
        b"{} x",
        b"[1,]",
        b"{'a':1}",
        b"// c\n1",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"9" * 5000,
        b'"\\ud800"',
        b'"\xff"',
        b'"\xc0\xaf"',
        b"\xef\xbb\xbf{}",
        '"x"'.encode("utf-16"),
        b"\x80\x04K\x01.",  # a pickle
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_is_not_strict_json_is_refused(data: bytes) -> None:
    with pytest.raises(PayloadError):
        decode(data)


@given(st.binary(max_size=60) | st.text('[]{},:"\\u0d8e123-.tfn', max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode()
    try:
        value = decode(raw)
    except PayloadError:
        return
    assert repr(decode(encode(value))) == repr(value)


# -- by type hint ----------------------------------------------------------------------


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Kind(Enum):
    A = "a"
    B = "b"


class Item(BaseModel):
    name: str
    price: Decimal
    at: datetime | None = None


class Where(NamedTuple):
    lat: float
    lon: float = 0.0


class Extra(TypedDict):
    note: str


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Box(Generic[T]):
    inside: T


@dataclass(frozen=True)
class Order:
    id: UUID
    at: datetime
    day: date
    clock: time
    span: timedelta
    price: Decimal
    blob: bytes
    colour: Colour
    level: Level
    kind: Kind
    pair: tuple[int, str]
    tags: frozenset[str]
    items: list[Item]
    by_id: dict[UUID, int]
    by_number: dict[int, str]
    where: Where
    box: Box[int]
    note: str | None = None
    history: tuple["Order", ...] = ()


offsets = st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(timezones=st.none() | st.just(UTC) | offsets)
prices = st.decimals(allow_nan=False, allow_infinity=False)
orders = st.builds(
    Order,
    at=moments,
    clock=st.times(timezones=st.none() | offsets),
    price=prices,
    where=st.builds(Where, floats, floats),
    pair=st.tuples(st.integers(), texts),
    tags=st.frozensets(texts),
    items=st.lists(
        st.builds(Item, name=texts, price=prices, at=st.none() | moments), max_size=2
    ),
    by_number=st.dictionaries(st.integers(), texts, max_size=2),
    box=st.builds(Box, st.integers()),
    note=st.none() | texts,
    history=st.just(()),
)


@given(orders, orders)
def test_a_record_of_every_type_comes_back_by_its_hint(
    one: Order, other: Order
) -> None:
    assert decode(encode([one, other]), list[Order]) == [one, other]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (Item(name="a", price=Decimal("1.50")), Item),
        (Item(name="a", price=Decimal("1.50")), Item | None),
        (None, Item | None),
        ({"a": Item(name="a", price=Decimal(1))}, dict[str, Item]),
        ({"note": "x"}, Extra),
        ({Colour.RED: 1}, dict[Colour, int]),
        ({Level.HIGH: 1}, dict[Level, int]),
        ({date(2026, 1, 1): 1}, dict[date, int]),
        ({-5: 1}, dict[int, int]),
        (Box(Box(5)), Box[Box[int]]),
        (b"\x00\xff", bytes),
        (bytearray(b"\x00\xff"), bytearray),
        ({1, 2}, set[int]),
        ("x", Literal["x", "y"]),
        (5, Any),
        (5, object),
        (5, int | str),
        ([5, "a"], list[int | str]),
        (2**70, int),
        (Decimal("1E+1000"), Decimal),
        (timedelta.max, timedelta),
        ({"a": [1]}, Mapping[str, Sequence[int]]),
    ],
)
def test_values_come_back_by_their_hint(value: Any, hint: Any) -> None:
    back = decode(encode(value), hint)
    assert back == value
    assert type(back) is type(value)


def test_other_mappings_and_sequences_are_written_as_the_plain_ones() -> None:
    assert encode(MappingProxyType({"a": 1})) == b'{"a":1}'
    assert encode((1, Where(1.5))) == b"[1,[1.5,0.0]]"


def test_a_model_is_written_by_its_aliases_and_keeps_none() -> None:
    class Message(BaseModel):
        model_config = ConfigDict(populate_by_name=True)
        phone_number: str = Field(alias="phoneNumber")
        retries: int | None = 3

    message = Message(phone_number="1", retries=None)
    assert encode(message) == b'{"phoneNumber":"1","retries":null}'
    assert decode(encode(message), Message) == message


def test_a_model_in_strict_mode_is_read_as_json() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        id: UUID
        at: datetime

    value = Strict(id=UUID(int=1), at=datetime(2026, 1, 1, tzinfo=UTC))
    assert decode(encode([value]), list[Strict]) == [value]


def test_faults_inside_a_model_are_found() -> None:
    class Loose(BaseModel):
        data: Any

    for bad in (float("nan"), float("inf"), "\ud800", b"\xff", object()):
        with pytest.raises(PayloadError):
            encode({"m": Loose(data=[bad])})
    assert encode(Loose(data=[None, 1.5])) == b'{"data":[null,1.5]}'


def test_a_model_is_held_to_the_same_limits() -> None:
    class Anything(BaseModel):
        data: Any

    for bad in (10**4299, nested(MAX_DEPTH), "x" * DEFAULT_MAX_BYTES):
        with pytest.raises(PayloadError):
            encode(Anything(data=bad))
    for good in (10**4298, nested(MAX_DEPTH - 1), "[" * 1000, "x" * 200_000):
        assert decode(encode(Anything(data=good)), Anything).data == good


@given(plain_values)
def test_a_model_with_any_plain_data_comes_back(value: Any) -> None:
    class Anything(BaseModel):
        data: Any

    assert repr(decode(encode(Anything(data=value)), Anything).data) == repr(value)


@dataclass
class Part:
    count: int
    colour: Colour = Colour.RED
    inner: list["Part"] = field(default_factory=list)


class Checked(BaseModel):
    pin: str
    parts: list[int] = []

    @field_validator("pin")
    @classmethod
    def never(cls, value: str) -> str:
        if value != "0000":
            raise ValueError("is not the right one")
        return value


@pytest.mark.parametrize(
    ("data", "hint", "path"),
    [
        (b'{"count":"5"}', Part, "/count"),
        (b'{"count":1.5}', Part, "/count"),
        (b'{"count":true}', Part, "/count"),
        (b'{"count":null}', Part, "/count"),
        (b"{}", Part, ""),
        (b"[]", Part, ""),
        (b'{"count":1,"inner":[{"count":1},{"count":"x"}]}', Part, "/inner/1/count"),
        (b'{"count":1,"colour":"hunter2"}', Part, "/colour"),
        (b'{"a":{"b":"hunter2"}}', dict[str, dict[str, int]], "/*/*"),
        (b'[[1],["hunter2"]]', list[list[int]], "/1/0"),
        (b'"hunter2"', UUID, ""),
        (b'"hunter2"', datetime, ""),
        (b'"hunter2"', bytes, ""),
        (b'{"pin":"hunter2"}', Checked, "/pin"),
        (b'[{"pin":"0000","parts":[1,"hunter2"]}]', list[Checked], "/0/parts/1"),
        (b'[1,"hunter2"]', tuple[int, int], "/1"),
        (b"[1]", tuple[int, int], ""),
    ],
)
def test_what_does_not_fit_its_hint_is_refused_with_the_path_and_not_the_value(
    data: bytes, hint: Any, path: str
) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(data, hint)
    assert raised.value.path == path
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("hint", [complex, deque, Part | Box[int], "Nowhere", 5])
def test_a_hint_that_nothing_can_be_decoded_to_is_refused(hint: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot decode"):
        decode(b"[1]", hint)


def test_unknown_fields_of_a_newer_version_are_ignored() -> None:
    assert decode(b'{"count":1,"later":2}', Part) == Part(1)


# -- the codec -------------------------------------------------------------------------


class Reversed:
    """A stand-in for encryption."""

    def encode(self, data: bytes) -> bytes:
        return b"sealed:" + data[::-1]

    def decode(self, data: bytes) -> bytes:
        if not data.startswith(b"sealed:"):
            raise PayloadError("not sealed by us")
        return data.removeprefix(b"sealed:")[::-1]


@pytest.mark.parametrize("value", [{"secret": "hunter2"}, (1, "x"), None])
def test_a_codec_sees_every_payload_on_its_way(value: Any) -> None:
    sealed = Converter(codec=Reversed())
    data = sealed.encode_tagged(value)
    assert data.startswith(b"sealed:")
    assert sealed.decode_tagged(data) == value
    assert sealed.encode(value).startswith(b"sealed:")
    assert sealed.decode(sealed.encode([5]), list[int]) == [5]


def test_a_codec_refuses_what_it_did_not_seal() -> None:
    sealed = Converter(codec=Reversed())
    read: list[Callable[[bytes], Any]] = [sealed.decode, sealed.decode_tagged]
    for function in read:
        with pytest.raises(PayloadError, match="not sealed"):
            function(b"{}")


@pytest.mark.parametrize("wrong", [Reversed, object(), "sealed"])
def test_what_is_no_codec_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="object with encode and decode"):
        Converter(codec=wrong)


def test_a_codec_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "squeeze_for_tests.py").write_text(
        "import zlib\n"
        "class Squeeze:\n"
        "    encode = staticmethod(zlib.compress)\n"
        "    decode = staticmethod(zlib.decompress)\n"
        "codec = Squeeze()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    squeezed = Converter(codec=load_codec("squeeze_for_tests:codec"))
    assert squeezed.decode(squeezed.encode("x" * 1000)) == "x" * 1000
    assert len(squeezed.encode("x" * 1000)) < 100


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_such_module:codec", "there is no 'no_such_module:codec'"),
        ("workflows.converter:nothing", "there is no 'workflows.converter:nothing'"),
        ("workflows.converter:Converter", "an object with encode and decode"),
    ],
)
def test_a_name_that_leads_to_no_codec_says_so(name: str, problem: str) -> None:
    with pytest.raises(InvalidArgumentError, match=problem):
        load_codec(name)


def test_the_limit_counts_the_json_and_not_what_the_codec_makes_of_it() -> None:
    sealed = Converter(10, Reversed())
    assert sealed.decode(sealed.encode("12345678")) == "12345678"


def test_the_module_functions_are_those_of_the_default_converter() -> None:
    assert converter.encode_tagged((1,)) == Converter().encode_tagged((1,))
    assert converter.decode(converter.encode({"a": 1})) == {"a": 1}
    assert converter.decode_tagged(converter.encode_tagged({1})) == {1}


def test_a_model_whose_serializer_raises_is_refused() -> None:
    class Broken(BaseModel):
        def model_dump(self, **_: Any) -> NoReturn:
            raise ValueError("hunter2")

    with pytest.raises(PayloadError, match="Broken has no JSON") as raised:
        encode([Broken()])
    assert raised.value.path == "/0"
    assert "hunter2" not in str(raised.value)
