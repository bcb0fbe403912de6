"""Stands in for a process that is forked from one with the libraries loaded.

    python -IS stand_in.py SOCKET -m nextreel ARGUMENT…
    python -IS stand_in.py SOCKET -c CODE ARGUMENT…
    python -IS stand_in.py SOCKET PROGRAM ARGUMENT…      runs nextreel under the name PROGRAM

The forked process has this one's arguments, directory, environment and open files, and ignores the signals that this one
ignores. Signals are passed on to it, and this process ends as that one does. It starts quickly: it imports little, and
no package.
"""

import json
import os
import signal
import socket
import sys
from types import FrameType

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def is_inherited(descriptor: int) -> bool:
    """Whether a file was open when this process was started: what Python opens itself isn't inheritable."""
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # that of the listing
        return False


def main() -> None:
    address, *arguments = sys.argv[1:]
    with os.scandir("/dev/fd") as files:
        descriptors = [int(file.name) for file in files if is_inherited(int(file.name))]
    request = {
        "arguments": arguments,
        "environment": dict(os.environ),
        "ignored": [number for number in PASSED_ON if signal.getsignal(number) is signal.SIG_IGN],
        "numbers": descriptors,
    }
    message = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)

        def pass_on(number: int, frame: FrameType | None) -> None:
            connection.sendall(bytes([number]))

        directory = os.open(".", os.O_RDONLY)
        socket.send_fds(connection, [len(message).to_bytes(8, "big")], [directory, *descriptors])
        connection.sendall(message)
        for number in PASSED_ON:
            signal.signal(number, pass_on)
        code = int(b"".join(iter(lambda: connection.recv(16), b"")))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


main()
