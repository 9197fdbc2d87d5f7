# Two libraries of one shape: what differs is what plugin_work calls.
foreach(plugin one two)
  add_library(plugin_${plugin} SHARED ${CMAKE_CURRENT_SOURCE_DIR}/plugin.c)
  target_compile_definitions(plugin_${plugin} PRIVATE _GNU_SOURCE PLUGIN_NAME=in_plugin_${plugin})
  target_compile_options(plugin_${plugin} PRIVATE -O2 -g -fno-optimize-sibling-calls -fvisibility=default)
  set_target_properties(plugin_${plugin} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/targets)
  add_dependencies(tgt_stack_dlopen plugin_${plugin})
endforeach()
target_link_libraries(tgt_stack_dlopen PRIVATE ${CMAKE_DL_LIBS})
