"""The exact text of the snapshot memory, and the laws of the conversation."""

from itertools import pairwise

from PIL import Image
from saccade.agent import ToolCall, Usage
from saccade.agent.conversation import NOTE, ConversationMemory, estimate
from saccade.agent.memory import SnapshotMemory, make_memory
from saccade.tools.geometry import Geometry
from saccade.tools.observation import Observation, Tab

from .counting import atoms

CLICK = {"action": "left_click", "coordinate": [500, 300]}


def look(color: int = 0, **fields) -> Observation:
    image = Image.new("RGB", (64, 40), (color, 0, 0))
    return Observation(image, Geometry(64, 40, 64, 40), "http://page/", "Page", **fields)


def text_of(memory: SnapshotMemory) -> str:
    return memory.see(look())[0]["content"][1]["text"]


def images(messages: list[dict]) -> list[Image.Image]:
    parts = [part for message in messages for part in message["content"] if isinstance(part, dict)]
    return [part["image"] for part in parts if part["type"] == "image"]


def test_snapshot_before_the_first_step():
    observation = look()
    assert SnapshotMemory("Add the lamp").see(observation) == [
        {
            "role": "user",
            "content": [
                {"type": "image", "image": observation.image},
                {"type": "text", "text": "Task: Add the lamp"},
            ],
        }
    ]


def test_snapshot_lines(make_step):
    memory = SnapshotMemory("Add the lamp")
    memory.record(make_step(0, CLICK, thought="Click Shop"))
    memory.record(make_step(1, CLICK, changed=0.0, thought="Look for the lamp\nType 'lamp'  into Search"))
    memory.record(make_step(2, CLICK))
    memory.record(make_step(3, CLICK, changed=0.0))
    memory.record(make_step(4, None, thought="Hm", error="no action found in the reply"))
    memory.record(make_step(5, CLICK, changed=0.0, note="This was tried 3 times."))
    assert text_of(memory) == (
        "Task: Add the lamp\n"
        "Done:\n"
        "1. Click Shop\n"
        "2. Type 'lamp' into Search (no change)\n"
        "3. Click at (500, 300)\n"
        "4. Click at (500, 300) (no change)\n"
        "5. Hm (failed: no action found in the reply)\n"
        "6. Click at (500, 300) (no change)"
    )


def test_snapshot_keeps_the_last_lines_and_their_numbers(make_step):
    memory = SnapshotMemory("t")
    for index in range(15):
        memory.record(make_step(index, CLICK, thought=f"step {index + 1}"))
    lines = text_of(memory).split("\n")
    assert lines[:3] == ["Task: t", "Done:", "4. step 4"]
    assert lines[-1] == "15. step 15"
    assert len(lines) == 14


def test_snapshot_tells_what_the_user_answered(make_step):
    memory = SnapshotMemory("t")
    question = {"action": "ask_user", "text": "Which size?"}
    memory.record(make_step(0, question, effect=None, thought="Ask the size", user_reply="large"))
    assert text_of(memory).endswith("1. Ask the size (the user answers: large)")


def test_conversation_turns(make_step):
    memory = ConversationMemory("Add the lamp")
    first = memory.see(look(tabs=(Tab("A", "http://a/", True), Tab("B", "http://b/", False)), dialog="Sure?"))
    assert [message["role"] for message in first] == ["user"]
    assert first[0]["content"][0]["text"] == "Task: Add the lamp"
    assert "Tab 1: B" in first[0]["content"][1]["text"]
    assert "Sure?" in first[0]["content"][1]["text"]
    memory.record(make_step(0, CLICK, thought="Click it", text="ok", note="Try something else."))
    second = memory.see(look(1))
    assert second[:1] == first
    assert second[1] == {
        "role": "assistant",
        "content": "ok",
        "reasoning_content": "Click it",
        "tool_calls": [{"type": "function", "function": {"name": "computer_use", "arguments": CLICK}}],
    }
    assert second[2]["role"] == "tool"
    assert second[2]["content"][0]["text"] == "50% of the screen changed\nTry something else."


def test_conversation_answers_a_reply_without_a_call(make_step):
    memory = ConversationMemory("t")
    memory.see(look())
    memory.record(make_step(0, None, text="I would click", error="no action found in the reply"))
    messages = memory.see(look())
    assert "tool_calls" not in messages[1]
    assert messages[2]["role"] == "user"
    assert messages[2]["content"][0]["text"] == "failed: no action found in the reply"


