# cmake --install, and `cpack -G DEB` in the build folder.
include(GNUInstallDirs)

if(TARGET hopcountd AND TARGET hopcount)
  install(TARGETS hopcountd hopcount RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES deploy/hopcount.yaml deploy/hopcount.example.yaml
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES deploy/redis-acl.conf deploy/gateway-asns.txt DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY deploy/prometheus deploy/grafana deploy/clickhouse deploy/proxy deploy/whmcs
  deploy/kubernetes deploy/helm
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY deploy/minters DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples USE_SOURCE_PERMISSIONS
  PATTERN node_modules EXCLUDE)
install(DIRECTORY service/presets service/texts DESTINATION ${CMAKE_INSTALL_DATADIR}/hopcount
  FILES_MATCHING PATTERN "*.yaml")
install(FILES README.md proto/FORMATS.md deploy/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(folder deploy deploy/minters deploy/billing deploy/deliverability deploy/kubernetes deploy/security deploy/webhooks deploy/whmcs service/admin service/gateway)
  install(FILES ${folder}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/${folder})
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

# What the programs hold of others: licence texts, and a list of parts (CycloneDX).
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND TARGET hopcountd AND TARGET hopcount)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(third_party ${CMAKE_BINARY_DIR}/THIRD-PARTY-NOTICES ${CMAKE_BINARY_DIR}/sbom.cdx.json)
  add_custom_command(OUTPUT ${third_party}
    COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/deploy/third_party.py
            --version ${PROJECT_VERSION} --modules ${agents_modules}
            --program $<TARGET_FILE:hopcountd> $<TARGET_FILE:hopcount>
            --notices ${CMAKE_BINARY_DIR}/THIRD-PARTY-NOTICES
            --sbom ${CMAKE_BINARY_DIR}/sbom.cdx.json
    DEPENDS hopcountd hopcount ${CMAKE_SOURCE_DIR}/deploy/third_party.py ${agents_stamp}
    COMMENT "Listing what the programs hold of others" VERBATIM)
  add_custom_target(third_party ALL DEPENDS ${third_party})
  install(FILES ${third_party} DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
# The unit holds absolute paths, which are known when it is installed: below /usr the configuration
# is in /etc, below any other prefix in that prefix's etc.  A configuration that is there stays.
string(CONFIGURE [[
  set(BIN "${CMAKE_INSTALL_PREFIX}/bin")
  set(ETC "${CMAKE_INSTALL_PREFIX}/etc")
  if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(ETC /etc)
  endif()
  configure_file("@CMAKE_SOURCE_DIR@/deploy/systemd/hopcount.service.in"
    "@CMAKE_BINARY_DIR@/hopcount.service" @ONLY)
  file(INSTALL "@CMAKE_BINARY_DIR@/hopcount.service" "@CMAKE_SOURCE_DIR@/deploy/systemd/hopcount.socket"
    DESTINATION "${CMAKE_INSTALL_PREFIX}/lib/systemd/system")
  if(NOT EXISTS "$ENV{DESTDIR}${ETC}/hopcount/hopcount.yaml")
    file(INSTALL "@CMAKE_SOURCE_DIR@/deploy/hopcount.yaml" DESTINATION "${ETC}/hopcount")
  endif()
]] install_unit @ONLY)
install(CODE "${install_unit}")

# The program knows its own command line.
string(CONFIGURE [[
  function(install_completion shell folder name)
    execute_process(COMMAND "@CMAKE_BINARY_DIR@/hopcount" completion ${shell}
      OUTPUT_FILE "@CMAKE_BINARY_DIR@/completion.${shell}" COMMAND_ERROR_IS_FATAL ANY)
    file(INSTALL "@CMAKE_BINARY_DIR@/completion.${shell}" RENAME "${name}"
      DESTINATION "${CMAKE_INSTALL_PREFIX}/share/${folder}")
  endfunction()
  install_completion(bash bash-completion/completions hopcount)
  install_completion(zsh zsh/site-functions _hopcount)
  install_completion(fish fish/vendor_completions.d hopcount.fish)
  foreach(page hopcount.1 hopcount.yaml.5 hopcountd.8)
    string(REGEX MATCH "^(.*)\\.([0-9])$" all "${page}")
    execute_process(COMMAND "@CMAKE_BINARY_DIR@/hopcount" man "${CMAKE_MATCH_1}"
      OUTPUT_FILE "@CMAKE_BINARY_DIR@/${page}" COMMAND_ERROR_IS_FATAL ANY)
    file(INSTALL "@CMAKE_BINARY_DIR@/${page}"
      DESTINATION "${CMAKE_INSTALL_PREFIX}/share/man/man${CMAKE_MATCH_2}")
  endforeach()
]] install_completions @ONLY)
if(TARGET hopcount)
  install(CODE "${install_completions}")
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hopcount)
set(CPACK_PACKAGE_CONTACT "hopcount <hopcount@hopcount.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "counted links for billing e-mails")
set(CPACK_PACKAGE_DESCRIPTION
"Turns the links in billing e-mails into short, sealed, countable links: opens
the token in the URL, sends the client to the invoice, payment or login page
and counts the click in Redis.")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "redis-server (>= 5:7.0) | valkey-server")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${CMAKE_SOURCE_DIR}/deploy/debian/postinst;${CMAKE_SOURCE_DIR}/deploy/debian/prerm"
  "${CMAKE_SOURCE_DIR}/deploy/debian/postrm;${CMAKE_SOURCE_DIR}/deploy/debian/conffiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_SOURCE_DIR}/deploy/debian/before_packing.cmake")
include(CPack)
