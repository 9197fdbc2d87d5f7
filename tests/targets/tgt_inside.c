/* SPDX-License-Identifier: MIT */
/* Prints what a program can see of how it was started: status, limits, descriptors, environment, terminal, parent
 * group. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void print_status(void)
{
    static const char *const kept[] = {"Umask:",  "NoNewPrivs:", "Seccomp:",      "SigQ:",         "SigPnd:", "ShdPnd:",
                                       "SigBlk:", "SigIgn:",     "SigCgt:",       "CapInh:",       "CapPrm:", "CapEff:",
                                       "CapBnd:", "CapAmb:",     "Cpus_allowed:", "Mems_allowed:", "Threads:"};
    FILE *file = fopen("/proc/self/status", "re");
    char line[4096];

    while (file && fgets(line, sizeof(line), file))
        for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
            if (!strncmp(line, kept[i], strlen(kept[i])) && strcmp(kept[i], "SigQ:"))
                printf("status %s", line);
    if (file)
        fclose(file);
}

static void print_limits(void)
{
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limit;

        if (!getrlimit(i, &limit))
            printf("limit %d %llu %llu\n", i, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    }
}

static void print_descriptors(void)
{
    for (int fd = 0; fd < 4096; fd++) {
        struct stat st;
        char path[64], to[4096];
        ssize_t n;

        if (fstat(fd, &st) < 0)
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, to, sizeof(to) - 1);
        to[n > 0 ? n : 0] = '\0';
        if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
            snprintf(to, sizeof(to), "pipe");
        printf("fd %d %s flags %o cloexec %d\n", fd, to, (unsigned)fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    }
}

int main(int argc, char **argv)
{
    char cwd[4096];

    for (int i = 0; i < argc; i++)
        printf("arg %d %s\n", i, argv[i]);
    print_status();
    print_limits();
    print_descriptors();
    for (char **e = environ; *e; e++)
        printf("env %s\n", *e);
    printf("cwd %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
    printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
    printf("own group %d own session %d\n", getpgrp() == getpid(), getsid(0) == getpid());
    return 0;
}
