/* SPDX-License-Identifier: MIT */
#include "base/proc_parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"

#define TAIL                                                                                                           \
    " S 4120 4121 4120 34816 4121 4194304 200 300 1 2 37 12 5 4 20 0 7 0 123456 10000000 500 18446744073709551615 "    \
    "94000000000000 94000000100000 140730000000000 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

static void check_comm(const char *comm)
{
    struct proc_stat stat;
    char text[1024];
    int len = snprintf(text, sizeof(text), "4121 (%s)" TAIL, comm);

    ck_assert_int_eq(proc_stat_parse(text, (size_t)len, &stat), 0);
    ck_assert_uint_eq(stat.comm_len, strlen(comm));
    ck_assert_mem_eq(stat.comm, comm, strlen(comm));
    ck_assert_int_eq(stat.state, 'S');
    ck_assert_int_eq(stat.ppid, 4120);
    ck_assert_uint_eq(stat.utime_ticks, 37);
    ck_assert_uint_eq(stat.stime_ticks, 12);
    ck_assert_uint_eq(stat.cutime_ticks, 5);
    ck_assert_uint_eq(stat.cstime_ticks, 4);
    ck_assert_uint_eq(stat.num_threads, 7);
    ck_assert_uint_eq(stat.starttime_ticks, 123456);
    ck_assert_uint_eq(stat.startstack, 140730000000000);
}

START_TEST(any_comm_is_found_between_its_parentheses)
{
    static const char *const comms[] = {"sh",       "a b",       ")",         "(",        ") S 1 2 3",
                                        "x) R (y",  "tab\there", "new\nline", "\xff\xfe", "caf\xc3",
                                        "(sd-pam)", "",          "))))",      "() () ()", "a) S 9 9 9"};

    for (size_t i = 0; i < sizeof(comms) / sizeof(*comms); i++)
        check_comm(comms[i]);
}
END_TEST

START_TEST(a_stat_that_is_cut_off_is_refused_and_never_overrun)
{
    const char text[] = "4121 (a) b)" TAIL;
    char copy[sizeof(text)];
    struct proc_stat stat;

    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        int rc;

        memcpy(copy, text, len);
        copy[len] = '\0';
        rc = proc_stat_parse(copy, len, &stat);
        if (len < 70)
            ck_assert_int_eq(rc, -EINVAL);
    }
}
END_TEST

START_TEST(statm_io_schedstat_and_smaps_rollup_give_their_fields)
{
    const char io_text[] = "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\n"
                           "cancelled_write_bytes: 5\n";
    const char rollup_text[] = "55d0-7ffd ---p 00000000 00:00 0    [rollup]\nRss:                5352 kB\n"
                               "AnonHugePages:   2048 kB\nAnonymous:          1234 kB\nSwap: 0 kB\n";
    struct proc_statm statm;
    struct proc_io io;
    struct proc_schedstat sched;
    uint64_t anon;

    ck_assert_int_eq(proc_statm_parse("2000 300 100 7 0 200 0\n", 23, &statm), 0);
    ck_assert_uint_eq(statm.resident_pages, 300);
    ck_assert_uint_eq(statm.shared_pages, 100);
    ck_assert_int_eq(proc_statm_parse("2000", 4, &statm), -EINVAL);

    ck_assert_int_eq(proc_io_parse(io_text, sizeof(io_text) - 1, &io), 0);
    ck_assert_uint_eq(io.read_bytes, 4096);
    ck_assert_uint_eq(io.write_bytes, 8192);
    ck_assert_int_eq(proc_io_parse("rchar: 1\n", 9, &io), -EINVAL);

    ck_assert_int_eq(proc_schedstat_parse("123456789 42 17\n", 16, &sched), 0);
    ck_assert_uint_eq(sched.run_ns, 123456789);
    ck_assert_uint_eq(sched.timeslices, 17);

    ck_assert_int_eq(proc_smaps_rollup_parse(rollup_text, sizeof(rollup_text) - 1, &anon), 0);
    ck_assert_uint_eq(anon, 1234 * 1024);
}
END_TEST

START_TEST(a_status_tells_the_process_and_its_innermost_pid)
{
    const char inner[] = "Name:\tx\nTgid:\t41\nNSpid:\t4711\t205\t7\nSigCgt:\t0\n";
    const char plain[] = "Name:\tNSpid: 9\nTgid:\t4711\nNSpid:\t4711\n";
    int pid;

    ck_assert_int_eq(proc_status_tgid(inner, sizeof(inner) - 1, &pid), 0);
    ck_assert_int_eq(pid, 41);
    ck_assert_int_eq(proc_status_innermost_pid(inner, sizeof(inner) - 1, &pid), 0);
    ck_assert_int_eq(pid, 7);
    ck_assert_int_eq(proc_status_innermost_pid(plain, sizeof(plain) - 1, &pid), 0);
    ck_assert_int_eq(pid, 4711);
    ck_assert_int_eq(proc_status_innermost_pid("Name:\tx\n", 8, &pid), -EINVAL);
    ck_assert_int_eq(proc_status_tgid("", 0, &pid), -EINVAL);
}
END_TEST

