/* SPDX-License-Identifier: MIT */

/*
 * Programs that are hard on a guest, by the first argument. Each calls work() exactly 2,000 times, 1,000 before and
 * 1,000 after what it does, and exits 0; a file written in between must hold what was written.
 */
#include <dlfcn.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

static struct {
    uintptr_t start, end;
} libc_text;

static int find_libc(struct dl_phdr_info *info, size_t size, void *within)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        uintptr_t end = start + info->dlpi_phdr[i].p_memsz;

        if (info->dlpi_phdr[i].p_type == PT_LOAD && (uintptr_t)within >= start && (uintptr_t)within < end) {
            libc_text.start = start;
            libc_text.end = end;
            return 1;
        }
    }
    return 0;
}

static uintptr_t interrupted_pc(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#endif
}

/*
 * Out of the middle of libc's malloc a jump leaves a broken allocator behind, with us or without (glibc's tcache_get()
 * unlinks before it counts): so only out of the program's code and of whoever stands between it and libc.
 */
static void on_alarm_jump(int signal, siginfo_t *info, void *context)
{
    uintptr_t pc = interrupted_pc(context);

    (void)signal;
    (void)info;
    if (pc < libc_text.start || pc >= libc_text.end)
        siglongjmp(jump, 1);
}

static void every_ms(const struct sigaction *action)
{
    struct itimerval interval = {{0, action ? 1000 : 0}, {0, action ? 1000 : 0}};

    if (action)
        sigaction(SIGALRM, action, NULL);
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

/* One raw system call takes everything, stdio too; what is opened next gets the numbers 0 to 2. */
static int close_range_all(const char *path)
{
    if (syscall(SYS_close_range, 0, ~0u, 0))
        return 6;
    for (int i = 0; i < 3; i++)
        if (open(path, O_RDWR | O_CREAT | O_APPEND, 0600) != i)
            return 7;
    work();
    dprintf(2, "line 2\n");
    return 0;
}

/* ---- the loader ---- */

static __attribute__((noinline)) int in_callback(struct dl_phdr_info *info, size_t size, void *calls)
{
    (void)info, (void)size;
    come_and_go(18); /* with the loader's lock held */
    *(int *)calls += 1;
    return 0;
}

static volatile bool loaded_enough;

static void *load_and_unload(void *arg)
{
    while (!loaded_enough) {
        void *library = dlopen("libm.so.6", RTLD_NOW), *other = dlopen("libresolv.so.2", RTLD_NOW);

        if (other)
            dlclose(other);
        if (library)
            dlclose(library);
    }
    return arg;
}

static int under_the_loaders_lock(void)
{
    pthread_t thread;
    int calls = 0;

    pthread_create(&thread, NULL, load_and_unload, NULL);
    for (int i = 0; i < 200; i++)
        dl_iterate_phdr(in_callback, &calls);
    loaded_enough = true;
    pthread_join(thread, NULL);
    return calls >= 600 ? 0 : 8;
}

/* ---- threads that do not end of themselves ---- */

static void *allocate_for_ever(void *arg)
{
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
    for (;;) {
        come_and_go(19);
        pthread_testcancel();
    }
    return arg;
}

/* Cancelling unwinds the thread by force. */
static void cancel_threads(void)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void *value;

        pthread_create(&thread, NULL, allocate_for_ever, NULL);
        usleep(500);
        pthread_cancel(thread);
        pthread_join(thread, &value);
        if (value != PTHREAD_CANCELED)
            _exit(9);
    }
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
        every_ms(&(struct sigaction){.sa_handler = on_alarm, .sa_flags = SA_RESTART});
        while (signals < 50)
            ;
        every_ms(NULL);
    } else if (!strcmp(how, "longjmp")) {
        static volatile int jumps;

        if (!dl_iterate_phdr(find_libc, dlsym(RTLD_DEFAULT, "getpid")))
            return 5;
        sigsetjmp(jump, 1);
        if (jumps++ < 50) {
            every_ms(&(struct sigaction){.sa_sigaction = on_alarm_jump, .sa_flags = SA_NODEFER | SA_SIGINFO});
            for (;;)
                come_and_go(16);
        }
        every_ms(NULL);
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
    } else if (!strcmp(how, "close_range")) {
        return close_range_all(argv[2]);
    } else if (!strcmp(how, "memlock")) {
        limit(RLIMIT_MEMLOCK, 0);
    } else if (!strcmp(how, "chroot")) {
        if (chroot(argv[2]) || chdir("/"))
            return 77;
    } else if (!strcmp(how, "setuid")) {
        if (setgid(65534) || setuid(65534))
            return 77;
    } else if (!strcmp(how, "phdr")) {
        int rc = under_the_loaders_lock();

        if (rc)
            return rc;
    } else if (!strcmp(how, "cancel")) {
        cancel_threads();
    } else if (!strcmp(how, "exit_thread")) {
        /* The process ends under three threads that allocate. */
        for (int i = 0; i < 3; i++)
            pthread_create(&thread, NULL, allocate_for_ever, NULL);
        usleep(20000);
    } else if (!strcmp(how, "preload")) {
        /* A preload of its own for its children: they are not ours any more, and nobody minds. */
        setenv("LD_PRELOAD", argv[2], 1);
        if (system("exit 0"))
            return 10;
    } else if (!strcmp(how, "double_free")) {
        void *volatile block = malloc(40), *volatile again = block;

        free(block);
        free(again);
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
