#!/usr/bin/env bash
# Makes sure that there is a Chromium and a font to draw with. Quick when both are there.
#   .ci/browser.sh PYTHON      PYTHON is an interpreter that has playwright
set -euo pipefail

python=${1:-python3}
commands=(chromium chromium-browser google-chrome-stable google-chrome chrome microsoft-edge)

playwrights_own() {
  "$python" - <<'PY'
import sys
from pathlib import Path
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not Path(playwright.chromium.executable_path).is_file())
PY
}

a_browser() {
  local command
  for command in "${commands[@]}"; do
    command -v "$command" >/dev/null && return
  done
  for command in "/Applications/Google Chrome.app" "/Applications/Chromium.app" /snap/bin/chromium; do
    [ -e "$command" ] && return
  done
  playwrights_own 2>/dev/null
}

apt() {
  command -v apt-get >/dev/null || return 1
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || return 1
    sudo=(sudo)
  fi
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 || {
    "${sudo[@]}" apt-get update -qq &&
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null
  }
}

if ! a_browser; then
  echo "No browser here: installing Chromium."
  "$python" -m playwright install chromium >/dev/null 2>&1 || apt chromium || {
    echo "No browser could be installed. Install Chromium or Chrome, then run this again." >&2
    exit 1
  }
fi

if command -v fc-list >/dev/null; then fonts=$(fc-list | wc -l); else fonts=$(find /usr/share/fonts -name '*.[to]tf' 2>/dev/null | wc -l); fi
if [ "$(uname)" = Linux ] && [ "$fonts" = 0 ]; then
  echo "No fonts here: installing Liberation and DejaVu."
  apt fonts-liberation fonts-dejavu-core || echo "No fonts could be installed: pages will show boxes for text." >&2
fi
