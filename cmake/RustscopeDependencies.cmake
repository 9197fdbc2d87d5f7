# Libraries by Debian package. A missing one is named with the command that installs it.

find_package(PkgConfig REQUIRED)

# rustscope_dependency(NAME MODULE PACKAGE WHY): imported target RustscopeDep::NAME from pkg-config's MODULE.
function(rustscope_dependency name module package why)
  pkg_check_modules(RSDEP_${name} QUIET IMPORTED_TARGET GLOBAL ${module})
  if(NOT RSDEP_${name}_FOUND)
    message(FATAL_ERROR
      "RustScope needs ${module} (${why}).\n"
      "On Debian: sudo apt-get install ${package}   (or run ./bootstrap, which installs everything)")
  endif()
  add_library(RustscopeDep::${name} ALIAS PkgConfig::RSDEP_${name})
endfunction()

rustscope_dependency(cjson libcjson libcjson-dev "reading session files")
rustscope_dependency(zlib zlib zlib1g-dev "gzipped sessions")
if(RUSTSCOPE_PLATFORM STREQUAL "linux")
  rustscope_dependency(proc2 libproc2 libproc2-dev "the process tree, names and command lines")
  rustscope_dependency(dw libdw libdw-dev "symbols from ELF and DWARF")
  rustscope_dependency(elf libelf libelf-dev "symbols from ELF and DWARF")
  rustscope_dependency(lzma liblzma liblzma-dev "symbols in .gnu_debugdata")
endif()
rustscope_dependency(ncursesw ncursesw libncurses-dev "the live screen")
rustscope_dependency(microhttpd libmicrohttpd libmicrohttpd-dev "rustscope view")
if(RUSTSCOPE_TESTS)
  rustscope_dependency(check check check "the unit tests")
endif()

# libiberty has no pkg-config file.
find_path(LIBIBERTY_INCLUDE demangle.h PATH_SUFFIXES libiberty)
find_library(LIBIBERTY_LIBRARY iberty)
if(NOT LIBIBERTY_INCLUDE OR NOT LIBIBERTY_LIBRARY)
  message(FATAL_ERROR
    "RustScope needs libiberty (C++ and Rust demangling).\n"
    "On Debian: sudo apt-get install libiberty-dev   (or run ./bootstrap, which installs everything)")
endif()
add_library(RustscopeDep_iberty INTERFACE)
target_include_directories(RustscopeDep_iberty SYSTEM INTERFACE ${LIBIBERTY_INCLUDE})
target_link_libraries(RustscopeDep_iberty INTERFACE ${LIBIBERTY_LIBRARY})
add_library(RustscopeDep::iberty ALIAS RustscopeDep_iberty)
