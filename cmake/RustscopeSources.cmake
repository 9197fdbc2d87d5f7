# rustscope_sources(VAR DIR…): the .c files of each DIR (not of its subfolders), less those that belong to another
# platform: linux.c, darwin.c and none.c, or NAME_linux.c and so on, are taken only on their own system; none is
# taken where a sibling for this system exists.
function(rustscope_sources var)
  set(found "")
  foreach(dir IN LISTS ARGN)
    file(GLOB files CONFIGURE_DEPENDS ${dir}/*.c)
    foreach(file IN LISTS files)
      get_filename_component(name ${file} NAME_WE)
      if(name MATCHES "^(.*_)?(linux|darwin|none)$")
        if(NOT CMAKE_MATCH_2 STREQUAL RUSTSCOPE_PLATFORM)
          continue()
        endif()
      endif()
      list(APPEND found ${file})
    endforeach()
  endforeach()
  set(${var} ${found} PARENT_SCOPE)
endfunction()

# rustscope_needs_linux(VAR SOURCE): whether SOURCE, a test, is of code that only Linux has: it includes the header of a
# contract that has a file for Linux, or a header of Linux or of a library that reads ELF files.
function(rustscope_needs_linux var source)
  set(${var} OFF PARENT_SCOPE)
  file(STRINGS ${source} lines REGEX "^#include ")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^#include [<\"]([^>\"]*)\\.h[>\"].*" "\\1" header "${line}")
    if(header MATCHES "^(sys/(epoll|signalfd|ptrace|prctl|syscall|user)|linux/.*|elfutils/.*|gelf|libelf|link|elf)$"
        OR EXISTS ${PROJECT_SOURCE_DIR}/src/cli/${header}_linux.c OR EXISTS ${PROJECT_SOURCE_DIR}/src/${header}_linux.c)
      set(${var} ON PARENT_SCOPE)
    endif()
  endforeach()
endfunction()
