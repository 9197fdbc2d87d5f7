# The frame that calls into the JIT keeps a frame pointer, as those of language runtimes do.
target_compile_options(tgt_stack_jit PRIVATE -fno-omit-frame-pointer)
