"""A page in a real browser: what it looks like, and what a person who uses it finds."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)


def chromium() -> str:
    """Return the browser, or skip the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("chromium is not installed")
    return found


def tried(page: Path, script: str, folder: Path, *flags: str, width: int = 1280) -> Any:
    """Return what a script returns that is run on a page after its own, in a frame of a browser.

    A window would not become as narrow as a telephone. The policy of the page, which would forbid the
    script, is taken out of the copy that is opened.
    """
    text = page.read_text(encoding="utf-8")
    text, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert count == 1
    told = (
        "(async () => { let told; try { told = await (async () => {" + script + "})(); } "
        "catch (error) { told = {error: String(error && error.stack)}; } "
        "parent.postMessage(JSON.stringify(told), '*'); })();"
    )
    (folder / "tried.html").write_text(text.replace("</body>", f"<script>{told}</script></body>"), "utf-8")
    around = folder / "around.html"
    around.write_text(
        "<script>addEventListener('message', (event) => { const pre = document.createElement('pre'); "
        "pre.id = 'told'; pre.textContent = event.data; document.body.append(pre); });</script>"
        f'<iframe src="tried.html" width="{width}" height="900" style="border: 0"></iframe>',
        encoding="utf-8",
    )
    profile, window = f"--user-data-dir={folder / 'profile'}", f"--window-size={max(width, 600) + 40},1000"
    command = [chromium(), *_FLAGS, profile, window, "--virtual-time-budget=20000", *flags]
    command += ["--dump-dom", around.as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stdout[-2000:]
    return json.loads(html.unescape(found.group(1)))


def dom(page: Path, folder: Path) -> tuple[str, str]:
    """Return a page as it stands after its own script ran, and what the browser says of it."""
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [chromium(), *_FLAGS, "--enable-logging=stderr", profile, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return done.stdout, done.stderr


def shot(page: Path, picture: Path, size: tuple[int, int], anchor: str = "") -> None:
    """Write a picture of a page in a window of a size."""
    profile = f"--user-data-dir={picture.parent / 'profile'}"
    window = f"--window-size={size[0]},{size[1]}"
    command = [chromium(), *_FLAGS, profile, window, f"--screenshot={picture}", page.as_uri() + anchor]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
