#!/bin/sh
# Chromium for the browser tests, from the system's own packages. Soft: without it those tests are skipped and say so.
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing chromium for the browser tests"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get install -y -q chromium || { apt-get update -q && apt-get install -y -q chromium; }; } >/tmp/souk-chromium.log 2>&1 && exit 0
fi
echo "no chromium here: browser tests will be skipped (as root: apt-get install chromium)"
exit 0
