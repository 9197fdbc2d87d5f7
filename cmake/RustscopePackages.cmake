# Packages: `cmake --preset package && cmake --build --preset package --target package`, or `cpack -G DEB` (RPM, TGZ) in a
# build folder. Three components, split as distributions do:
#
#   rustscope          the command, its shims, man page, completions, schema
#   librustscope0      the shared library that programs link
#   librustscope-dev   header, static library, pkg-config and CMake files
#
# The .tar.gz is relocatable: everything finds its parts from where it lies.
set(CPACK_PACKAGE_NAME rustscope)
set(CPACK_PACKAGE_VENDOR "The RustScope authors")
set(CPACK_PACKAGE_CONTACT "The RustScope authors <rustscope@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Profiler: metrics, call stacks, allocations and scopes on one clock")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL command library development)
set(CPACK_VERBATIM_VARIABLES ON)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME rustscope)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME librustscope${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_BINARY_DIR}/triggers)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME librustscope-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "librustscope${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION})")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/triggers "activate-noawait ldconfig\n")

set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE MIT)
set(CPACK_RPM_COMMAND_PACKAGE_NAME rustscope)
set(CPACK_RPM_LIBRARY_PACKAGE_NAME librustscope${PROJECT_VERSION_MAJOR})
set(CPACK_RPM_DEVELOPMENT_PACKAGE_NAME librustscope-devel)
set(CPACK_RPM_LIBRARY_POST_INSTALL_SCRIPT_FILE ${CMAKE_CURRENT_LIST_DIR}/ldconfig.sh)
set(CPACK_RPM_LIBRARY_POST_UNINSTALL_SCRIPT_FILE ${CMAKE_CURRENT_LIST_DIR}/ldconfig.sh)
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
  /usr/share/bash-completion /usr/share/bash-completion/completions /usr/share/zsh /usr/share/zsh/site-functions
  /usr/share/fish /usr/share/fish/vendor_completions.d /usr/share/man /usr/share/man/man1 /usr/lib/pkgconfig /usr/lib/cmake)

set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_COMPONENT_COMMAND_DESCRIPTION "The rustscope command: one run, one JSON, every question about it.")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "The library that times scopes inside a program and runs benchmarks.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Header, static library and build files of librustscope.")
include(CPack)