START_TEST(a_sleeping_thread_tells_where_its_stack_is)
{
    const char sleeping[] = "230 0x0 0x0 0x7ffd10 0x0 0x0 0x0 0x7ffd1000 0x7f12ab\n";
    uint64_t sp, pc;

    ck_assert_int_eq(proc_syscall_parse(sleeping, sizeof(sleeping) - 1, &sp, &pc), 0);
    ck_assert_uint_eq(sp, 0x7ffd1000);
    ck_assert_uint_eq(pc, 0x7f12ab);
    ck_assert_int_eq(proc_syscall_parse("running\n", 8, &sp, &pc), -EINVAL);
    ck_assert_int_eq(proc_syscall_parse("", 0, &sp, &pc), -EINVAL);
}
END_TEST

START_TEST(the_model_of_the_first_cpu_is_found)
{
    const char text[] = "processor\t: 0\nmodel\t\t: 3\nmodel name\t: A Chip @ 2 GHz\nprocessor\t: 1\nmodel name\t: B\n";
    const char *name;
    size_t len;

    ck_assert_int_eq(proc_cpuinfo_model(text, sizeof(text) - 1, &name, &len), 0);
    ck_assert_uint_eq(len, strlen("A Chip @ 2 GHz"));
    ck_assert_mem_eq(name, "A Chip @ 2 GHz", len);
    ck_assert_int_eq(proc_cpuinfo_model("processor\t: 0\n", 14, &name, &len), -EINVAL);
}
END_TEST

START_TEST(the_caught_signals_are_read_from_status)
{
    const char text[] = "Name:\tx\nSigBlk:\t0000000000000000\nSigCgt:\t0000000180014a02\n";
    bool catches;

    ck_assert_int_eq(proc_status_catches(text, sizeof(text) - 1, 2, &catches), 0);
    ck_assert(catches);
    ck_assert_int_eq(proc_status_catches(text, sizeof(text) - 1, 1, &catches), 0);
    ck_assert(!catches);
    ck_assert_int_eq(proc_status_catches(text, sizeof(text) - 1, 33, &catches), 0);
    ck_assert(catches);
    ck_assert_int_eq(proc_status_catches("Name:\tx\n", 8, 2, &catches), -EINVAL);
}
END_TEST

START_TEST(children_are_listed_one_by_one)
{
    const char *text = "17 4194304 99 ";
    int pid;

    ck_assert(proc_children_next(&text, &pid) && pid == 17);
    ck_assert(proc_children_next(&text, &pid) && pid == 4194304);
    ck_assert(proc_children_next(&text, &pid) && pid == 99);
    ck_assert(!proc_children_next(&text, &pid));
}
END_TEST

START_TEST(the_machines_first_line_is_its_cpu_time)
{
    /* user nice system idle iowait irq softirq steal guest guest_nice */
    static const char text[] = "cpu  100 20 30 4000 50 6 7 80 90 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
    struct proc_machine machine;
    char copy[sizeof(text)];

    ck_assert_int_eq(proc_machine_parse(text, sizeof(text) - 1, &machine), 0);
    ck_assert_uint_eq(machine.busy_ticks, 163);
    ck_assert_uint_eq(machine.steal_ticks, 80);
    ck_assert_uint_eq(machine.all_ticks, 4293);
    for (size_t len = 0; len < 28; len++) { /* up to seven numbers */
        memcpy(copy, text, len);
        copy[len] = '\0';
        ck_assert_int_eq(proc_machine_parse(copy, len, &machine), -EINVAL);
    }
    ck_assert_int_eq(proc_machine_parse("intr 1 2", 8, &machine), -EINVAL);
}
END_TEST

SUITE("proc_parse", any_comm_is_found_between_its_parentheses, a_stat_that_is_cut_off_is_refused_and_never_overrun,
      statm_io_schedstat_and_smaps_rollup_give_their_fields, a_status_tells_the_process_and_its_innermost_pid,
      a_sleeping_thread_tells_where_its_stack_is, the_model_of_the_first_cpu_is_found,
      the_caught_signals_are_read_from_status, children_are_listed_one_by_one,
      the_machines_first_line_is_its_cpu_time)
