#!/usr/bin/env bash
# Emits one event without the client: one line of JSON-RPC 2.0 to the daemon's socket, one line back.
# Usage: scripts/emit-socket.sh [KEY] [VALUE as JSON]
set -euo pipefail

key=${1:-data.ready}
value=${2:-'{"rows":3}'}
home=${AIFLOW_HOME:-${XDG_STATE_HOME:-$HOME/.local/state}/aiflow}
socket=${AIFLOW_SOCKET:-$home/aiflow.sock}

# The id makes the event unique: sending the same line twice is one event. A job would use what it reports about,
# such as the name of a partition.
id="$(date +%s)-$$"
request='{"jsonrpc":"2.0","id":1,"method":"emit","params":{"namespace":"'${AIFLOW_NAMESPACE:-default}'",'
request+='"key":"'$key'","value":'$value',"source":"emit-socket.sh","id":"'$id'"}}'

# Not every nc can open a socket file; any language can, for example Python.
if command -v nc >/dev/null && nc -h 2>&1 | grep -q -- '-U'; then
    # The pipe stays open until the reply is there; head ends it.
    { printf '%s\n' "$request"; sleep 2; } | nc -U "$socket" | head -n 1
else
    python3 - "$socket" "$request" <<'PYTHON'
import socket
import sys

path, request = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(10)
    connection.connect(path)
    connection.sendall(request.encode() + b"\n")
    print(connection.makefile().readline(), end="")
PYTHON
fi
