"""Takes from every Python that has this directory on its path what only Unix has, as Python on Windows lacks it."""

import os
import signal
import sys

MODULES = ("fcntl", "grp", "pwd", "readline", "resource", "syslog", "termios", "tty")
SIGNALS = (
    "SIGALRM",
    "SIGCHLD",
    "SIGHUP",
    "SIGPIPE",
    "SIGQUIT",
    "SIGUSR1",
    "SIGUSR2",
    "SIG_BLOCK",
    "SIG_UNBLOCK",
)
SIGNAL_FUNCTIONS = ("alarm", "pthread_sigmask", "setitimer", "sigwait")
OS_FUNCTIONS = (
    "fork",
    "forkpty",
    "geteuid",
    "getloadavg",
    "getuid",
    "mkfifo",
    "sched_getaffinity",
    "sysconf",
)

for module in MODULES:
    sys.modules[module] = None  # type: ignore[assignment]  # makes importing it an ImportError
for name in (*SIGNALS, *SIGNAL_FUNCTIONS):
    delattr(signal, name)
for name in OS_FUNCTIONS:
    delattr(os, name)
