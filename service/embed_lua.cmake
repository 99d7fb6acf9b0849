# Writes batch_lua.h, state_news_lua.h …: the scripts as text in the program.  Before those of
# `after_append` stands ledger/append.lua, before those of `after_hll` ledger/hll.lua.
set(after_append ledger/batch ledger/invoices ledger/people_add ledger/spread)
set(after_hll ledger/people_add admin/stats/people_count)
foreach(script ledger/batch ledger/compact ledger/merge ledger/facts ledger/blocks ledger/invoices
    ledger/people_add ledger/people_done ledger/people_slots ledger/spread gateway/pods
    gateway/siblings gateway/claim checks/check_take checks/check_keep
    admin/stats/people_count reports/report_read reports/report_keep
    state/state_news state/one_use sinks/stream)
  set(files ${CMAKE_SOURCE_DIR}/service/${script}.lua)
  if(script IN_LIST after_hll)
    list(PREPEND files ${CMAKE_SOURCE_DIR}/service/ledger/hll.lua)
  endif()
  if(script IN_LIST after_append)
    list(PREPEND files ${CMAKE_SOURCE_DIR}/service/ledger/append.lua)
  endif()
  get_filename_component(name ${script} NAME)
  set(bytes "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} more HEX)
    string(APPEND bytes ${more})
  endforeach()
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}_lua.h
       CONTENT "static const char ${name}_lua[] = {${bytes}};\n" @ONLY)
endforeach()
