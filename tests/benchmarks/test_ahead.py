"""What a thread reads ahead: in order, no further than asked, and never left behind."""

import threading

import pytest

from benchmarks.ahead import ahead


def alive():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize("count", [1, 2, 9])
@pytest.mark.parametrize("items", [0, 1, 5])
def test_ahead_yields_every_item_once_and_in_order(items, count):
    assert list(ahead(iter(range(items)), count)) == list(range(items))
    assert alive() == []


def test_ahead_takes_the_next_items_in_one_thread_while_the_caller_works():
    taken, third = [], threading.Event()

    def items():
        for number in range(9):
            taken.append((number, threading.current_thread().name))
            if number == 2:
                third.set()
            yield number

    reading = ahead(items(), 2)
    assert next(reading) == 0
    assert third.wait(5)  # 1 and 2 are on their way although nobody has asked for them
    reading.close()
    assert [number for number, _ in taken] == [0, 1, 2]
    (thread,) = {name for _, name in taken}
    assert thread.startswith("ahead")
    assert alive() == []


def test_ahead_of_none_in_its_items_yields_it():
    assert list(ahead([None, 0, None])) == [None, 0, None]


def test_ahead_raises_an_error_in_its_place():
    def items():
        yield 1
        raise OSError("disk 7 is gone")

    reading = ahead(items())
    assert next(reading) == 1
    with pytest.raises(OSError, match="disk 7 is gone"):
        next(reading)
    assert alive() == []


def test_ahead_of_a_source_gone_silent_ends_when_it_is_stopped():
    silent, stop = threading.Event(), threading.Event()

    def items():
        yield 1
        silent.wait(20)

    reading = ahead(items(), 2, stop.is_set)
    assert next(reading) == 1
    threading.Timer(0.1, stop.set).start()
    assert list(reading) == []  # though nothing came
    assert stop.is_set()
    silent.set()


def test_ahead_that_is_closed_takes_no_further_item():
    taken, under_way, gate = [], threading.Event(), threading.Event()

    def items():
        for number in range(9):
            taken.append(number)
            if number == 1:
                under_way.set()
                gate.wait(5)
            yield number

    reading = ahead(items(), 3)
    next(reading)
    assert under_way.wait(5)
    threading.Timer(0.2, gate.set).start()  # by then the loop over the items is over, and 2 and 3 are not begun
    reading.close()
    assert taken == [0, 1]
