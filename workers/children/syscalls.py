"""Numbers of the system calls that the sandbox knows by name, for the machines it knows."""

from __future__ import annotations

from typing import Final

#: Calls numbered from here on have the same number everywhere, and new ones are added at the end.
FIRST_COMMON: Final = 424

#: name, number on x86_64, number on aarch64; "-" where there is no such call.
_TABLE: Final = """ accept 43 202; accept4 288 242; acct 163 89; add_key 248 217; adjtimex 159 171; bind 49
200; bpf 321 280; brk 12 214; capset 126 91; chroot 161 51; clock_adjtime 305 266; clock_getres 229 114;
clock_gettime 228 113; clock_nanosleep 230 115; clock_settime 227 112; clone 56 220; clone3 435 435; close 3
57; close_range 436 436; connect 42 203; delete_module 176 106; dup 32 23; epoll_pwait2 441 441; execve 59
221; execveat 322 281; exit 60 93; exit_group 231 94; faccessat2 439 439; fanotify_init 300 262; fcntl 72 25;
finit_module 313 273; fork 57 -; fstat 5 80; ftruncate 77 46; futex 202 98; futex_waitv 449 449; getcwd 79 17;
getcpu 309 168; getpid 39 172; getrandom 318 278; getrlimit 97 163; getrusage 98 165; gettid 186 178;
gettimeofday 96 169; init_module 175 105; io_setup 206 0; io_uring_enter 426 426; io_uring_register 427 427;
io_uring_setup 425 425; ioctl 16 29; ioperm 173 -; iopl 172 -; ioprio_set 251 30; kcmp 312 272;
kexec_file_load 320 294; kexec_load 246 104; keyctl 250 219; kill 62 129; landlock_add_rule 445 445;
landlock_create_ruleset 444 444; landlock_restrict_self 446 446; listen 50 201; lseek 8 62; madvise 28 233;
membarrier 324 283; mknod 133 -; mknodat 259 33; mmap 9 222; modify_ldt 154 -; mount 165 40; mprotect 10 226;
mq_open 240 180; mq_unlink 241 181; mremap 25 216; msgctl 71 187; msgget 68 186; msgrcv 70 188; msgsnd 69 189;
munmap 11 215; name_to_handle_at 303 264; nanosleep 35 101; newfstatat 262 79; open_by_handle_at 304 265;
perf_event_open 298 241; personality 135 92; pidfd_getfd 438 438; pidfd_open 434 434; pidfd_send_signal 424
424; pivot_root 155 41; poll 7 -; ppoll 271 73; prctl 157 167; pread64 17 67; prlimit64 302 261;
process_madvise 440 440; process_mrelease 448 448; process_vm_readv 310 270; process_vm_writev 311 271; ptrace
101 117; pwrite64 18 68; quotactl 179 60; read 0 63; readv 19 65; reboot 169 142; recvfrom 45 207; recvmsg 47
212; request_key 249 218; restart_syscall 219 128; rseq 334 293; rt_sigaction 13 134; rt_sigprocmask 14 135;
rt_sigqueueinfo 129 138; rt_sigreturn 15 139; rt_tgsigqueueinfo 297 240; sched_getaffinity 204 123;
sched_setattr 314 274; sched_setparam 142 118; sched_setscheduler 144 119; sched_yield 24 124; seccomp 317
277; semctl 66 191; semget 64 190; semop 65 193; sendmmsg 307 269; sendmsg 46 211; sendto 44 206;
set_robust_list 273 99; setdomainname 171 162; setfsgid 123 152; setfsuid 122 151; setgid 106 144; setgroups
116 159; sethostname 170 161; setns 308 268; setpriority 141 140; setregid 114 143; setresgid 119 149;
setresuid 117 147; setreuid 113 145; setrlimit 160 164; settimeofday 164 170; setuid 105 146; shmat 30 196;
shmctl 31 195; shmget 29 194; shutdown 48 210; sigaltstack 131 132; socket 41 198; socketpair 53 199; swapoff
168 225; swapon 167 224; sysinfo 99 179; syslog 103 116; tgkill 234 131; time 201 -; times 100 153; tkill 200
130; umount2 166 39; uname 63 160; unshare 272 97; userfaultfd 323 282; vfork 58 -; write 1 64; writev 20 66
"""

_COLUMN: Final = {"x86_64": 1, "aarch64": 2}


def numbers(machine: str) -> dict[str, int]:
    """Return the numbers by name on ``machine`` (as ``os.uname`` says it); raises ``KeyError`` if unknown."""
    column = _COLUMN[machine]
    rows = [entry.split() for entry in _TABLE.replace("\n", " ").split(";")]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}
