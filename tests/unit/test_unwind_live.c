/* SPDX-License-Identifier: MIT */
/*
 * Whole stacks of real programs, interrupted at arbitrary places by ptrace, against libdwfl and, where that
 * disagrees, libunwind: unwinders that share nothing with ours. Programs that are not installed are skipped, said on stderr.
 */
#include "core/unwind.h"

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "suite.h"

enum { MAX = 512, MODULES = 256, SAMPLES = 60 };

struct image {
    char path[512];
    void *bytes;
    size_t len;
};

struct live {
    pid_t pid;
    struct rs_unwind_module module[MODULES];
    unsigned modules;
    struct image image[MODULES];
    unsigned images;
    bool young; /* libraries are still being loaded */
};

static struct live live;
static _Alignas(64) char cache_memory[RS_RULE_CACHE_BYTES(12)];

/* ---- our side ---- */

static bool read_remote(void *ctx, uint64_t address, uint64_t *word)
{
    struct iovec local = {word, 8}, remote = {(void *)address, 8};

    (void)ctx;
    return process_vm_readv(live.pid, &local, 1, &remote, 1, 0) == 8;
}

static const struct rs_unwind_module *find_remote(void *ctx, uint64_t pc, struct rs_unwind_module *scratch)
{
    (void)ctx, (void)scratch;
    for (unsigned i = 0; i < live.modules; i++)
        if (pc - live.module[i].start < live.module[i].end - live.module[i].start)
            return &live.module[i];
    return NULL;
}

static const struct image *image_of(const char *path)
{
    struct image *image = &live.image[live.images];
    struct stat st;
    int fd;

    for (unsigned i = 0; i < live.images; i++)
        if (strcmp(live.image[i].path, path) == 0)
            return &live.image[i];
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || live.images == MODULES)
        return NULL;
    fstat(fd, &st);
    image->len = (size_t)st.st_size;
    image->bytes = mmap(NULL, image->len, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (image->bytes == MAP_FAILED)
        return NULL;
    snprintf(image->path, sizeof(image->path), "%s", path);
    live.images++;
    return image;
}

/* The vDSO is a whole ELF image in memory. */
static void add_vdso(uint64_t start, uint64_t end)
{
    static char copy[64 * 1024];
    struct iovec local = {copy, end - start}, remote = {(void *)start, end - start};

    ck_assert_uint_le(end - start, sizeof(copy));
    ck_assert_int_gt(process_vm_readv(live.pid, &local, 1, &remote, 1, 0), 0);
    rs_unwind_module_elf(&live.module[live.modules++], copy, end - start, start, end, start);
}

static void read_maps(void)
{
    char name[64], line[1024], path[512];
    FILE *maps;

    snprintf(name, sizeof(name), "/proc/%d/maps", live.pid);
    ck_assert_ptr_nonnull(maps = fopen(name, "re"));
    live.modules = 0;
    while (fgets(line, sizeof(line), maps) && live.modules < MODULES) {
        uint64_t start, end, offset, bias;
        char perms[8];
        const struct image *image;

        path[0] = '\0';
        if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %511[^\n]", &start, &end, perms, &offset, path) < 4 ||
            perms[2] != 'x')
            continue;
        if (strcmp(path, "[vdso]") == 0)
            add_vdso(start, end);
        image = path[0] == '/' ? image_of(path) : NULL;
        if (image && rs_elf_bias(image->bytes, image->len, start, offset, &bias))
            rs_unwind_module_elf(&live.module[live.modules++], image->bytes, image->len, start, end, bias);
    }
    fclose(maps);
}

static struct rs_full_regs registers(void)
{
    struct rs_full_regs full = {.known = 0};

#if defined(__x86_64__)
    struct user_regs_struct regs;

    ck_assert_int_eq(ptrace(PTRACE_GETREGS, live.pid, NULL, &regs), 0);
    full = (struct rs_full_regs){{regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp, regs.rsp,
                                  regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
                                  regs.rip},
                                 (1 << RS_REGS) - 1};
#endif
    return full;
}

/* ---- libdwfl's side ---- */

struct theirs {
    uint64_t pc[MAX];
    unsigned count;
};

