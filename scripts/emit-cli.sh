#!/usr/bin/env bash
# Emits a few events with the client. Each has an id, so running this again with the same name emits nothing new; and
# while the daemon is down the client keeps the events for it.
# Usage: scripts/emit-cli.sh [NAME] [COUNT]
set -euo pipefail

name=${1:-batch-$(date +%s)}
count=${2:-3}

for ((n = 1; n <= count; n++)); do
    aiflow emit data.ready "{\"rows\":$n}" --source emit-cli.sh --id "$name-$n"
done
