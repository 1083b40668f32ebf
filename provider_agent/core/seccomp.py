"""The system calls that a workload may make, as a profile for seccomp: what is not in the list fails.

Narrower than the default of Docker 20.10, and nowhere wider. What needs a capability is left out, as a workload has
none; so are io_uring, which has been the kernel's richest source of holes, tracing, segments (modify_ldt), programs of
32 bits, and sockets other than UNIX, TCP, UDP, ICMP and the netlink of routes.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from typing import Any

Json = dict[str, Any]

FILES = """
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
fallocate fchdir fchmod fchmodat fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr
fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr ioctl lchown lgetxattr link linkat
listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2
pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr
rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range
syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev
"""
WAITING = """
adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl
epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark futex futex_waitv
getitimer gettimeofday inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
io_pgetevents io_setup io_submit nanosleep pause poll ppoll pselect6 restart_syscall select setitimer signalfd
signalfd4 time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
timerfd_settime times
"""
MEMORY = """
brk madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock
munlockall munmap remap_file_pages
"""
PROCESSES = """
arch_prctl capget capset execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getegid geteuid
getgid getgroups getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid
gettid getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self pidfd_open
pidfd_send_signal prctl prlimit64 process_mrelease rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address
setfsgid setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid
sigaltstack sysinfo tgkill tkill uname vfork wait4 waitid
"""
TALKING = """
accept accept4 bind connect getpeername getsockname getsockopt listen mq_getsetattr mq_notify mq_open mq_timedreceive
mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom recvmmsg recvmsg semctl semget semop semtimedop sendmmsg
sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown
"""
ALLOWED = tuple(sorted(" ".join((FILES, WAITING, MEMORY, PROCESSES, TALKING)).split()))

UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
STREAM, DATAGRAM, SOCKET_KIND = 1, 2, 0xF
PROTOCOLS = (0, 1, 6, 17, 58)
"""Whatever the kind has, ICMP, TCP, UDP and ICMPv6: to ask for another one has the kernel load a module for it."""
ROUTE = 0
"""The protocol of netlink with which a program reads its own addresses; the others reach more of the kernel."""
NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID and -NET (linux/sched.h)."""
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""PER_LINUX, PER_LINUX32, either with UNAME26, and the question which one it is (linux/personality.h)."""
UNKNOWN_CALL = 38
"""ENOSYS: a C library then uses the older call, whose flags a filter can see."""


@cache
def profile() -> str:
    """Return the profile as JSON, in the form that an engine takes as `seccomp=` in a container's SecurityOpt."""
    rules = [
        _allow(ALLOWED),
        _allow(["socket"], _equals(0, UNIX)),
        *(
            _allow(["socket"], _equals(0, family), _masked(1, SOCKET_KIND, kind), _equals(2, protocol))
            for family, kind, protocol in product((INET, INET6), (STREAM, DATAGRAM), PROTOCOLS)
        ),
        _allow(["socket"], _equals(0, NETLINK), _equals(2, ROUTE)),
        _allow(["socketpair"], _equals(0, UNIX)),
        _allow(["clone"], _masked(0, NEW_NAMESPACES, 0)),
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": UNKNOWN_CALL},
        *(_allow(["personality"], _equals(0, each)) for each in PERSONALITIES),
    ]
    # only the machine's own calls: in those of 32 bits a socket's kind is out of a filter's sight
    architectures = [{"architecture": f"SCMP_ARCH_{name}", "subArchitectures": []} for name in ("X86_64", "AARCH64")]
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "archMap": architectures, "syscalls": rules})


def _allow(names: list[str] | tuple[str, ...], *arguments: Json) -> Json:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", "args": list(arguments)}


def _equals(index: int, value: int) -> Json:
    return {"index": index, "value": value, "valueTwo": 0, "op": "SCMP_CMP_EQ"}


def _masked(index: int, mask: int, value: int) -> Json:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
