"""The functions of the interpreter as they are, for those who stand in for them.

To be imported before anything is put in their place.
"""

from __future__ import annotations

import builtins
import os

open_file = builtins.open
chdir = os.chdir
close = os.close
fstat = os.fstat
getcwd = os.getcwd
listdir = os.listdir
lseek = os.lseek
lstat = os.lstat
mkdir = os.mkdir
open_descriptor = os.open
readlink = os.readlink
access = os.access
rename = os.rename
scandir = os.scandir
stat = os.stat
