"""What other people's clients put into requests beyond what they mean: accepted where it asks for nothing that is not done."""

from tests.server.harness import running

USER = {"role": "user", "content": "hi"}
async def test_an_answer_comes_back_within_the_part_that_told_it() -> None:
    told = {"role": "assistant", "annotations": [], "reasoning_content": "hm", "tool_calls": []}
    said = [{"type": "text", "text": "four", "refusal": None, **told}, {"type": "refusal", "refusal": "no more", "content": None, **told}]
    async with running() as world:
        response = await world.ask(messages=[USER, {"role": "assistant", "content": said}, USER])
        assert response.status_code == 200, response.text
        assert world.small.calls[0].messages[1].text == "fourno more"
