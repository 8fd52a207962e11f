"""BrowserGym's coordinate actions, both ways, and an environment with its face: `reset`, `step`, `close`.

`to_gym` and `from_gym` translate actions; `GymEnv` runs those strings in our browser, with observations named
as BrowserGym names them; `GymBrowser` is the other direction: a BrowserGym environment that our agent drives,
so that its benchmarks can be used. Needs neither package: both sides are known by their shape.
"""

import ast
import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from ..errors import ActionError, InputError
from ..tools import actions as act
from ..tools.find import Told
from ..tools.geometry import Geometry, Point
from ..tools.observation import Effect, Observation
from ..vision.screen import changed_fraction

if TYPE_CHECKING:
    from ..tools import Browser
    from ..tools.writing import Allow

BUTTONS = {"left": act.LeftClick, "right": act.RightClick, "middle": act.MiddleClick}
GYM_KEYS = {"ctrl": "Control", "alt": "Alt", "shift": "Shift", "meta": "Meta", "cmd": "Meta"}


def from_gym(text: str, geometry: Geometry) -> list[act.Action]:
    """`mouse_click(120, 300)` and the like, one call per line, as our actions; `noop` is a wait.

    Raises ActionError for what is no such call, or for actions by `bid`: we have pixels alone.
    """
    try:
        lines = ast.parse(text.strip()).body
        return [action for line in lines for action in _read(line, geometry)]
    except (SyntaxError, ValueError, TypeError, IndexError, KeyError) as error:
        raise ActionError(f"{text!r} is no coordinate action of BrowserGym ({error})") from None


def to_gym(action: Any, geometry: Geometry) -> str:
    """One of our actions as BrowserGym's code, in CSS px. Raises ActionError for what it cannot say."""

    def place(point: tuple[int, int]) -> str:
        x, y = geometry.relative_to_css(point)
        return f"{x:.1f}, {y:.1f}"

    match action:
        case act.LeftClick(coordinate=point):
            return f"mouse_click({place(point)})"
        case act.RightClick(coordinate=point):
            return f"mouse_click({place(point)}, button='right')"
        case act.MiddleClick(coordinate=point):
            return f"mouse_click({place(point)}, button='middle')"
        case act.DoubleClick(coordinate=point) | act.TripleClick(coordinate=point):
            return f"mouse_dblclick({place(point)})"
        case act.MouseMove(coordinate=point):
            return f"mouse_move({place(point)})"
        case act.LeftClickDrag(coordinate=end, start_coordinate=start) if start is not None:
            return f"mouse_drag_and_drop({place(start)}, {place(end)})"
        case act.Type(text=text, coordinate=point):
            click = f"mouse_click({place(point)})\nkeyboard_press('ControlOrMeta+a')\n" if point else ""
            return f"{click}keyboard_type({text!r})"
        case act.Key(keys=keys):
            return f"keyboard_press({'+'.join(act.playwright_key(key) for key in keys)!r})"
        case act.Scroll(pixels=pixels):
            return f"scroll(0, {-pixels:g})"
        case act.HScroll(pixels=pixels):
            return f"scroll({pixels:g}, 0)"
        case act.Wait(time=seconds):
            return f"noop({seconds * 1000:.0f})"
        case act.Goto(url=url):
            return f"goto({url!r})"
        case act.Back() | act.Forward():
            return f"go_{action.action}()"
        case act.NewTab(url=url):
            return f"new_tab()\ngoto({url!r})" if url else "new_tab()"
        case act.SwitchTab(tab=tab):
            return f"tab_focus({tab})"
        case act.CloseTab():
            return "tab_close()"
        case act.Answer(text=text):
            return f"send_msg_to_user({text!r})"
        case act.Terminate(status=status):
            return "report_infeasible('it cannot be done')" if status == "failure" else "noop()"
    raise ActionError(f"BrowserGym has no action for {action.describe()}")