static int on_frame(Dwfl_Frame *frame, void *arg)
{
    struct theirs *t = arg;
    Dwarf_Addr pc;
    bool activation;

    if (!dwfl_frame_pc(frame, &pc, &activation) || t->count == MAX)
        return DWARF_CB_ABORT;
    t->pc[t->count++] = pc + activation; /* our convention */
    return DWARF_CB_OK;
}

static int no_debuginfo(Dwfl_Module *m, void **data, const char *name, Dwarf_Addr base, const char *file,
                        const char *link, GElf_Word crc, char **found)
{
    (void)m, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)found;
    return -1;
}

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = no_debuginfo};

static struct theirs walk_by_libdwfl(void)
{
    struct theirs t = {.count = 0};
    static Dwfl *dwfl;
    static pid_t of;

    /* One session a process, once its libraries are there: opening node's 98 MB for each sample takes seconds. */
    if (of != live.pid || live.young) {
        if (dwfl)
            dwfl_end(dwfl);
        dwfl = dwfl_begin(&callbacks);
        of = live.pid;
        dwfl_linux_proc_report(dwfl, live.pid);
        dwfl_report_end(dwfl, NULL, NULL);
        ck_assert_int_eq(dwfl_linux_proc_attach(dwfl, live.pid, true), 0);
    }
    dwfl_getthread_frames(dwfl, live.pid, on_frame, &t);
    return t;
}

/* ---- libunwind's side ---- */

/*
 * Loaded at run time, never linked: libunwind takes over backtrace(). An installation without it compares with libdwfl
 * alone. Its header is not needed for the five functions used; UNW_X86_64_RIP is 16, a cursor has 127 words.
 */
static bool walk_by_libunwind(struct theirs *t)
{
#if defined(__x86_64__)
    static void *generic, *ptraced, *space;
    static int (*init_remote)(void *, void *, void *), (*step)(void *), (*signal_frame)(void *);
    static int (*get_reg)(void *, int, uint64_t *);
    static void *(*create)(pid_t), (*destroy)(void *);
    uint64_t cursor[128], pc;
    bool exact = true;
    void *upt;

    if (!space) {
        void *(*create_space)(void *, int);

        dlopen("liblzma.so.5", RTLD_NOW | RTLD_GLOBAL); /* which Debian's build uses without saying so */
        generic = dlopen("libunwind-x86_64.so.8", RTLD_NOW | RTLD_LOCAL);
        ptraced = dlopen("libunwind-ptrace.so.0", RTLD_NOW | RTLD_LOCAL);
        if (!generic || !ptraced)
            return false;
        *(void **)&init_remote = dlsym(generic, "_Ux86_64_init_remote");
        *(void **)&step = dlsym(generic, "_Ux86_64_step");
        *(void **)&signal_frame = dlsym(generic, "_Ux86_64_is_signal_frame");
        *(void **)&get_reg = dlsym(generic, "_Ux86_64_get_reg");
        *(void **)&create_space = dlsym(generic, "_Ux86_64_create_addr_space");
        *(void **)&create = dlsym(ptraced, "_UPT_create");
        *(void **)&destroy = dlsym(ptraced, "_UPT_destroy");
        space = create_space(dlsym(ptraced, "_UPT_accessors"), 0);
    }
    t->count = 0;
    upt = create(live.pid);
    if (init_remote(cursor, space, upt) == 0)
        do {
            get_reg(cursor, 16, &pc);
            if (pc)
                t->pc[t->count++] = pc + exact;
            exact = signal_frame(cursor) > 0;
        } while (t->count < MAX && step(cursor) > 0);
    destroy(upt);
    return true;
#else
    (void)t;
    return false;
#endif
}

/* ---- sampling ---- */

/*
 * Code without unwind information that has not pushed fp yet (crt's constructors): following fp, as libdwfl does, skips
 * the caller that we find on top of the stack, or leads nowhere.
 */
static bool skips_one(const struct theirs *t, const uint64_t *ours, unsigned n)
{
    if (t->count <= 1)
        return t->count == 0 || ours[0] == t->pc[0];
    return n == t->count + 1 && n > 2 && ours[0] == t->pc[0] && memcmp(ours + 2, t->pc + 1, (n - 2) * 8) == 0;
}

