"""Allocators other than libc's, and libraries that do not call ours: what is counted, and what is said of the rest."""

import os
import pathlib
import shutil
import subprocess

import pytest

from allocs import Allocs

PLAIN = ["--no-stacks", "-q"]

# 5,000 blocks of 4,000 bytes by ALLOC, which live together; 1,000 of 48 by malloc.
PROGRAM = """
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void *ALLOC(size_t size);
void *by_malloc(void) { return malloc(48); }
int main(void)
{
    static void *volatile blocks[5000];
    for (int i = 0; i < 5000; i++)
        blocks[i] = memset(ALLOC(4000), 1, 4000);
    for (int i = 0; i < 1000; i++)
        free(by_malloc());
    usleep(100000); /* for a look at its memory */
    return 0;
}
"""

CXX_PROGRAM = """
#include <cstdlib>
#include <cstring>
extern "C" __attribute__((noinline)) char *by_new() { return new char[100]; }
extern "C" __attribute__((noinline)) void *by_malloc() { return malloc(48); }
int main()
{
    for (int i = 0; i < 1000; i++) {
        char *volatile one = by_new();
        void *volatile two = by_malloc();
        delete[] one;
        free(two);
    }
}
"""

# Every form of the operators, and one that fails.
CXX_OPERATORS = """
#include <cstdio>
#include <cstdlib>
#include <new>
#define APART extern "C" __attribute__((noinline))
struct alignas(64) wide { char bytes[128]; };
APART void plain() { int *volatile one = new int; delete one; }
APART void array(int i) { char *volatile some = new char[100]; if (i >= 3) delete[] some; }
APART void nothrow() { char *volatile some = new (std::nothrow) char[50]; operator delete[](some, std::nothrow); }
APART void aligned() { wide *volatile one = new wide; delete one; }
APART void aligned_array() { wide *volatile some = new (std::nothrow) wide[3]; delete[] some; }
APART void by_malloc() { void *volatile one = malloc(48); free(one); }
APART void too_much()
{
    volatile size_t size = ~size_t(0) / 4;
    try {
        static char *volatile none = new char[size];
        (void)none;
    } catch (const std::bad_alloc &) {
        fputs("bad_alloc ", stdout);
    }
    if (!operator new(size, std::nothrow))
        fputs("nothrow\\n", stdout);
}
int main()
{
    for (int i = 0; i < 1000; i++) {
        plain();
        array(i);
        nothrow();
        aligned();
        aligned_array();
        by_malloc();
    }
    too_much();
}
"""

# A C program's C++ plugin, with the C++ library's operators or (OWN) with its own.
OPERATORS_PLUGIN = """
#include <cstdlib>
#include <new>
#ifdef OWN
static int live;
void *operator new(size_t size) { live++; return malloc(size); }
void operator delete(void *block) noexcept { live--; free(block); }
void operator delete(void *block, size_t) noexcept { live--; free(block); }
#endif
struct thing { char bytes[100]; };
extern "C" __attribute__((noinline)) thing *plugin_take() { return new thing; }
extern "C" int plugin_size() {
    for (int i = 0; i < 1000; i++)
        delete plugin_take();
#ifdef OWN
    if (live)
        return live;
#endif
    return sizeof(thing);
}
"""
OPERATORS_HOST = """
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    int (*size)(void) = (int (*)(void))dlsym(plugin, "plugin_size");
    printf("plugin %d\\n", size());
    return argc != 2 || dlclose(plugin);
}
"""

# The prefix is given to what the program calls, not to everything: an allocator calls libc, too.
FAMILY = ["malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "memalign", "valloc",
          "malloc_usable_size", "mallocx", "rallocx", "sallocx"]


def library(name):
    for folder in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]:
        if os.path.exists(f"{folder}/{name}"):
            return f"{folder}/{name}"
    pytest.skip(f"{name} is not installed")


