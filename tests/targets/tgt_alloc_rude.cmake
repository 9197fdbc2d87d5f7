target_link_libraries(tgt_alloc_rude PRIVATE ${CMAKE_DL_LIBS})
