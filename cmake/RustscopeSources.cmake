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
