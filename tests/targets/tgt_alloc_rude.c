/* SPDX-License-Identifier: MIT */

/*
 * Programs that are hard on a guest, by the first argument. Each calls work() exactly 2,000 times, 1,000 before and
 * 1,000 after what it does, and exits 0; a file written in between must hold what was written.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static __attribute__((noinline)) void work(void)
{
    for (int i = 0; i < 1000; i++) {
        void *volatile block = malloc(48);

        free(block);
    }
}

/* One pair that no compiler leaves out. */
static __attribute__((noinline)) void come_and_go(size_t size)
{
    void *volatile block = malloc(size);

    free(block);
}

/* ---- early and late ---- */

static pthread_key_t key;

static __attribute__((noinline)) void in_key_destructor(void *value)
{
    static int rounds;

    free(value);
    come_and_go(10);
    if (rounds++ < 2)
        pthread_setspecific(key, malloc(11));
}

static __attribute__((noinline)) void at_exit(void)
{
    come_and_go(12);
}

static __attribute__((constructor(101), noinline)) void before_main(void)
{
    come_and_go(13);
}

static __attribute__((destructor, noinline)) void after_main(void)
{
    come_and_go(14);
}

static void *thread_with_key(void *arg)
{
    pthread_setspecific(key, malloc(11));
    return arg;
}

/* ---- signals ---- */

static volatile sig_atomic_t signals;
static sigjmp_buf jump;

static void on_alarm(int signal)
{
    (void)signal;
    come_and_go(20);
    signals++;
}

static void on_alarm_jump(int signal)
{
    (void)signal;
    siglongjmp(jump, 1);
}

static void every_ms(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    struct itimerval interval = {{0, handler ? 1000 : 0}, {0, handler ? 1000 : 0}};

    if (handler)
        sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &interval, NULL);
}

/* ---- contexts ---- */

static ucontext_t main_context, other_context;

static __attribute__((noinline)) void in_coroutine(void)
{
    for (int i = 0; i < 500; i++) {
        come_and_go(30);
        swapcontext(&other_context, &main_context);
    }
}

static void coroutines(void)
{
    size_t size = 64 * 1024;
    char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    getcontext(&other_context);
    other_context.uc_stack.ss_sp = stack;
    other_context.uc_stack.ss_size = size;
    other_context.uc_link = &main_context;
    makecontext(&other_context, in_coroutine, 0);
    for (int i = 0; i < 500; i++) {
        swapcontext(&main_context, &other_context);
        come_and_go(31);
    }
    munmap(stack, size);
}

/* ---- limits ---- */

/* Anything but what an allocating, computing, exiting program needs kills. */
static void seccomp(void)
{
    static const int allowed[] = {SYS_read,  SYS_write,      SYS_exit,         SYS_exit_group,   SYS_mmap,  SYS_munmap,
                                  SYS_brk,   SYS_mprotect,   SYS_rt_sigreturn, SYS_newfstatat,   SYS_futex, SYS_madvise,
                                  SYS_lseek, SYS_clock_gettime};
    struct sock_filter filter[2 * sizeof(allowed) / sizeof(*allowed) + 2];
    struct sock_fprog program = {.filter = filter};
    unsigned short n = 0;

    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
        filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program.len = n;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(3);
}

static void limit(int what, rlim_t value)
{
    struct rlimit limit = {value, value};

    setrlimit((__rlimit_resource_t)what, &limit);
}

/* ---- descriptors ---- */

/* Closes everything, as daemons do, then opens files of its own that take the free numbers. */
static int close_all(const char *path)
{
    char line[64];
    int fds[64], n = 0;

    for (int fd = 3; fd < 70000; fd++)
        close(fd);
    for (; n < 64; n++) {
        fds[n] = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (fds[n] < 0)
            break;
        dup2(fds[n], 500 + n * 100);
    }
    work();
    for (int i = 0; i < n; i++) {
        int len = snprintf(line, sizeof(line), "line %d\n", i);

        if (write(fds[i], line, (size_t)len) != len)
            return 4;
    }
    return 0;
}

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char here[64];

    here[0] = (char)depth;
    if (!depth) {
        come_and_go(17);
        return here[0];
    }
    return recurse(depth - 1) + here[0];
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    pthread_t thread;

    work();
    if (!strcmp(how, "late")) {
        pthread_key_create(&key, in_key_destructor);
        atexit(at_exit);
        pthread_create(&thread, NULL, thread_with_key, NULL);
        pthread_join(thread, NULL);
    } else if (!strcmp(how, "signals")) {
        every_ms(on_alarm, SA_RESTART);
        while (signals < 50)
            ;
        every_ms(NULL, 0);
    } else if (!strcmp(how, "longjmp")) {
        static volatile int jumps;

        /* Out of the middle of malloc it may leave libc's lock taken: a lock-free one is left, tcache sizes only. */
        sigsetjmp(jump, 1);
        if (jumps++ < 50) {
            every_ms(on_alarm_jump, SA_NODEFER);
            for (;;)
                come_and_go(16);
        }
        every_ms(NULL, 0);
    } else if (!strcmp(how, "coroutines")) {
        coroutines();
    } else if (!strcmp(how, "seccomp")) {
        seccomp();
    } else if (!strcmp(how, "nofile")) {
        limit(RLIMIT_NOFILE, 3);
    } else if (!strcmp(how, "fsize")) {
        limit(RLIMIT_FSIZE, 0);
    } else if (!strcmp(how, "as")) {
        limit(RLIMIT_AS, 96 << 20);
    } else if (!strcmp(how, "close")) {
        int rc = close_all(argv[2]);

        return rc ? rc : 0;
    } else if (!strcmp(how, "unset")) {
        unsetenv("LD_PRELOAD");
        unsetenv("RUSTSCOPE_ALLOC_PIPE");
    } else if (!strcmp(how, "deep")) {
        recurse(20000);
    } else if (!strcmp(how, "sleep")) {
        sleep(argc > 2 ? (unsigned)atoi(argv[2]) : 2);
    }
    work();
    return 0;
}
