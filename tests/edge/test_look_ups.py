"""What is looked up of a flood: a few a second, whatever it sends, and a good key that is sent again is among them."""

from itertools import count

import pytest

from finance.edge.look_ups import IN_ALL_S, PER_ADDRESS_S, WRONG_S, LookUps

HERE = "203.0.113.7"


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_flood_of_invented_keys_is_looked_up_a_few_times_a_second() -> None:
    clock = Clock()
    look_ups = LookUps(clock)

    taken = 0
    for number in range(60_000):  # a thousand a second, for a minute
        clock.now_s = number / 1_000
        taken += look_ups.take(HERE, f"invented {number}")

    assert 59 * PER_ADDRESS_S <= taken <= 61 * PER_ADDRESS_S


def test_a_good_key_that_is_sent_again_after_a_second_is_looked_up_however_many_others_come() -> None:
    clock = Clock()
    look_ups = LookUps(clock)
    invented = count()

    def flood(seconds: int) -> None:
        for _each in range(1_000 * seconds):
            clock.now_s += 1 / 1_000
            look_ups.take(HERE, f"invented {next(invented)}")

    flood(10)
    first = look_ups.take(HERE, "good")
    flood(1)

    assert (first, look_ups.take(HERE, "good")) == (False, True)


def test_the_first_keys_of_a_quiet_address_are_looked_up_at_once() -> None:
    look_ups = LookUps(Clock())

    assert [look_ups.take(HERE, f"good {number}") for number in range(3)] == [True] * 3


def test_what_was_wrong_is_known_for_a_minute() -> None:
    clock = Clock()
    look_ups = LookUps(clock)
    look_ups.note_wrong("wrong")

    known = [look_ups.was_wrong("wrong"), look_ups.was_wrong("another")]
    clock.now_s += WRONG_S

    assert (known, look_ups.was_wrong("wrong")) == ([True, False], False)


def test_all_addresses_together_have_an_end_too() -> None:
    look_ups = LookUps(Clock())

    assert sum(look_ups.take(f"198.51.100.{number}", f"{number}") for number in range(200)) <= IN_ALL_S


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finance.edge.look_ups.REMEMBERED_MAX", 5)
    look_ups = LookUps(Clock())
    for number in range(8):
        look_ups.note_wrong(str(number))

    assert [number for number in range(8) if look_ups.was_wrong(str(number))] == [3, 4, 5, 6, 7]
