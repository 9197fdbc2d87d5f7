/* SPDX-License-Identifier: MIT */
/*
 * This process's own modules, memory and stacks.
 *
 * glibc >= 2.35 answers "which object is at this pc" without locks (_dl_find_object, made for unwinding). Elsewhere
 * (musl) a small table is made from /proc/self/maps. dl_iterate_phdr() cannot be used: it takes the loader's lock,
 * which the interrupted or allocating code may hold.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "core/clock.h"
#include "core/syscall_linux.h"
#include "core/unwind_elf.h"

/* For sandboxes and emulators without process_vm_readv(). */
static bool read_proc_mem(uint64_t address, uint64_t *word)
{
    long fd = rs_sys_open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    long n;

    if (rs_sys_failed(fd))
        return false;
    n = rs_syscall6(SYS_pread64, fd, (long)word, sizeof(*word), (long)address, 0, 0);
    rs_sys_close((int)fd);
    return n == sizeof(*word);
}

bool rs_unwind_read_self(void *ctx, uint64_t address, uint64_t *word)
{
    struct iovec local = {word, sizeof(*word)}, remote = {(void *)(uintptr_t)address, sizeof(*word)};
    long pid = rs_syscall3(SYS_getpid, 0, 0, 0);
    long n = rs_syscall6(SYS_process_vm_readv, pid, (long)&local, 1, (long)&remote, 1, 0);

    (void)ctx;
    return n == sizeof(*word) || ((n == -ENOSYS || n == -EPERM) && read_proc_mem(address, word));
}

/* ---- a module from its mapped program headers ---- */

/* The program headers of a mapped object; count 0 where they are not at hand (patchelf moves them). */
struct phdrs {
    const Elf64_Phdr *ph;
    unsigned count;
};

/* Those of the object whose ELF header is at START; false if none is. They are in the first page, as linkers do it. */
static bool phdrs_at(uint64_t start, struct phdrs *phdrs, uint64_t *entry)
{
    Elf64_Ehdr eh;

    if (!rs_elf_header((const uint8_t *)(uintptr_t)start, sizeof(eh), &eh))
        return false;
    *entry = eh.e_entry;
    phdrs->count = 0;
    if (eh.e_phoff % 8 == 0 && eh.e_phentsize == sizeof(Elf64_Phdr) && eh.e_phoff < 4096 &&
        eh.e_phoff + (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr) <= 4096)
        *phdrs = (struct phdrs){(const Elf64_Phdr *)(uintptr_t)(start + eh.e_phoff), eh.e_phnum};
    return true;
}

/*
 * How much is mapped of the object from ADDRESS to the end of its segment. Without program headers the unwind
 * information is trusted not to lead out of what is mapped, as libgcc trusts it.
 */
static size_t mapped_tail(const struct rs_unwind_module *m, const struct phdrs *phdrs, uint64_t address)
{
    const Elf64_Phdr *ph = phdrs->ph;

    if (phdrs->count == 0)
        return m->end > address ? m->end - address : (size_t)1 << 30;
    for (unsigned i = 0; i < phdrs->count; i++)
        if (ph[i].p_type == PT_LOAD && ph[i].p_flags & PF_R && address - m->bias - ph[i].p_vaddr < ph[i].p_memsz)
            return ph[i].p_vaddr + ph[i].p_memsz - (address - m->bias);
    return 0;
}

/* Fill M, whose range and bias are set, from its .eh_frame_hdr at HDR. M stays without CFI if anything is odd. */
static void use_mapped_hdr(struct rs_unwind_module *m, uint64_t hdr, const struct phdrs *phdrs)
{
    size_t tail = mapped_tail(m, phdrs, hdr);
    uint64_t eh_addr;

    if (!tail || !rs_unwind_use_hdr(m, (const uint8_t *)(uintptr_t)hdr, tail, hdr, &eh_addr))
        return;
    tail = mapped_tail(m, phdrs, eh_addr);
    m->eh = (struct rs_cfi_section){(const uint8_t *)(uintptr_t)eh_addr, tail, eh_addr};
    if (tail == 0)
        m->table.len = 0;
}

