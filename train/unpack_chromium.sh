#!/usr/bin/env bash
# Puts the pieces of train/pack_chromium.sh together: `export SACCADE_CHROMIUM=$(bash train/unpack_chromium.sh DIR TO)`.
set -euo pipefail
parts=$1 to=$2
if [ ! -x "$to/chromium/run" ]; then
  mkdir -p "$to"
  cat "$parts"/chromium.part.* | tar -C "$to" -xJf -
  cat >"$to/chromium/fonts.conf" <<CONF
<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$to/chromium/fonts</dir><cachedir>$to/chromium/cache</cachedir>
<include ignore_missing="yes">$to/chromium/conf.d</include></fontconfig>
CONF
  cat >"$to/chromium/run" <<RUN
#!/bin/sh
export LD_LIBRARY_PATH=$to/chromium/lib FONTCONFIG_FILE=$to/chromium/fonts.conf
exec $to/chromium/chromium-headless-shell "\$@"
RUN
  chmod +x "$to/chromium/run"
fi
echo "$to/chromium/run"
