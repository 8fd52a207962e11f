"""From names to models, and what is refused before anything starts."""

import pytest
from saccade.agent import Agent, ScriptedModel
from saccade.agent.models import resolve
from saccade.agent.protocol import ChatModel
from saccade.errors import CheckpointError, InputError


def test_run_sync(tmp_path):
    script = [{"action": "answer", "text": "42"}]
    assert Agent("Answer", ScriptedModel(script), out=tmp_path / "run").run_sync().answer == "42"


@pytest.mark.parametrize("task", ["", "  \n"])
def test_an_empty_task_is_refused(task):
    with pytest.raises(InputError, match="task is empty"):
        Agent(task, ScriptedModel([]))


def test_a_model_is_a_name_a_path_or_an_object(tmp_path):
    model = ScriptedModel([])
    assert isinstance(model, ChatModel)
    assert resolve(model) is model
    (tmp_path / "script.jsonl").write_text('{"action": "back"}\n')
    assert resolve(tmp_path / "script.jsonl").name == "scripted"
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        resolve(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no model"):
        resolve(42)  # pyright: ignore[reportArgumentType]
