"""Makes the built-in model's tokenizer and chat template.

Text is bytes. What a step always contains is single tokens: the scaffolding of a tool call, the names of the actions,
and the numbers 0..1000 as an x ("[512") and as a y (", 300]").
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
]
CONTROL += ["<|video_pad|>"]
ACTIONS = """left_click right_click double_click triple_click middle_click mouse_move left_click_drag type key scroll
hscroll wait goto back forward reload new_tab switch_tab close_tab answer terminate ask_user""".split()
PARAMETERS = ["coordinate", "start_coordinate", "text", "keys", "pixels", "time", "url", "tab", "status"]
CALL = "<tool_call>\n<function=computer_use>\n<parameter=action>\n"
END_PARAMETER, END_CALL = "\n</parameter>\n", "</function>\n</tool_call>"
SCAFFOLD = [
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    CALL,
    f"\n\n{CALL}",
    END_PARAMETER,
    END_CALL,
]
SCAFFOLD += [f"{name}{END_PARAMETER}" for name in ACTIONS] + [f"<parameter={name}>\n" for name in PARAMETERS]
# What nearly every turn says; one token each keeps turns short.
PHRASES = [
    "user\n",
    "assistant\n",
    "Task: ",
    "\nDone:\n",
    "Click '",
    "Click the ",
    "Type '",
    "' into '",
    "' of '",
    "Open '",
]
PHRASES += ["Press ", "Scroll down", "Scroll up", " (no change)", "Done", '["Enter"]', "success"]
X_TOKENS = [f"[{n}" for n in range(1001)]
Y_TOKENS = [f", {n}]" for n in range(1001)]

TEMPLATE = """{%- for message in messages %}
{%- if message.role in ('user', 'tool') %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}{{- message.content }}
{%- else %}{%- for part in message.content %}
{%- if part.type == 'image' %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- elif part.type == 'text' %}{{- part.text }}{%- endif %}
{%- endfor %}{%- endif %}
{{- '<|im_end|>\\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant\\n<think>\\n' + (message.reasoning_content or '') + '\\n</think>' }}
{%- if message.content %}{{- '\\n\\n' + message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{{- '\\n\\n<tool_call>\\n<function=' + call.function.name + '>\\n' }}
{%- for name, value in call.function.arguments.items() %}
{{- '<parameter=' + name + '>\\n' + (value if value is string else value | tojson) + '\\n</parameter>\\n' }}
{%- endfor %}
{{- '</function>\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n<think>\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}"""


def make_tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in CONTROL])
    plain = [*SCAFFOLD, *PHRASES, *X_TOKENS, *Y_TOKENS]
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in plain])
    return tokenizer


def write_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = make_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return tokenizer


def call_text(action: dict) -> str:
    """A call in the wire format of the chat template."""
    body = "".join(
        f"<parameter={name}>\n{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}\n</parameter>\n"
        for name, value in action.items()
    )
    return f"<tool_call>\n<function=computer_use>\n{body}</function>\n</tool_call>"
