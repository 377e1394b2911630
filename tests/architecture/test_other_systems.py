"""What macOS and Windows lack is not needed to import the package.

The standard library is imported first, as it is on this system; then what other systems do not
have is taken away, and every module of ours is imported.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, ctypes, faulthandler, http.client, importlib, json, logging, multiprocessing, os
import pathlib, pickle, pkgutil, select, selectors, shutil, signal, socket, sqlite3, subprocess
import sys, tempfile, threading, unittest.mock
import httpx2, pytest, tblib.pickling_support, anyio

POSIX_ONLY = {
    os: '''fork forkpty register_at_fork setsid killpg getuid geteuid getgid getpgid chown lchown
        mkfifo mknod O_NONBLOCK O_NOCTTY WNOHANG waitstatus_to_exitcode statvfs fchmod fchown
        O_CLOEXEC O_DIRECTORY posix_spawn sysconf''',
    signal: 'SIGKILL SIGSTOP SIGCONT SIGALRM SIGHUP SIGUSR1 set_wakeup_fd',
    socket: 'AF_UNIX recv_fds send_fds MSG_DONTWAIT',
    select: 'poll',
}
LINUX_ONLY = {
    os: '''pidfd_open memfd_create unshare setns O_TMPFILE O_PATH O_NOATIME getxattr setxattr
        listxattr removexattr sendfile copy_file_range splice eventfd posix_fadvise MFD_CLOEXEC
        sched_getaffinity''',
    select: 'epoll',
    signal: 'pidfd_send_signal',
}
MISSING_MODULES = ('fcntl', 'resource', 'grp', 'pwd') if sys.argv[1] == 'win32' else ()

system = sys.argv[1]
for module, names in [*LINUX_ONLY.items(), *(POSIX_ONLY.items() if system == 'win32' else ())]:
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
for name in MISSING_MODULES:
    sys.modules[name] = None
sys.platform = system

import pytest_stateless
names = [
    info.name
    for info in pkgutil.walk_packages(pytest_stateless.__path__, 'pytest_stateless.')
]
assert len(names) > 100, names
failed = {}
for name in names:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f'{type(error).__name__}: {error}'
print('\\n'.join(f'{name}: {why}' for name, why in failed.items()))
sys.stdout.flush()
sys.exit(bool(failed))
"""


@pytest.mark.parametrize("system", ("darwin", "win32"))
def test_every_module_can_be_imported_without_what_the_system_lacks(system: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, system],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