class GymEnv:
    """Our browser behind BrowserGym's interface; `judge(browser)` gives the reward and whether it is over.

    env = GymEnv(lambda: Browser("http://127.0.0.1:8000"), goal="Open the help page", judge=judge)
    obs, info = env.reset()
    obs, reward, terminated, truncated, info = env.step("mouse_click(120, 40)")
    """

    def __init__(
        self, start: Callable[[], "Browser"], goal: str = "", judge: Callable[[Any], Any] | None = None
    ):
        self.goal = goal
        self._start = start
        self._judge = judge
        self._browser: Browser | None = None
        self._loop = asyncio.new_event_loop()
        self._messages: list[dict[str, str]] = []

    def reset(self, seed: int | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        if self._browser is not None:
            self._loop.run_until_complete(self._browser.close())
        self._browser, self._messages = self._start(), []
        self._loop.run_until_complete(self._browser.start())
        return self._look("", ""), {}

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """What cannot be done is `last_action_error`, never an exception."""
        if self._browser is None:
            raise InputError("the environment has not begun: call reset() first")
        try:
            error, told = self._loop.run_until_complete(self._do(self._browser, action))
        except ActionError as refused:
            error, told = str(refused), False
        reward, over = self._loop.run_until_complete(self._judged(self._browser))
        return self._look(action, error), reward, over or told, False, {}

    def close(self) -> None:
        if self._browser is not None:
            self._loop.run_until_complete(self._browser.close())
        self._browser = None
        self._loop.close()

    async def _do(self, browser: "Browser", text: str) -> tuple[str, bool]:
        for action in from_gym(text, (await browser.observe()).geometry):
            if isinstance(action, act.Answer | act.Terminate):
                said = action.text if isinstance(action, act.Answer) else action.status
                self._messages.append({"role": "assistant", "message": said})
                return "", True
            effect = await browser.execute(action)
            if effect.error:
                return effect.error, False
        return "", False

    async def _judged(self, browser: "Browser") -> tuple[float, bool]:
        if self._judge is None:
            return 0.0, False
        verdict = self._judge(browser)
        reward = float(await verdict if asyncio.iscoroutine(verdict) else verdict)
        return reward, reward > 0

    def _look(self, action: str, error: str) -> dict[str, Any]:
        assert self._browser is not None
        seen = self._loop.run_until_complete(self._browser.observe())
        return {
            "goal": self.goal,
            "chat_messages": list(self._messages),
            "url": seen.url,
            "open_pages_urls": [tab.url for tab in seen.tabs],
            "open_pages_titles": [tab.title for tab in seen.tabs],
            "active_page_index": [i for i, tab in enumerate(seen.tabs) if tab.active],
            "screenshot": np.asarray(seen.image),
            "last_action": action,
            "last_action_error": error,
        }


class GymBrowser:
    """A BrowserGym environment (made with the `coord` action set) as the browser of an `Agent`.

    async with GymBrowser(gymnasium.make("browsergym/openended", ...)) as browser:
        run = await Agent(browser.goal, model, browser).run()
        await browser.answer(run.answer)
        print(browser.reward)

    Everything happens in one thread of its own: the environment may hold Playwright's blocking interface.
    """

    url: str | None = None
    cdp_url = "gym"
    viewport: tuple[int, int] | None = None
    allow_hosts: tuple[str, ...] = ()

    def __init__(self, env: Any):
        self.env = env
        self.reward, self.over = 0.0, False
        self.started = False
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._obs: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        self._obs, _ = await self._run(self.env.reset)
        self.started = True

    async def close(self) -> None:
        await self._run(self.env.close)
        self.started = False
        self._thread.shutdown()

    @property
    def goal(self) -> str:
        return str(self._obs.get("goal", ""))

    @property
    def address(self) -> str:
        return str(self._obs.get("url", ""))

    async def inspect(self, expression: str) -> None:
        """A gym shows pixels; nothing more is asked of its page."""

    async def inspect_everywhere(self, expression: str) -> list[Told]:
        """See `inspect`."""
        return [Told(None)]

    async def element_at(self, point: Point) -> None:
        """See `inspect`."""

    async def focused(self, whole: bool = True) -> None:
        """See `inspect`."""

    async def observe(self) -> Observation:
        image = Image.fromarray(np.asarray(self._obs["screenshot"], dtype=np.uint8)).convert("RGB")
        return Observation(image, Geometry(*image.size, *image.size), self.address, "")

    async def execute(self, action: Any, allow: "Allow | None" = None) -> Effect:
        if allow is not None:
            await allow()
        before = await self.observe()
        await self._step(to_gym(action, before.geometry))
        after = await self.observe()
        error = str(self._obs.get("last_action_error") or "") or None
        return Effect(changed_fraction(before.image, after.image), before.url != after.url, error=error)

    async def answer(self, text: str | None) -> None:
        """Tell the environment how the run ended, as its benchmarks want it."""
        await self._step(f"send_msg_to_user({text!r})" if text is not None else "noop()")

    async def _step(self, code: str) -> None:
        obs, reward, terminated, truncated, _ = await self._run(self.env.step, code)
        self._obs, self.reward = obs, self.reward + float(reward)
        self.over = self.over or bool(terminated or truncated)

    async def _run(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)


def _read(line: ast.stmt, geometry: Geometry) -> list[act.Action]:
    call = line.value if isinstance(line, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError("no call")
    values = [ast.literal_eval(value) for value in call.args]
    named = {it.arg: ast.literal_eval(it.value) for it in call.keywords if it.arg}

    def at(i: int = 0) -> tuple[int, int]:
        return geometry.css_to_relative((float(values[i]), float(values[i + 1])))

    match call.func.id:
        case "mouse_click":
            return [BUTTONS[named.get("button", values[2] if len(values) > 2 else "left")](coordinate=at())]
        case "mouse_dblclick":
            return [act.DoubleClick(coordinate=at())]
        case "mouse_move":
            return [act.MouseMove(coordinate=at())]
        case "mouse_drag_and_drop":
            return [act.LeftClickDrag(start_coordinate=at(), coordinate=at(2))]
        case "keyboard_type" | "keyboard_insert_text":
            return [act.Type(text=values[0])]
        case "keyboard_press":
            keys = [GYM_KEYS.get(key.lower(), key) for key in act.split_chord(values[0])]
            return [act.Key(keys=tuple(keys))]
        case "scroll":
            across, down = float(values[0]), float(values[1])
            moves: list[act.Action] = [act.Scroll(pixels=-down)] if down else []
            return [*moves, *([act.HScroll(pixels=across)] if across else [])]
        case "noop":
            return [act.Wait(time=(values[0] if values else 1000) / 1000)]
        case "goto":
            return [act.Goto(url=values[0])]
        case "go_back":
            return [act.Back()]
        case "go_forward":
            return [act.Forward()]
        case "new_tab":
            return [act.NewTab()]
        case "tab_focus":
            return [act.SwitchTab(tab=values[0])]
        case "tab_close":
            return [act.CloseTab()]
        case "send_msg_to_user":
            return [act.Answer(text=values[0])]
        case "report_infeasible":
            return [act.Terminate(status="failure")]
        case name:
            raise ValueError(f"no coordinate action {name}")