/* ---- the loader's answer ---- */

#ifdef DLFO_STRUCT_HAS_EH_DBASE /* declared by glibc >= 2.35 */

extern int _dl_find_object(void *address, struct dl_find_object *result) __attribute__((weak));

static bool loader_knows(void)
{
    return _dl_find_object != NULL;
}

/*
 * An object whose segments leave gaps (node's) is known by the one segment that holds PC: then its ELF header is
 * elsewhere. The program's headers are told by the kernel; those of a library are not at hand.
 */
static struct phdrs headers_of(const struct dl_find_object *object, uint64_t *entry)
{
    struct phdrs phdrs = {0};
    uint64_t start = (uintptr_t)object->dlfo_map_start;

    *entry = 0;
    if (object->dlfo_link_map->l_name && !object->dlfo_link_map->l_name[0]) {
        phdrs = (struct phdrs){(const Elf64_Phdr *)getauxval(AT_PHDR), (unsigned)getauxval(AT_PHNUM)};
        *entry = getauxval(AT_ENTRY);
        if (phdrs.ph && getauxval(AT_PHENT) == sizeof(Elf64_Phdr))
            return phdrs;
    }
    phdrs.count = 0;
    if ((uintptr_t)object->dlfo_map_end - start >= sizeof(Elf64_Ehdr) && phdrs_at(start, &phdrs, entry) && *entry)
        *entry += object->dlfo_link_map->l_addr;
    return phdrs;
}

static bool find_by_loader(uint64_t pc, struct rs_unwind_module *m)
{
    struct dl_find_object object;
    struct phdrs phdrs;

    if (_dl_find_object((void *)(uintptr_t)pc, &object) != 0)
        return false;
    memset(m, 0, sizeof(*m));
    m->start = (uintptr_t)object.dlfo_map_start;
    m->end = (uintptr_t)object.dlfo_map_end;
    m->bias = object.dlfo_link_map->l_addr;
    phdrs = headers_of(&object, &m->entry);
    if (object.dlfo_eh_frame)
        use_mapped_hdr(m, (uintptr_t)object.dlfo_eh_frame, &phdrs);
    return true;
}

#else

static bool loader_knows(void)
{
    return false;
}

static bool find_by_loader(uint64_t pc, struct rs_unwind_module *m)
{
    (void)pc, (void)m;
    return false;
}

#endif

/* ---- /proc/self/maps ---- */

/* Reads lines without a buffer of its own kind for each: one block on the stack, lines longer than it are cut. */
struct maps {
    int fd;
    unsigned at, len;
    char block[1024];
};

struct mapping {
    uint64_t start, end, offset, inode;
    bool readable, executable;
};

static int maps_byte(struct maps *maps)
{
    if (maps->at == maps->len) {
        long n = rs_sys_read(maps->fd, maps->block, sizeof(maps->block));

        if (n <= 0)
            return -1;
        maps->at = 0;
        maps->len = (unsigned)n;
    }
    return (unsigned char)maps->block[maps->at++];
}

/* A number in BASE up to the next other byte, which is left in *STOP. */
static uint64_t maps_number(struct maps *maps, unsigned base, int *stop)
{
    uint64_t value = 0;

    for (;;) {
        int c = maps_byte(maps);
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : base;

        if (digit >= base) {
            *stop = c;
            return value;
        }
        value = value * base + digit;
    }
}

/* The rest of the line, which is the path, less the blanks before it; cut to SIZE with its NUL. */
static void maps_path(struct maps *maps, char *path, size_t size)
{
    size_t len = 0;
    int c = maps_byte(maps);

    while (c == ' ')
        c = maps_byte(maps);
    for (; c != '\n' && c >= 0; c = maps_byte(maps))
        if (len + 1 < size)
            path[len++] = (char)c;
    if (size)
        path[len] = '\0';
}

