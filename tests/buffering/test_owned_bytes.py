from __future__ import annotations

from array import array

import pytest

from reactor.buffering.owned_bytes import owned_bytes


class Shouting(bytes):
    def __len__(self) -> int:
        return 1_000_000


def test_bytes_are_kept_as_they_are() -> None:
    data = b"x" * 1000
    assert owned_bytes(data) is data


def test_a_bytearray_is_copied() -> None:
    data = bytearray(b"abc")
    owned = owned_bytes(data)
    data[0] = 0
    assert type(owned) is bytes
    assert owned == b"abc"


def test_an_instance_of_a_subclass_of_bytes_is_copied_to_plain_bytes() -> None:
    owned = owned_bytes(Shouting(b"abc"))
    assert type(owned) is bytes
    assert len(owned) == 3


def test_a_memoryview_of_any_format_and_stride_gives_its_bytes_in_order() -> None:
    assert owned_bytes(memoryview(b"abcdef")[::2]) == b"ace"
    assert owned_bytes(memoryview(b"abcdef")[::-1]) == b"fedcba"
    numbers = array("H", [1, 2, 3])
    assert owned_bytes(memoryview(numbers)) == numbers.tobytes()


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
def test_what_is_not_bytes_like_is_refused_by_the_name_of_its_type(data: object) -> None:
    with pytest.raises(TypeError, match=type(data).__name__):
        owned_bytes(data)  # type: ignore[arg-type]
