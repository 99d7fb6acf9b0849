# Writes web.c: the files of the dashboard, the description of the API, and Chart.js as Debian
# packages it, as bytes in the program, so that it serves them without installation.
find_file(chart_js chart.min.js PATHS /usr/share/javascript/chart.js NO_DEFAULT_PATH REQUIRED)
file(GLOB web_files CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/service/admin/web/*.html ${CMAKE_SOURCE_DIR}/service/admin/web/*.css
  ${CMAKE_SOURCE_DIR}/service/admin/web/*.js ${CMAKE_SOURCE_DIR}/service/admin/web/*.svg)
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_yaml "application/yaml")
set(embedded "#include \"service/admin/web.h\"\n\n")
set(entries "")
set(index 0)
foreach(file ${web_files} ${CMAKE_SOURCE_DIR}/proto/openapi.yaml ${chart_js})
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  string(SUBSTRING ${extension} 1 -1 extension)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND embedded "static const unsigned char file_${index}[] = {${bytes}};\n")
  string(APPEND entries
    "    {\"${name}\", \"${type_${extension}}\", file_${index}, sizeof(file_${index})},\n")
  math(EXPR index "${index} + 1")
endforeach()
string(APPEND embedded "\nconst struct web_file web_files[] = {\n${entries}    {0, 0, 0, 0},\n};\n")
# Only when it changed: compiling it takes a second.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/web.c CONTENT "${embedded}" @ONLY)

# The description of the API as JSON.
add_executable(openapi_json ${CMAKE_SOURCE_DIR}/service/admin/web/openapi_json.c)
target_link_libraries(openapi_json PRIVATE flags PkgConfig::yaml PkgConfig::jansson)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/openapi_json.c
  COMMAND openapi_json ${CMAKE_SOURCE_DIR}/proto/openapi.yaml
    > ${CMAKE_BINARY_DIR}/generated/openapi_json.c
  DEPENDS openapi_json ${CMAKE_SOURCE_DIR}/proto/openapi.yaml)
