#!/usr/bin/env bash
# Build the images of this example: front, cache, guestbook. Usage: build-images.sh [--force]
exec bash "$(dirname "${BASH_SOURCE[0]}")/../images/build.sh" "$@" front cache guestbook
