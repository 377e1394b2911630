"""Holds every module to being importable where the kernel is not Linux.

What such systems lack is taken away from the interpreter before the package is imported.
"""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib, os, pkgutil, select, signal, socket, sys
import pytest_stateless

def names():
    walk = pkgutil.walk_packages(pytest_stateless.__path__, "pytest_stateless.")
    return ["pytest_stateless", *(module.name for module in walk)]

for name in names():  # what it needs of others
    importlib.import_module(name)
for name in [name for name in sys.modules if name.partition(".")[0] == "pytest_stateless"]:
    del sys.modules[name]

POSIX_ONLY = '''O_ACCMODE O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_PATH O_TMPFILE ST_RDONLY
    WNOHANG chown fchdir fchmod fchown fork forkpty geteuid getgid getpgrp getuid killpg lchown
    memfd_create mkfifo mknod pidfd_open posix_spawn pread pwrite pwritev sendfile
    setsid statvfs fstatvfs sysconf uname waitid writev copy_file_range'''.split()
for name in POSIX_ONLY:
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGSTOP", "SIGCONT", "SIGHUP", "SIGALRM", "setitimer", "pause"):
    if hasattr(signal, name):
        delattr(signal, name)
for module, name in ((socket, "send_fds"), (socket, "recv_fds"), (select, "poll"),
                     (select, "epoll"), (socket, "AF_UNIX"), (socket, "MSG_DONTWAIT")):
    if hasattr(module, name):
        delattr(module, name)
for name in ("fcntl", "resource", "termios", "posix", "pwd", "grp"):
    sys.modules[name] = None

for name in names():
    importlib.import_module(name)
print("imported")
"""


def test_every_module_can_be_imported_where_linux_and_posix_are_missing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True
    )
    assert ended.stdout == "imported\n", ended.stderr
