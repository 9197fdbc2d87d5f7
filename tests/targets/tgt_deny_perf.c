/* SPDX-License-Identifier: MIT */
/*
 * Runs a command for which perf_event_open fails, as in a container or a virtual machine: `tgt_deny_perf ERROR COMMAND…`
 * with ERROR one of EACCES, ENOSYS, ENOENT, EOPNOTSUPP, by a seccomp filter, which binds root, too.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned error_of(const char *name)
{
    return !strcmp(name, "ENOSYS")       ? ENOSYS
           : !strcmp(name, "ENOENT")     ? ENOENT
           : !strcmp(name, "EOPNOTSUPP") ? EOPNOTSUPP
                                         : EACCES;
}

int main(int argc, char **argv)
{
    unsigned error = error_of(argc > 1 ? argv[1] : "");
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(*filter), .filter = filter};

    if (argc < 3)
        return 2;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("seccomp");
        return 2;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
