"""Limits and ends the process of the host."""

import os
import signal
import sys
import threading


def limit_memory(megabytes):
    """Lets allocations beyond the limit fail with MemoryError. Linux counts all private memory; other systems count less."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = megabytes << 20
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)))


def watch_parent(descriptor):
    """Ends this process when the parent ends, even in the middle of a long call."""
    os.set_inheritable(descriptor, False)

    def wait():
        while os.read(descriptor, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, name='rowmill-life-line', daemon=True).start()


def keep_open(*ours):
    """Lets os.close and os.closerange leave out `ours`: code that makes a daemon closes every descriptor there is."""
    owner, close, closerange = os.getpid(), os.close, os.closerange

    def close_other(descriptor):
        if descriptor not in ours or os.getpid() != owner:
            close(descriptor)

    def close_others(low, high):
        for kept in sorted(ours) if os.getpid() == owner else ():
            if low <= kept < high:
                closerange(low, kept)
                low = kept + 1
        closerange(low, high)

    os.close, os.closerange = close_other, close_others


def die_with(parent, by=signal.SIGKILL):
    """Lets the kernel (Linux) end this process too: the life-line waits while native code holds the interpreter lock."""
    if not sys.platform.startswith('linux'):
        return
    import ctypes

    parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
    try:
        ctypes.CDLL(None).prctl(parent_death_signal, by, 0, 0, 0)
    except (AttributeError, OSError):
        return
    # If the parent died before the call, no signal will come. A wrapper without `exec` stands between it and us: the kernel then
    # ends this process with the wrapper, and the life-line with the parent.
    if os.getppid() != parent and not is_running(parent):
        os._exit(1)


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def flush_output():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            pass
