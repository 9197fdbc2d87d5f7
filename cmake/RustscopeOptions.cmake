# Compiler settings shared by every target. `rustscope_defaults` carries what all code gets;
# `rustscope_sanitized` adds the sanitizer of the preset and is for code of ours that runs in our
# own processes: never for the shim, the library or the test targets, which run in other people's.

option(RUSTSCOPE_WERROR "Treat warnings as errors" OFF)
option(RUSTSCOPE_TESTS "Build the tests" ON)
option(RUSTSCOPE_BENCH "Build the benchmarks" OFF)
option(RUSTSCOPE_COVERAGE "Instrument for gcov" OFF)
set(RUSTSCOPE_SANITIZE "" CACHE STRING "Sanitizers for the CLI and its unit tests, e.g. address,undefined")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_library(rustscope_defaults INTERFACE)
target_compile_definitions(rustscope_defaults INTERFACE _GNU_SOURCE RUSTSCOPE_VERSION="${PROJECT_VERSION}")
target_compile_options(rustscope_defaults INTERFACE
  -Wall -Wextra $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
  -Wvla -Wwrite-strings -Wshadow -Wformat=2
  -fno-common -fno-omit-frame-pointer -fasynchronous-unwind-tables)
target_include_directories(rustscope_defaults INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
if(RUSTSCOPE_WERROR)
  target_compile_options(rustscope_defaults INTERFACE -Werror)
endif()

add_library(rustscope_sanitized INTERFACE)
if(RUSTSCOPE_SANITIZE)
  target_compile_options(rustscope_sanitized INTERFACE -fsanitize=${RUSTSCOPE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(rustscope_sanitized INTERFACE -fsanitize=${RUSTSCOPE_SANITIZE})
endif()
if(RUSTSCOPE_COVERAGE)
  target_compile_options(rustscope_sanitized INTERFACE --coverage)
  target_link_options(rustscope_sanitized INTERFACE --coverage)
endif()

# What reads files and records from anywhere is built to fail early: for our own processes, as rustscope_sanitized.
add_library(rustscope_hardened INTERFACE)
if(NOT RUSTSCOPE_SANITIZE AND NOT RUSTSCOPE_COVERAGE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(rustscope_hardened INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    target_link_options(rustscope_hardened INTERFACE -pie -Wl,-z,relro -Wl,-z,now)
  endif()
endif()

# Platform code lives in whole files with the same function names: NAME_linux.c, NAME_darwin.c, NAME_none.c.
set(RUSTSCOPE_PLATFORM "" CACHE STRING "linux, darwin or none; empty: this system's. none builds what needs no system")
if(NOT RUSTSCOPE_PLATFORM)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(RUSTSCOPE_PLATFORM linux)
  elseif(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
    set(RUSTSCOPE_PLATFORM darwin)
  else()
    set(RUSTSCOPE_PLATFORM none)
  endif()
elseif(NOT RUSTSCOPE_PLATFORM MATCHES "^(linux|darwin|none)$")
  message(FATAL_ERROR "RUSTSCOPE_PLATFORM is linux, darwin or none, not '${RUSTSCOPE_PLATFORM}'")
endif()
