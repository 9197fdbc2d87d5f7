# Two libraries of one shape: what differs is the function that allocates.
foreach(plugin one two)
  add_library(alloc_plugin_${plugin} SHARED ${CMAKE_CURRENT_SOURCE_DIR}/alloc_plugin.c)
  target_compile_definitions(alloc_plugin_${plugin} PRIVATE PLUGIN_NAME=allocate_in_${plugin})
  target_compile_options(alloc_plugin_${plugin} PRIVATE -O2 -g -fno-optimize-sibling-calls -fvisibility=default)
  set_target_properties(alloc_plugin_${plugin} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/targets)
  add_dependencies(tgt_alloc_plugins alloc_plugin_${plugin})
endforeach()
target_link_libraries(tgt_alloc_plugins PRIVATE ${CMAKE_DL_LIBS})