/* start-end perms offset major:minor inode, and then the path, which is left for maps_path(). */
static bool maps_next(struct maps *maps, struct mapping *m)
{
    int c;

    m->start = maps_number(maps, 16, &c);
    if (c != '-')
        return false;
    m->end = maps_number(maps, 16, &c);
    m->readable = maps_byte(maps) == 'r';
    maps_byte(maps);
    m->executable = maps_byte(maps) == 'x';
    maps_byte(maps);
    maps_byte(maps);
    m->offset = maps_number(maps, 16, &c);
    maps_number(maps, 16, &c);
    maps_number(maps, 16, &c);
    m->inode = maps_number(maps, 10, &c);
    return c == ' ';
}

bool rs_unwind_local_path(uint64_t address, char *path, size_t size)
{
    struct maps maps = {.fd = (int)rs_sys_open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    struct mapping m;
    bool found = false;

    if (maps.fd < 0)
        return false;
    while (!found && maps_next(&maps, &m)) {
        found = address - m.start < m.end - m.start;
        maps_path(&maps, path, found ? size : 0);
    }
    rs_sys_close(maps.fd);
    return found && *path;
}

/* ---- the table of modules, where the loader does not answer ---- */

enum { MODULES = 512 };

static struct {
    _Atomic uint32_t version; /* odd while it is made; readers copy and check */
    _Atomic long maker;       /* pid: a child forked meanwhile must not wait for its parent's thread */
    _Atomic uint64_t made_ns;
    uint32_t generation;
    unsigned count;
    struct {
        uint64_t start, end, bias, hdr;
    } module[MODULES];
} table;

/* Note the object that starts at M, if it is one with an .eh_frame_hdr. The mapping may vanish: read it safely. */
static bool note_module(const struct mapping *m)
{
    /* Static: only one thread makes the table at a time, and it may be on a small signal stack. */
    static union {
        uint64_t word[512];
        uint8_t byte[4096];
        Elf64_Ehdr eh;
    } page;
    struct iovec local = {&page, sizeof(page)}, remote = {(void *)(uintptr_t)m->start, sizeof(page)};
    long pid = rs_syscall3(SYS_getpid, 0, 0, 0);
    uint64_t first = UINT64_MAX, hdr = 0;
    const Elf64_Phdr *ph;

    if (rs_syscall6(SYS_process_vm_readv, pid, (long)&local, 1, (long)&remote, 1, 0) != sizeof(page) ||
        !rs_elf_header(page.byte, sizeof(page), &page.eh) || page.eh.e_phentsize != sizeof(*ph) ||
        page.eh.e_phoff > 4096 || page.eh.e_phoff % 8 ||
        page.eh.e_phoff + (uint64_t)page.eh.e_phnum * sizeof(*ph) > 4096)
        return false;
    ph = (const Elf64_Phdr *)(page.byte + page.eh.e_phoff);
    for (unsigned i = 0; i < page.eh.e_phnum; i++) {
        if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr < first)
            first = ph[i].p_vaddr & ~(uint64_t)4095;
        if (ph[i].p_type == PT_GNU_EH_FRAME)
            hdr = ph[i].p_vaddr;
    }
    if (first == UINT64_MAX)
        return false;
    table.module[table.count].start = m->start;
    table.module[table.count].end = m->end;
    table.module[table.count].bias = m->start - first;
    table.module[table.count].hdr = hdr ? m->start - first + hdr : 0;
    table.count++;
    return true;
}

static void make_table(struct maps *maps)
{
    struct mapping m;
    uint64_t inode = 0;

    table.count = 0;
    while (table.count < MODULES && maps_next(maps, &m)) {
        maps_path(maps, NULL, 0);
        if (inode && m.inode == inode && m.offset) {
            table.module[table.count - 1].end = m.end;
            continue;
        }
        inode = m.readable && m.offset == 0 && m.inode && note_module(&m) ? m.inode : 0;
    }
}