def compile_(tmp_path, text, *arguments, compiler="gcc"):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    source = tmp_path / ("program.cpp" if compiler == "g++" else "program.c")
    source.write_text(text)
    program = tmp_path / "program"
    subprocess.run([compiler, "-O1", "-g", "-fno-builtin", "-o", program, source, *arguments], check=True)
    return str(program)


def warnings_of(recording):
    return " ".join(recording.session["diagnostics"]["warnings"])


def test_a_malloc_in_the_programs_own_file_is_told(record, target):
    recording = record(PLAIN, [target("alloc_own")])
    assert recording.returncode == 0
    assert recording.session["summary"]["total_allocations"] == 0
    assert recording.session["processes"][0]["shim"]["reason"] == "malloc is in the program's own file"
    assert "tgt_alloc_own: malloc is in the program's own file" in warnings_of(recording)


def test_a_static_jemalloc_is_named(record, tmp_path):
    program = compile_(tmp_path, PROGRAM, "-DALLOC=malloc", library("libjemalloc.a"), "-lstdc++", "-lm", "-lpthread", "-ldl")
    recording = record(PLAIN, [program])
    assert recording.returncode == 0
    assert recording.session["processes"][0]["shim"]["reason"] in (
        "malloc is in the program's own file",
        "an allocator of its own bypasses malloc",
    )
    assert "jemalloc" in warnings_of(recording)


def test_a_static_jemalloc_with_a_prefix_is_named(record, tmp_path):
    prefixed = tmp_path / "libprefixed.a"
    renamed = [f"--redefine-sym={name}=je_{name}" for name in FAMILY]
    subprocess.run(["objcopy", *renamed, library("libjemalloc.a"), prefixed], check=True)
    program = compile_(tmp_path, PROGRAM, "-DALLOC=je_malloc", prefixed, "-lstdc++", "-lm", "-lpthread", "-ldl")
    recording = record(PLAIN, [program])
    assert recording.returncode == 0
    # What goes through malloc is counted as ever.
    assert Allocs(recording.session).of("by_malloc") == 1000
    assert recording.session["processes"][0]["shim"]["reason"] == "an allocator of its own bypasses malloc"
    assert "jemalloc that is linked into the program" in warnings_of(recording)


@pytest.mark.parametrize("name", ["jemalloc", "tcmalloc_minimal", "mimalloc"])
@pytest.mark.parametrize("how", ["linked", "preloaded"])
def test_operators_of_a_shared_allocator_are_recorded(record, tmp_path, name, how):
    shared = library(f"lib{name}.so")
    env = {**os.environ, "LD_PRELOAD": shared} if how == "preloaded" else None
    program = compile_(tmp_path, CXX_OPERATORS, *(["-Wl,--no-as-needed", shared] if how == "linked" else []), compiler="g++")
    native = subprocess.run([program], env=env, capture_output=True)  # mimalloc's C build aborts for want of bad_alloc
    recording = record(PLAIN, [program], env=env)
    found = Allocs(recording.session)
    assert (recording.returncode, recording.stdout) == (native.returncode if native.returncode >= 0 else 128 - native.returncode, native.stdout)
    for function in ["plain", "array", "nothrow", "aligned", "aligned_array", "by_malloc"]:
        figures = [found.under(function, key) for key in ["count", "leaked_count", "leaked_bytes"]]
        assert figures == ([1000, 0, 0] if function != "array" else [1000, 3, 300]), function
    assert found.under("too_much", "bytes") < 10000  # exceptions
    assert recording.session["diagnostics"]["unknown_frees"] == 0
    assert "operator new" not in warnings_of(recording)


@pytest.mark.parametrize("name", ["jemalloc", "tcmalloc_minimal", "mimalloc"])
def test_operators_that_are_missed_are_told(record, tmp_path, name):
    """The shell has no operators; what it starts has, and another preload would be too late."""
    program = compile_(tmp_path, CXX_PROGRAM, "-Wl,--no-as-needed", library(f"lib{name}.so"), compiler="g++")
    recording = record(PLAIN, ["sh", "-c", f"{program}; true"])
    found = Allocs(recording.session)
    assert recording.returncode == 0
    assert (found.of("by_malloc"), found.of("by_malloc", "leaked_count")) == (1000, 0)
    assert "operator new is that of" in warnings_of(recording) and name.split("_")[0] in warnings_of(recording)


