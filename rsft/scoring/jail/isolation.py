"""Namespaces, a root of a few read-only folders, limits, no rights: what makes a jail on Linux.

Needs either root with CAP_SYS_ADMIN or user namespaces. Nothing here falls back to less.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import stat
from collections.abc import Sequence

BOX = "/box"
"""The candidate's empty working folder, in memory; gone with the jail."""

_SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_ROOT_AT = "/proc"
"""Where the new root is put together: exists everywhere, and nothing we mount lies below it."""

_NEW_USER, _NEW_NET, _NEW_PID = 0x10000000, 0x40000000, 0x20000000
_NEW_OTHERS = 0x00020000 | 0x08000000 | 0x04000000  # mounts, System V IPC, host name
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 1, 2, 4, 32
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MS_RELATIME = 1 << 21
_ST_RELATIME = 4096
_KEPT_FLAGS = (
    2 | 4 | 8 | 1024 | 2048
)  # nosuid, nodev, noexec, noatime, nodiratime: locked in a user namespace
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CAPABILITY_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(OSError):
    """The kernel does not give what a jail needs."""


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise Refused(f"{what}: {os.strerror(ctypes.get_errno())}")


def die_with_parent() -> None:
    """Has the kernel kill this process when its parent ends; a change of user undoes it."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def enter_namespaces() -> bool:
    """Takes new namespaces; those of processes begin with the next child.

    Returns:
        Whether this process is a root that can still choose user numbers.

    Raises:
        Refused: the kernel says no.
    """
    others = _NEW_NET | _NEW_PID | _NEW_OTHERS
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        if _libc.unshare(others) == 0:
            return True
        # Root of a container. Its number is exempt from limits of processes, so it gives it up.
        uid = gid = spare_number(0)
        _become(uid)
        _checked(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl(PR_SET_DUMPABLE)")
    _checked(_libc.unshare(_NEW_USER | others), "unshare")
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)
        except OSError as error:
            raise Refused(f"writing /proc/self/{name}: {error.strerror}") from None
    return False


def spare_number(which: int) -> int:
    """A user number that no other jail has: limits of processes count by user."""
    number = 1_000_000_000 + 4 * os.getpid() + which
    try:
        with open("/proc/self/uid_map") as file:
            fits = any(
                int(first) <= number < int(first) + int(count) for first, _, count in map(str.split, file)
            )
    except OSError:
        fits = True
    return number if fits else 20_000 + (4 * os.getpid() + which) % 40_000


def build_root(read_only: Sequence[str]) -> None:
    """Replaces the file system: system folders and `read_only` for reading, an empty `BOX`, no more.

    Args:
        read_only: absolute folders, such as the interpreter's.

    Raises:
        Refused: a mount failed.
    """
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", _ROOT_AT, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=64m,nr_inodes=4096,mode=755")
    for path in _SYSTEM:
        if os.path.islink(path):
            os.symlink(os.readlink(path), _ROOT_AT + path)
        elif os.path.isdir(path):
            _show(path)
    for path in read_only:
        if not os.path.exists(_ROOT_AT + path):
            _show(path)
    for path in _DEVICES:
        if os.path.exists(path):
            os.makedirs(_ROOT_AT + os.path.dirname(path), exist_ok=True)
            open(_ROOT_AT + path, "w").close()
            _mount(path, _ROOT_AT + path, None, _MS_BIND)
    for path in (BOX, "/dev/shm"):  # the latter for semaphores of multiprocessing
        os.mkdir(_ROOT_AT + path)
        os.chmod(_ROOT_AT + path, stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    temporary = _ROOT_AT + "/tmp"
    if os.path.isdir(temporary):  # the interpreter, or what it needs, is installed below it
        os.chmod(temporary, stat.S_ISVTX | stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    else:
        os.symlink(BOX, temporary)
    os.chdir(_ROOT_AT)
    number = {"x86_64": 155, "aarch64": 41}.get(os.uname().machine)
    if number is None:
        raise Refused(f"pivot_root: not known on {os.uname().machine}")
    _checked(_libc.syscall(number, b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir(BOX)


def _show(path: str) -> None:
    """Makes a folder readable in the new root, at the same place."""
    target = _ROOT_AT + path
    os.makedirs(target, exist_ok=True)
    _mount(path, target, None, _MS_BIND | _MS_REC)
    flags = os.statvfs(target).f_flag
    kept = flags & _KEPT_FLAGS | (_MS_RELATIME if flags & _ST_RELATIME else 0)
    _mount(None, target, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | kept)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else word.encode() for word in (source, target, kind, data)]
    result = _libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    _checked(result, f"mount at {target.removeprefix(_ROOT_AT) or '/'}")


def drop_rights(user: int | None) -> None:
    """Gives up everything: user, groups, capabilities, gaining any again.

    Args:
        user: the number to become; None where it cannot be chosen.
    """
    if user is not None:
        _become(user)
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    # Nobody of the same number may look into this process or trace it.
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl(PR_SET_DUMPABLE)")


def _become(user: int) -> None:
    try:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError as error:
        raise Refused(f"becoming user {user}: {error.strerror}") from None


def limit(*, cpu_s: int, memory_bytes: int, file_bytes: int, processes: int | None, open_files: int) -> None:
    """Bounds this process and its children; a lower bound that stands already stays."""
    wanted = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: open_files,
        resource.RLIMIT_CORE: 0,
    }
    if processes is not None:
        wanted[resource.RLIMIT_NPROC] = processes
    for kind, amount in wanted.items():
        hard = resource.getrlimit(kind)[1]
        amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (amount, amount))
