"""A headless Chromium spoken to over a pipe: the DevTools protocol in a page of code.

Rendering for training runs on machines that have no Playwright; all it needs is HTML in, pixels and JSON out.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from typing import Any

import cv2
import numpy as np

FLAGS = """--headless --no-sandbox --disable-gpu --hide-scrollbars --mute-audio --no-first-run --disable-quic
--disable-background-networking --disable-component-update --disable-sync --disable-extensions --no-zygote
--disable-dev-shm-usage --disable-breakpad --remote-debugging-pipe --force-color-profile=srgb
--disable-features=Translate,OptimizationHints,MediaRouter""".split()


class Chromium:
    """One browser with one page of `width` x `height` CSS px at device-pixel ratio 1."""

    def __init__(self, width: int, height: int, executable: str | None = None):
        self.executable = executable or os.environ.get("SACCADE_CHROMIUM") or find_executable()
        self.profile = tempfile.mkdtemp(prefix="saccade-render-")
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        shell = f'exec "$@" 3<&{to_child} 4>&{from_child}'
        command = [
            "bash",
            "-c",
            shell,
            "chromium",
            self.executable,
            *FLAGS,
            f"--user-data-dir={self.profile}",
        ]
        self._process = subprocess.Popen(
            command, pass_fds=(to_child, from_child), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_child)
        os.close(from_child)
        self._buffer, self._next_id, self._session = b"", 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.resize(width, height)
        self._frame = self.call("Page.getFrameTree")["frameTree"]["frame"]["id"]

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def show(self, html: str) -> None:
        self.call("Page.setDocumentContent", frameId=self._frame, html=html)

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"page script failed: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def screenshot(self) -> np.ndarray:
        """RGB uint8 [height, width, 3]."""
        data = self.call("Page.captureScreenshot", format="png", optimizeForSpeed=True)["data"]
        image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        return image[..., ::-1]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._next_id += 1
        message: dict[str, Any] = {"id": self._next_id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        payload = memoryview(json.dumps(message).encode() + b"\0")
        while payload:
            payload = payload[os.write(self._write, payload) :]
        while (answer := self._receive()).get("id") != self._next_id:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise RuntimeError(f"{self.executable} closed its pipe (exit code {self._process.poll()})")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self.profile, ignore_errors=True)


def find_executable() -> str:
    for name in ("chromium-headless-shell", "chromium", "google-chrome", "chrome"):
        if path := shutil.which(name):
            return path
    raise RuntimeError("no Chromium found: install it, or set SACCADE_CHROMIUM to its path")