/* Make the table anew, unless that was done in the last 10 ms or somebody else is at it. */
static void refresh_table(void)
{
    uint32_t version = atomic_load(&table.version);
    uint32_t generation = __atomic_load_n(&rs_unwind_generation, __ATOMIC_ACQUIRE);
    uint64_t now = rs_clock_mono_ns();
    long pid = rs_syscall3(SYS_getpid, 0, 0, 0);
    uint32_t making = version & 1 ? version + 2 : version + 1; /* odd: left behind by a thread of our parent */
    struct maps maps = {.fd = -1};

    if (now - atomic_load(&table.made_ns) < 10000000 && generation == table.generation)
        return;
    if (version & 1 && atomic_load(&table.maker) == pid)
        return;
    maps.fd = (int)rs_sys_open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (maps.fd < 0)
        return;
    if (atomic_compare_exchange_strong(&table.version, &version, making)) {
        atomic_store(&table.maker, pid);
        make_table(&maps);
        table.generation = generation;
        atomic_store(&table.made_ns, now);
        atomic_store(&table.version, making + 1);
    }
    rs_sys_close(maps.fd);
}

static bool find_in_table(uint64_t pc, struct rs_unwind_module *m)
{
    uint32_t version = atomic_load_explicit(&table.version, memory_order_acquire);
    uint64_t hdr = 0, entry;
    struct phdrs phdrs;
    bool found = false;

    if (version & 1 || table.generation != __atomic_load_n(&rs_unwind_generation, __ATOMIC_ACQUIRE))
        return false;
    for (unsigned i = 0; i < table.count && !found; i++)
        if (pc - table.module[i].start < table.module[i].end - table.module[i].start) {
            memset(m, 0, sizeof(*m));
            m->start = table.module[i].start;
            m->end = table.module[i].end;
            m->bias = table.module[i].bias;
            hdr = table.module[i].hdr;
            found = true;
        }
    atomic_thread_fence(memory_order_acquire);
    if (!found || atomic_load_explicit(&table.version, memory_order_relaxed) != version)
        return false;
    if (hdr && phdrs_at(m->start, &phdrs, &entry)) {
        m->entry = entry ? entry + m->bias : 0;
        use_mapped_hdr(m, hdr, &phdrs);
    }
    return true;
}

const struct rs_unwind_module *rs_unwind_find_local(void *ctx, uint64_t pc, struct rs_unwind_module *scratch)
{
    (void)ctx;
    if (loader_knows())
        return find_by_loader(pc, scratch) ? scratch : NULL;
    if (find_in_table(pc, scratch))
        return scratch;
    refresh_table();
    return find_in_table(pc, scratch) ? scratch : NULL;
}

/* ---- stacks ---- */

/* ioctl PROCMAP_QUERY of Linux 6.11 on /proc/self/maps: one mapping by address, without printing the others. */
struct procmap_query {
    uint64_t size, flags, address;
    uint64_t start, end, vma_flags, page_size, offset, inode;
    uint32_t dev_major, dev_minor, name_size, build_id_size;
    uint64_t name, build_id;
};

static bool query_mapping(int fd, uint64_t address, uint64_t *lo, uint64_t *hi)
{
    struct procmap_query q = {.size = sizeof(q), .address = address};

    if (rs_syscall3(SYS_ioctl, fd, (long)_IOWR('f', 17, struct procmap_query), (long)&q) != 0)
        return false;
    *lo = q.start;
    *hi = q.end;
    return true;
}

static bool scan_mappings(int fd, uint64_t address, uint64_t *lo, uint64_t *hi)
{
    struct maps maps = {.fd = fd};
    struct mapping m;

    while (maps_next(&maps, &m)) {
        if (address - m.start < m.end - m.start) {
            *lo = m.start;
            *hi = m.end;
            return true;
        }
        maps_path(&maps, NULL, 0);
    }
    return false;
}

extern void *__libc_stack_end __attribute__((weak));

bool rs_stack_bounds(uint64_t sp, uint64_t *lo, uint64_t *hi)
{
    /* The kernel keeps at least this much below the main stack free of other mappings. */
    const uint64_t main_stack_gap = (uint64_t)128 << 20;
    int fd = (int)rs_sys_open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    bool found;

    if (fd < 0)
        return false;
    found = query_mapping(fd, sp, lo, hi) || scan_mappings(fd, sp, lo, hi);
    rs_sys_close(fd);
    if (found && &__libc_stack_end && (uint64_t)(uintptr_t)__libc_stack_end - *lo < *hi - *lo)
        *lo = *hi - main_stack_gap;
    return found;
}
