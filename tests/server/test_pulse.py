"""How often engines are asked whether they are well."""

import asyncio

from server.pulse import Beat, Pulse


async def test_an_engine_that_is_down_is_asked_often_and_one_that_is_well_or_slow_holds_up_nothing() -> None:
    asked: list[str] = []
    told: list[tuple[str, bool]] = []
    back = asyncio.Event()

    def engine(name: str, *, well: bool = True, slow: bool = False) -> Beat:
        async def healthy() -> bool:
            asked.append(name)
            if slow:
                await asyncio.sleep(60)
            if asked.count(name) == 5:
                back.set()
            return well

        return Beat(healthy, lambda: name != "sick")

    engines = {"well": engine("well"), "sick": engine("sick"), "slow": engine("slow", slow=True), "down": engine("down", well=False)}
    pulse = Pulse(engines, lambda name, up: told.append((name, up)), every=60, anxious=0.001)
    pulse.start()
    await asyncio.wait_for(back.wait(), 30)
    await pulse.close()
    assert {name: asked.count(name) for name in ("well", "sick", "slow")} == {"well": 1, "sick": 1, "slow": 1}
    assert {("well", True), ("sick", False), ("down", False)} == set(told)


async def test_an_engine_that_goes_and_comes_back_is_told_once_each_with_the_reason() -> None:
    answers = iter([True, False, False, True, True])
    said: list[str] = []
    over = asyncio.Event()

    async def healthy() -> bool:
        try:
            return next(answers)
        except StopIteration:
            over.set()
            return True

    pulse = Pulse({"slm": Beat(healthy, trouble=lambda: "no route")}, lambda name, up: None, said.append, every=0.001, anxious=0.001)
    pulse.start()
    await asyncio.wait_for(over.wait(), 30)
    await pulse.close()
    assert said == ["slm takes no calls: no route", "slm is up again"]
