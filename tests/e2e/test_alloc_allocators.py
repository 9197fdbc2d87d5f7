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
def test_operator_new_of_a_shared_allocator_is_told(record, tmp_path, name):
    program = compile_(tmp_path, CXX_PROGRAM, "-Wl,--no-as-needed", library(f"lib{name}.so"), compiler="g++")
    recording = record(PLAIN, [program])
    found = Allocs(recording.session)
    assert recording.returncode == 0
    assert (found.of("by_malloc"), found.of("by_malloc", "leaked_count")) == (1000, 0)
    assert "operator new is that of" in warnings_of(recording) and name.split("_")[0] in warnings_of(recording)


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
