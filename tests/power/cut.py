"""Cuts the power of a mounted file system, told to on standard input.

One line a cut: the mount point, the flag of FS_IOC_SHUTDOWN (0 flushes everything, 1 the journal,
2 nothing), and a seed. With a seed other than 0, some pages of the newest segment are written out
first, one here and one there, as the system's own write-back does when it finds the time: that is
what leaves torn commits behind. Answers with "done" and the time in nanoseconds at which the cut
began, or with what went wrong.
"""

import ctypes
import fcntl
import os
import random
import struct
import sys
import time

SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
PAGE = 4096
SYNC_FILE_RANGE_WRITE_AND_WAIT = 2 | 4

libc = ctypes.CDLL(None, use_errno=True)


def write_out_some(home, seed):
    """Writes out about half of the pages of the newest segment."""
    segments = sorted(name for name in os.listdir(home) if name.endswith(".log"))
    if not segments:
        return
    file = os.open(os.path.join(home, segments[-1]), os.O_RDWR)
    try:
        pages = list(range(os.fstat(file).st_size // PAGE + 1))
        rng = random.Random(seed)
        for page in rng.sample(pages, len(pages) // 2):
            offset, length = ctypes.c_int64(page * PAGE), ctypes.c_int64(PAGE)
            libc.sync_file_range(file, offset, length, SYNC_FILE_RANGE_WRITE_AND_WAIT)
    finally:
        os.close(file)


def cut(home, flag, seed):
    root = os.open(home, os.O_RDONLY)
    try:
        if seed:
            write_out_some(home, seed)
        begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        fcntl.ioctl(root, SHUTDOWN, struct.pack("I", flag))
        return begin
    finally:
        os.close(root)


for line in sys.stdin:
    home, flag, seed = line.rsplit(maxsplit=2)
    try:
        answer = f"done {cut(home, int(flag), int(seed))}"
    except OSError as error:
        answer = str(error)
    print(answer, flush=True)
