# Writes batch_lua.h, state_news_lua.h …: the scripts as text in the program.
foreach(script ledger/batch ledger/compact gateway/pods gateway/siblings gateway/claim
    checks/check_take checks/check_keep state/state_news state/one_use sinks/stream)
  set(file ${CMAKE_SOURCE_DIR}/service/${script}.lua)
  get_filename_component(name ${script} NAME)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}_lua.h
       CONTENT "static const char ${name}_lua[] = {${bytes}};\n" @ONLY)
endforeach()
