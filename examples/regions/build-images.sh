#!/usr/bin/env bash
# Build the images of this example: database, cache, pages. Usage: build-images.sh [--force]
exec bash "$(dirname "${BASH_SOURCE[0]}")/../images/build.sh" "$@" database cache pages
