"""Many cases in one test: all are tried, and what fails or skips itself is named."""

import pytest

import cases


def test_every_case_is_tried_and_every_one_that_fails_is_named():
    tried = []

    @cases.each("n", {"one": 1, "two": 2, "three": 3, "four": 4})
    def test(n):
        tried.append(n)
        assert n % 2, f"{n} is even"

    with pytest.raises(AssertionError, match="2 is even") as caught:
        test(0)
    assert tried == [1, 2, 3, 4]
    first, other = caught.value.__notes__
    assert first == "in the case two"
    assert other.startswith("and in the case four: AssertionError 4 is even")


def test_an_error_that_did_not_come_is_named_too():
    @cases.each("text", ["1", "x"])
    def test(text):
        with pytest.raises(ValueError, match="invalid"):
            int(text)

    with pytest.raises(pytest.fail.Exception) as caught:
        test(0)
    assert caught.value.__notes__ == ["in the case 1"]


def test_cases_that_skip_themselves_are_named_with_their_reason():
    tried = []

    @cases.each("n", range(4))
    def test(n):
        if n % 2:
            pytest.skip("odd")
        tried.append(n)

    with pytest.raises(pytest.skip.Exception, match=r"^odd: 1, 3$"):
        test(0)
    assert tried == [0, 2]


def test_each_above_each_is_the_product_as_far_as_it_is_wanted():
    tried = []

    @cases.each("n", range(30), where=lambda n, name, m: n != m)
    @pytest.mark.slow
    @cases.each("name, m", [("a", 1), ("b", 2), ("c", 3), ("d", 4)])
    def test(n, name, m, tmp_path):
        tried.append((n, name, m))

    slow, parts = sorted(test.pytestmark, key=lambda mark: len(mark.args))
    assert slow.name == "slow" and parts.args == ("of_cases", range(2))
    for part in parts.args[1]:
        test(part, tmp_path=None)
    wanted = [(n, name, m) for n in range(30) for m, name in enumerate("abcd", 1) if n != m]
    assert sorted(tried) == wanted


def test_each_case_draws_the_same_numbers():
    drawn = []

    @cases.each("k", range(3))
    def test(k):
        drawn.append(RNG.random())

    test(0)
    assert len(drawn) == 3 and len(set(drawn)) == 1


RNG = cases.generator("each")