def test_the_hooks_of_operators_are_harmless_elsewhere(record, tmp_path):
    """Children of a program with an allocator: one with the C++ library's operators, one that gets its own late."""
    shared = library("libjemalloc.so")
    plugin, host = tmp_path / "plugin.so", tmp_path / "host"
    (tmp_path / "p.cpp").write_text(OPERATORS_PLUGIN)
    (tmp_path / "h.c").write_text(OPERATORS_HOST)
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed")
    for own, name in [("-DOWN", "own.so"), ("-UOWN", "plugin.so")]:
        subprocess.run(["g++", "-shared", "-fPIC", own, "-o", tmp_path / name, tmp_path / "p.cpp"], check=True)
    subprocess.run(["gcc", "-o", host, tmp_path / "h.c", "-ldl"], check=True)
    child = compile_(tmp_path, CXX_OPERATORS, compiler="g++")
    script = f"{child} && {host} {plugin} && {host} {tmp_path / 'own.so'}"
    # The preload is inherited; the allocator is not there any more.
    start = f'LD_PRELOAD=$(echo "$LD_PRELOAD" | sed s,:{shared},,) exec sh -c "{script}"'
    recording = record(PLAIN, ["sh", "-c", start], env={**os.environ, "LD_PRELOAD": shared})
    found = Allocs(recording.session)
    assert (recording.returncode, recording.stdout) == (0, b"bad_alloc nothrow\nplugin 100\nplugin 100\n")
    assert found.under("plain") == 1000 and found.under("plugin_take") == 2000
    assert recording.session["diagnostics"]["unknown_frees"] == 0


def test_operator_new_of_the_cxx_library_is_malloc(record, tmp_path):
    recording = record(PLAIN, [compile_(tmp_path, CXX_PROGRAM, compiler="g++")])
    found = Allocs(recording.session)
    assert (found.under("by_new"), found.of("by_malloc")) == (1000, 1000)
    assert "operator new" not in warnings_of(recording)
    assert recording.session["processes"][0]["shim"]["reason"] == ""


PLUGIN = """
#include <stdlib.h>
void *plugin_take(void) { return malloc(100); }
void plugin_give(void *block) { free(block); }
"""

# Blocks of a plugin that sees its own libc first: given back by the program (deepbind) or by the plugin (dlmopen).
HOST = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    int deep = !strcmp(argv[2], "deepbind");
    void *plugin = deep ? dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND) : dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW);
    void *(*take)(void) = (void *(*)(void))dlsym(plugin, "plugin_take");
    void (*give)(void *) = (void (*)(void *))dlsym(plugin, "plugin_give");
    for (int i = 0; i < 1000; i++) {
        void *block = take();
        deep ? free(block) : give(block);
    }
    return argc != 3;
}
"""


@pytest.mark.parametrize("how", ["deepbind", "dlmopen"])
def test_plugins_with_a_libc_of_their_own_are_harmless(record, tmp_path, how):
    plugin = tmp_path / "plugin.so"
    (tmp_path / "plugin.c").write_text(PLUGIN)
    host = compile_(tmp_path, HOST, "-ldl")
    subprocess.run(["gcc", "-shared", "-fPIC", "-fno-builtin", "-o", plugin, pathlib.Path(tmp_path / "plugin.c"), "-lc"], check=True)
    recording = record(PLAIN, [host, str(plugin), how])
    found = Allocs(recording.session)
    assert recording.returncode == 0
    assert found.of("plugin_take") == 0
    if how == "deepbind":
        assert recording.session["diagnostics"]["unknown_frees"] == 1000
        assert "1000 blocks were freed that nobody was seen to allocate" in warnings_of(recording)