struct tally {
    unsigned samples, complete, guessed;
    unsigned same, outvoted; /* as libdwfl says; as libunwind says and libdwfl does not */
    unsigned wrong;          /* as nobody says */
    unsigned long frames;
};

/* Equal, as far as T got: neither knows what to do without unwind information, and libunwind not where to end. */
static bool agrees(const struct theirs *t, const uint64_t *ours, unsigned n)
{
    unsigned same = 0;

    while (same < n && same < t->count && ours[same] == t->pc[same])
        same++;
    return same == n || (same == t->count && same > 1);
}


static void describe(const char *what, const struct theirs *t, const uint64_t *ours, unsigned n, enum rs_stop why)
{
    fprintf(stderr, "%s: pid %d, ours stopped: %s\n", what, live.pid, rs_stop_name(why));
    for (unsigned i = 0; i < n || i < t->count; i++)
        fprintf(stderr, "  %2u ours %#lx theirs %#lx\n", i, i < n ? ours[i] : 0, i < t->count ? t->pc[i] : 0);
}

/* Returns false when the program has ended. */
static bool sample(struct tally *tally)
{
    struct rs_unwinder u = {.cache = (void *)cache_memory, .find = find_remote, .read = read_remote};
    uint64_t ours[MAX];
    struct rs_full_regs full;
    struct rs_regs regs;
    struct theirs t, second = {.count = 0};
    enum rs_stop why;
    unsigned n;
    int status;

    if (ptrace(PTRACE_INTERRUPT, live.pid, NULL, NULL) != 0 || waitpid(live.pid, &status, __WALL) != live.pid ||
        !WIFSTOPPED(status))
        return false;
    live.young = tally->samples < 8;
    if (live.young)
        read_maps();
    full = registers();
    regs = (struct rs_regs){full.reg[RS_REG_PC], full.reg[RS_REG_SP], full.reg[RS_REG_FP], 0, true, &full};
    n = rs_unwind(&u, &regs, ours, MAX, &why);
    if (why != RS_STOP_ROOT) {
        /* a library loaded since? */
        read_maps();
        live.young = true;
        rs_rule_cache_init(u.cache, 12);
        n = rs_unwind(&u, &regs, ours, MAX, &why);
    }
    t = walk_by_libdwfl();
    tally->samples++;
    tally->frames += n;
    tally->complete += why == RS_STOP_ROOT;
    if (why != RS_STOP_ROOT)
        describe("incomplete", &t, ours, n, why);
    tally->guessed += u.guessed > 0;
    if (agrees(&t, ours, n) || (u.guessed && skips_one(&t, ours, n))) {
        tally->same++;
    } else if (walk_by_libunwind(&second) && agrees(&second, ours, n)) {
        tally->outvoted++;
    } else {
        tally->wrong++;
        describe("libdwfl", &t, ours, n, why);
        describe("libunwind", &second, ours, n, why);
    }
    ptrace(PTRACE_CONT, live.pid, NULL, NULL);
    return true;
}

