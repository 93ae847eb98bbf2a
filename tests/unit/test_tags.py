"""Tagged JSON: Python data comes back as it was, and reading runs nobody's code."""

import json
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NoReturn
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.converter import decode_tagged, encode_tagged
from workflows.engine import tags
from workflows.engine.payload import MAX_DEPTH
from workflows.engine.tags import RemoteError, Tag, register_tag
from workflows.exceptions import InvalidArgumentError, PayloadError

pytestmark = pytest.mark.unit


def there_and_back(value: Any) -> Any:
    return decode_tagged(encode_tagged(value))


def same(one: Any, other: Any) -> bool:
    """Equal and of the same types all through (1 == 1.0 == True is not enough)."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        pairs = zip(one.items(), other.items(), strict=True)
        return all(same(a, c) and same(b, d) for (a, b), (c, d) in pairs)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    return repr(one) == repr(other)


offsets = st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
zones = st.none() | st.just(UTC) | offsets
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**4000), 10**4000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.datetimes(timezones=zones).map(lambda moment: moment.replace(fold=0))
    | st.dates()
    | st.times(timezones=zones).map(lambda moment: moment.replace(fold=0))
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
keys = st.sampled_from(["$t", "v", "$", "a"]) | scalars | st.tuples(scalars)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(scalars, max_size=4)
        | st.frozensets(scalars, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(st.sampled_from(["$t", "v", "x"]), inner)
    ),
    max_leaves=20,
)


@given(values)
def test_any_python_data_comes_back_with_its_types(value: Any) -> None:
    data = encode_tagged(value)
    json.loads(data)  # it is plain JSON all the same
    back = decode_tagged(data)
    assert same(back, value)
    assert same(decode_tagged(encode_tagged(back)), value)


def test_plain_data_is_written_as_plain_json() -> None:
    value = {"args": [1, "a", None, True, 1.5, [], {}], "kwargs": {"नाम": "x"}}
    assert json.loads(encode_tagged(value)) == value


def test_a_dict_that_looks_like_a_tag_comes_back_as_a_dict() -> None:
    values: list[Any] = [{"$t": "tuple", "v": [1]}, {"$t": 1}, {"$t": {"$t": {}}}]
    for value in values:
        assert there_and_back(value) == value


def test_keys_of_any_plain_type_come_back() -> None:
    value: dict[Any, str] = {
        1: "a",
        (1, "b"): "c",
        None: "d",
        "e": "f",
        date(2026, 1, 1): "g",
    }
    assert same(there_and_back(value), value)


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "another text"


Point = namedtuple("Point", "x y")  # noqa: PYI024 - as plain Huey code has them


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Text("x"), "x"),
        (OrderedDict(a=1), {"a": 1}),
        (Point(1, 2), (1, 2)),
        ({Colour.RED: 1}, {"red": 1}),
        ({Text("x"): 1}, {"x": 1}),
        (type("L", (list,), {})([1]), [1]),
        (type("F", (float,), {})(1.5), 1.5),
    ],
)
def test_a_subclass_of_a_plain_type_comes_back_as_that_type(
    value: Any, back: Any
) -> None:
    assert same(there_and_back(value), back)


class Plain(Enum):
    A = "a"


@dataclass
class Record:
    secret: str = "hunter2"


@pytest.mark.parametrize(
    "value",
    [Plain.A, Record(), object(), 1j, print, range(3), memoryview(b"a"), Record],
)
def test_what_would_not_come_back_is_refused_with_its_path(value: Any) -> None:
    with pytest.raises(PayloadError) as raised:
        encode_tagged({"args": [1, {"a/b~": (value,)}]})
    assert raised.value.path == "/args/1/a~1b~0/0"
    assert "hunter2" not in str(raised.value)


def test_an_offset_with_seconds_is_refused() -> None:
    odd = timezone(timedelta(hours=5, minutes=41, seconds=16))
    for value in (datetime(1900, 1, 1, tzinfo=odd), time(1, tzinfo=odd)):
        with pytest.raises(PayloadError, match="offset"):
            encode_tagged(value)


# -- errors ----------------------------------------------------------------------------


class HomeMadeError(Exception):
    pass


class UnprintableError(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError


def test_a_builtin_error_comes_back_as_itself() -> None:
    for error in (ValueError("a", (1, b"x")), KeyError("k"), OSError(2, "gone")):
        back = there_and_back(error)
        assert type(back) is type(error)
        assert back.args == error.args


def test_a_group_of_errors_comes_back() -> None:
    back = there_and_back(ExceptionGroup("two", [ValueError("a"), KeyError("b")]))
    assert isinstance(back, ExceptionGroup)
    assert [type(part) for part in back.exceptions] == [ValueError, KeyError]


def test_any_other_error_comes_back_as_a_remote_error_with_its_name() -> None:
    back = there_and_back(HomeMadeError("a", 1))
    assert isinstance(back, RemoteError)
    assert back.type_name.endswith("HomeMadeError")
    assert back.args[1:] == ("a", 1)
    assert str(back).endswith("HomeMadeError: a: 1")
    again = there_and_back(back)
    assert (again.type_name, again.args) == (back.type_name, back.args)


def test_a_class_that_only_is_called_like_a_builtin_is_not_one() -> None:
    impostor = type("ValueError", (Exception,), {})
    assert isinstance(there_and_back(impostor("x")), RemoteError)


def test_what_ends_a_process_comes_back_harmless() -> None:
    assert isinstance(there_and_back(SystemExit(1)), RemoteError)
    assert isinstance(there_and_back(KeyboardInterrupt()), RemoteError)


def test_where_an_error_was_raised_comes_with_it_as_a_note() -> None:
    try:
        raise ValueError("x")
    except ValueError as error:
        back = there_and_back(error)
    assert any("raise ValueError" in note for note in back.__notes__)


def test_an_error_is_kept_even_if_its_arguments_cannot_be() -> None:
    assert there_and_back(ValueError(object())).args[0].startswith("<object")
    assert there_and_back(UnprintableError(object())).args[1].startswith("[str()")
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    assert there_and_back(ValueError(cyclic)).args == ("[[...]]",)


# -- registered types ------------------------------------------------------------------


class Money:
    def __init__(self, amount: Any) -> None:
        self.amount = Decimal(amount)


@pytest.fixture
def money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "_by_type", dict(tags._by_type))
    monkeypatch.setattr(tags, "_by_name", dict(tags._by_name))
    register_tag(Tag("money", Money, lambda money: money.amount, Money))


@pytest.mark.usefixtures("money")
def test_a_registered_type_comes_back() -> None:
    back = there_and_back({"price": [Money("1.50")]})
    assert back["price"][0].amount == Decimal("1.50")


@pytest.mark.usefixtures("money")
def test_a_subclass_of_a_registered_type_is_not_taken_for_it() -> None:
    with pytest.raises(PayloadError, match="Dollars"):
        encode_tagged(type("Dollars", (Money,), {})("1"))


@pytest.mark.usefixtures("money")
def test_wrong_content_of_a_registered_tag_is_refused() -> None:
    with pytest.raises(PayloadError, match="money") as raised:
        decode_tagged(b'[{"$t":"money","v":"abc"}]')
    assert raised.value.path == "/0"


@pytest.mark.usefixtures("money")
def test_a_registered_type_that_fails_to_write_is_refused() -> None:
    broken = Money("1")
    del broken.amount
    with pytest.raises(PayloadError, match=r"money.*AttributeError"):
        encode_tagged(broken)


@pytest.mark.usefixtures("money")
@pytest.mark.parametrize("name", ["tuple", "dict", "error", "datetime", "money"])
def test_a_name_that_is_taken_cannot_be_registered(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        register_tag(Tag(name, Record, repr, eval))


@pytest.mark.usefixtures("money")
def test_a_tag_that_writes_itself_ends() -> None:
    register_tag(Tag("self", Record, lambda record: record, repr))
    with pytest.raises(PayloadError, match="deep"):
        encode_tagged(Record())


# -- hostile bytes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b'{"$t":"os.system","v":"true"}', ""),
        (b'{"a":[{"$t":"nothing","v":1}]}', "/a/0"),
        (b'{"\\u0024t":"nothing","v":1}', ""),
        (b'{"$\\u0074":"nothing","v":1}', ""),
        (b'{"$t":"tuple"}', ""),
        (b'{"$t":"tuple","v":[],"w":1}', ""),
        (b'{"$t":["tuple"],"v":[]}', ""),
        (b'{"$t":null,"v":[]}', ""),
        (b'{"$t":"tuple","v":"abc"}', ""),
        (b'{"$t":"set","v":[[1]]}', ""),
        (b'{"$t":"set","v":[{"$t":"x","v":1}]}', "/0"),
        (b'{"$t":"dict","v":[1]}', ""),
        (b'{"$t":"dict","v":[[1]]}', ""),
        (b'{"$t":"dict","v":[[[],1]]}', ""),
        (b'{"$t":"bytes","v":"!"}', ""),
        (b'{"$t":"bytes","v":5}', ""),
        (b'{"$t":"datetime","v":"2026-13-01T00:00:00"}', ""),
        (b'{"$t":"UUID","v":"x"}', ""),
        (b'{"$t":"Decimal","v":"1.2.3"}', ""),
        (b'{"$t":"timedelta","v":"P9999999999999999999D"}', ""),
        (b'{"$t":"error","v":1}', ""),
        (b'{"$t":"error","v":{"type":"ValueError"}}', ""),
        (b'{"$t":"error","v":{"type":"ValueError","args":1}}', ""),
    ],
)
def test_a_tag_with_wrong_content_is_refused(data: bytes, path: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode_tagged(data)
    assert raised.value.path == path


@pytest.mark.parametrize(
    "name", ["__import__", "open", "SystemExit", "type", "eval", ""]
)
def test_an_error_type_from_data_is_never_looked_up(name: str) -> None:
    data = json.dumps({"$t": "error", "v": {"type": name, "args": ["x"]}}).encode()
    back = decode_tagged(data)
    assert isinstance(back, RemoteError)
    assert back.type_name == name


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("$tv\u0000"),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["$t", "v", "type", "args"]),
                inner | st.sampled_from(sorted(tags.RESERVED)),
            )
        ),
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    try:
        back = decode_tagged(json.dumps(value).encode())
    except PayloadError:
        return
    assert same(there_and_back(back), back) or back != back  # noqa: PLR0124 - a NaN


@given(st.binary(max_size=50))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        back = decode_tagged(data)
    except PayloadError:
        return
    assert same(there_and_back(back), back) or back != back  # noqa: PLR0124 - a NaN


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "list": lambda value: [value],
    "tuple": lambda value: (value,),
    "dict": lambda value: {"a": value},
    "odd keys": lambda value: {(): value},
    "error": ValueError,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_whatever_depth_can_be_written_can_be_read(wrap: Callable[[Any], Any]) -> None:
    value, written = 1, 0
    for _ in range(2 * MAX_DEPTH):
        value = wrap(value)
        try:
            data = encode_tagged(value)
        except PayloadError:
            break
        written += 1
        decode_tagged(data)
    assert written >= MAX_DEPTH // 3


def test_an_error_with_huge_arguments_keeps_its_text() -> None:
    back = there_and_back([ValueError("x" * 10**7), ValueError(list(range(10**6)))])
    assert back[0].args[0].startswith("xxx")
    assert back[1].args[0].startswith("[0, 1, 2")


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b'{"$t":"tuple","v":[' * 500 + b"1" + b"]}" * 500,
        b'{"$t":"error","v":{"type":"E","args":[' * 100 + b"1" + b"]}}" * 100,
        b'{"$t":"dict","v":[[1,' * 100 + b"1" + b"]]}" * 100,
        b"[" * 65 + b"]" * 65,
        b'["\\u0041",' + b"[" * 64 + b"]" * 64 + b"]",
    ],
)
def test_deep_nesting_is_refused_when_read(data: bytes) -> None:
    with pytest.raises(PayloadError):
        decode_tagged(data)


def test_sixty_four_levels_are_read() -> None:
    data = b"[" * 64 + b"]" * 64
    assert encode_tagged(decode_tagged(data)) == data


def test_a_uuid_is_read_as_one() -> None:
    assert there_and_back(UUID(int=5)) == UUID(int=5)
