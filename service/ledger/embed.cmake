# Writes batch_lua.h, compact_lua.h …: the scripts as text in the program.
foreach(name batch compact pods siblings claim)
  set(file ${CMAKE_SOURCE_DIR}/service/ledger/${name}.lua)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}_lua.h
       CONTENT "static const char ${name}_lua[] = {${bytes}};\n" @ONLY)
endforeach()