static void start(const char *command)
{
    live.pid = fork();
    if (live.pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
}

/* COMMAND must `exec` its program. Samples it from WARM_UP_MS on. */
static struct tally sample_program(const char *what, const char *command, unsigned warm_up_ms)
{
    struct tally tally = {0};

    memset(cache_memory, 0, sizeof(cache_memory));
    rs_rule_cache_init((void *)cache_memory, 12);
    start(command);
    nanosleep(&(struct timespec){warm_up_ms / 1000, warm_up_ms % 1000 * 1000000}, NULL);
    if (ptrace(PTRACE_SEIZE, live.pid, NULL, NULL) != 0 && errno == EPERM) {
        fprintf(stderr, "%s: skipped, no ptrace here\n", what);
    } else {
        while (tally.samples < SAMPLES && sample(&tally))
            nanosleep(&(struct timespec){0, 2700000}, NULL);
        fprintf(stderr, "%s: %u samples, %.1f frames, %u to the root, %u guessed; %u as libdwfl, %u as libunwind, "
                "%u as nobody\n", what, tally.samples, (double)tally.frames / tally.samples, tally.complete,
                tally.guessed, tally.same, tally.outvoted, tally.wrong);
    }
    kill(live.pid, SIGKILL);
    waitpid(live.pid, NULL, __WALL);
    return tally;
}

static bool installed(const char *program)
{
    if (access(program, X_OK) == 0)
        return true;
    fprintf(stderr, "%s: skipped, not installed\n", program);
    return false;
}

/* Every stack complete, and none contradicts libdwfl's. */
static void check_all(const char *what, const char *command, unsigned warm_up_ms)
{
    struct tally t = sample_program(what, command, warm_up_ms);

    ck_assert_uint_ge(t.complete * 100, t.samples * 98);
    ck_assert_uint_eq(t.wrong, 0);
}

START_TEST(python)
{
    if (installed("/usr/bin/python3"))
        check_all("python3", "exec /usr/bin/python3 -c 'import json,re\nwhile 1: json.dumps([re.sub(\"a\",\"b\",\"banana\")]*99)'",
                  400);
}
END_TEST

/* From the first instruction: the loader's own start has no unwind information, and is the root all the same. */
START_TEST(short_program_from_its_start)
{
    struct tally all = {0};

    if (!installed("/usr/bin/python3"))
        return;
    for (unsigned run = 0; run < 20; run++) {
        struct tally t = sample_program("python3 -c pass", "exec /usr/bin/python3 -c pass", 1 + run % 5);

        all.samples += t.samples;
        all.complete += t.complete;
        all.wrong += t.wrong;
    }
    ck_assert_uint_ge(all.complete * 100, all.samples * 98);
    ck_assert_uint_eq(all.wrong, 0);
}
END_TEST

START_TEST(sqlite)
{
    if (installed("/usr/bin/sqlite3"))
        check_all("sqlite3",
                  "exec /usr/bin/sqlite3 :memory: 'with recursive n(i) as (select 1 union all select i+1 from n)"
                  " select sum(length(hex(randomblob(20)))), i % 97 from n group by 2'",
                  300);
}
END_TEST

START_TEST(openssl_assembly)
{
    if (installed("/usr/bin/openssl"))
        check_all("openssl", "exec /usr/bin/openssl speed -seconds 1 rsa2048 ecdsap256 sha256 aes-128-cbc", 300);
}
END_TEST

START_TEST(gcc)
{
    if (installed("/usr/bin/gcc"))
        check_all("cc1",
                  "cd /tmp; i=0; exec $(gcc -print-prog-name=cc1) -quiet -O2 -o /dev/null - <<E\n"
                  "$(while [ $i -lt 3000 ]; do echo \"int f$i(int *a,int n){int s=0;for(int i=0;i<n;i++)s+=a[i]*$i;return s;}\";"
                  "i=$((i+1)); done)\nE",
                  300);
}
END_TEST

START_TEST(rust_binary)
{
    /* A folder of its own: rustc moves its output over whatever is there, as root over /dev/null too. */
    char command[600], folder[] = "/tmp/rs-unwind-XXXXXX";

    snprintf(command, sizeof(command), "%s/.cargo/bin/cargo", getenv("HOME") ? getenv("HOME") : "");
    if (!installed(command))
        return;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof(command),
             "i=0; exec $(%s/.cargo/bin/rustc --print sysroot)/bin/rustc --crate-type lib -O --emit=obj -o %s/f.o - <<E\n"
             "$(while [ $i -lt 400 ]; do echo \"pub fn f$i(v: &[u64]) -> Vec<String> { v.iter().map(|x| format!(\\\"{}\\\", x + $i)).collect() }\";"
             "i=$((i+1)); done)\nE",
             getenv("HOME"), folder);
    check_all("rustc", command, 700);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(node_with_its_jit)
{
    struct tally t;

    if (!installed("/usr/bin/node"))
        return;
    t = sample_program("node",
                       "exec /usr/bin/node -e 'function f(n){return n<2?n:f(n-1)+f(n-2)}"
                       "while(1){f(18);JSON.stringify([1,2,{a:[3]}].map(x=>x))}'",
                       500);
    /* V8's builtins and its code have no unwind information, but frame pointers. */
    ck_assert_uint_ge(t.complete * 100, t.samples * 90);
}
END_TEST

SUITE("unwind_live", python, short_program_from_its_start, sqlite, openssl_assembly, gcc, rust_binary, node_with_its_jit)