def test_conversation_evicts_in_chunks(make_step):
    memory = ConversationMemory("t", keep_images=2, evict_images=3)
    counts, stable = [], []
    before: list[dict] = []
    for index in range(10):
        messages = memory.see(look(index))
        counts.append(len(images(messages)))
        stable.append(messages[: len(before)] == before)
        before = messages
        assert images(messages)[-1].getpixel((0, 0)) == (index, 0, 0)
        memory.record(make_step(index, CLICK))
    assert counts == [1, 2, 3, 4, 2, 3, 4, 2, 3, 4]
    assert stable == [True, True, True, True, False, True, True, False, True, True]


def test_make_memory():
    assert isinstance(make_memory("snapshot", "t"), SnapshotMemory)
    assert isinstance(make_memory("conversation", "t"), ConversationMemory)


def test_snapshot_hears_and_reads_results(make_step):
    memory = SnapshotMemory("t")
    memory.record(make_step(0, CLICK, thought="Look it up", effect=None, result="4 EUR"))
    memory.tell("The user says: hurry")
    assert text_of(memory).endswith("1. Look it up (result: 4 EUR)\n2. The user says: hurry")


def played(memory: ConversationMemory, make_step, steps: int, size=(1280, 800)):
    """Messages of each step, as a model would get them."""
    for index in range(steps):
        image = Image.new("RGB", size, (index % 256, 0, 0))
        yield memory.see(Observation(image, Geometry(*size, *size), f"http://page/{index}", "Page"))
        memory.record(make_step(index, CLICK, thought=f"Step {index}: " + "look at the list " * 8))


def test_a_long_conversation_is_cached_and_bounded(make_step):
    """200 steps: nine tenths of the tokens from step 3 on are a prefix of the step before."""
    cached, sizes, computed = 0, [], []
    before: list = []
    for index, messages in enumerate(played(ConversationMemory("t"), make_step, 200)):
        now = atoms(messages)
        same = next((i for i, (a, b) in enumerate(zip(now, before, strict=False)) if a != b), len(before))
        held = sum(size for _, size in now[:same])
        sizes.append(sum(size for _, size in now))
        computed.append(sizes[-1] - held)
        cached += held if index >= 2 else 0
        before = now
    assert cached / sum(sizes[2:]) >= 0.9
    assert max(sizes) < 36_000  # the budget is kept in the memory's own estimate
    assert sum(computed[100:]) < 1.25 * sum(computed[:100])


def test_old_turns_become_lines_and_notes_stay(make_step):
    memory = ConversationMemory("Compare prices", about="Be quick", max_tokens=4000)
    memory.see(look())
    use = NOTE.read({"text": "the mug costs 4"})
    memory.record(make_step(0, None, call=ToolCall("note", use.values), action=use, result="noted"))
    for messages in played(memory, make_step, 60, (320, 200)):
        assert estimate(messages) <= 4000
        roles = [message["role"] for message in messages]
        assert roles[0] == "user"
        assert all(a != b for a, b in pairwise(roles))
    first = "\n".join(part["text"] for part in messages[0]["content"])
    assert first.startswith("Task: Compare prices\nBe quick")
    assert "- the mug costs 4" in first
    assert "Click at (500, 300)" in first


def test_the_budget_is_in_the_models_own_tokens(make_step):
    memory = ConversationMemory("t", max_tokens=4000)
    for messages in played(memory, make_step, 3, (320, 200)):
        estimated = estimate(messages)
    memory.record(make_step(3, CLICK, usage=Usage(estimated * 20, 0, 0, 1)))
    assert estimate(memory.see(look())) < estimated


def test_what_does_not_fit_is_halved_until_one_turn_is_left(make_step):
    memory = ConversationMemory("t")
    sizes = [estimate(list(played(memory, make_step, 20))[-1])]
    memory.see(look())
    while (shorter := memory.shrink()) is not None:
        sizes.append(estimate(shorter))
        assert images(shorter)[-1].size == (64, 40)
    assert len(sizes) >= 3
    assert sizes == sorted(sizes, reverse=True)
    assert SnapshotMemory("t").shrink() is None


def test_a_budget_for_less_than_one_turn_keeps_that_turn(make_step):
    memory = ConversationMemory("t", max_tokens=10)
    for messages in played(memory, make_step, 3):
        assert len(images(messages)) == 1
