# Makes agent_data.c: patterns of user agents, from npm packages that a lock file pins.
#
# deploy/install-deps puts the packages into this folder; else they are fetched into the build tree.
set(agents ${CMAKE_CURRENT_LIST_DIR})
set(agents_modules ${agents}/node_modules)
set(agents_stamp ${agents_modules}/.package-lock.json)
set(agents_remedy "install nodejs and npm, or run deploy/install-deps build")

find_program(NODE_PROGRAM NAMES node nodejs)
if(NOT NODE_PROGRAM)
  message(FATAL_ERROR "node was not found; the lists of user agents are made with it: ${agents_remedy}")
endif()
if(NOT EXISTS ${agents_stamp} OR ${agents}/package-lock.json IS_NEWER_THAN ${agents_stamp})
  find_program(NPM_PROGRAM npm)
  if(NOT NPM_PROGRAM)
    message(FATAL_ERROR "npm was not found; it fetches the lists of user agents: ${agents_remedy}")
  endif()
  set(agents_modules ${CMAKE_BINARY_DIR}/agents/node_modules)
  set(agents_stamp ${agents_modules}/.package-lock.json)
  add_custom_command(OUTPUT ${agents_stamp}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/agents
    COMMAND ${CMAKE_COMMAND} -E copy ${agents}/package.json ${agents}/package-lock.json
            ${CMAKE_BINARY_DIR}/agents
    COMMAND ${CMAKE_COMMAND} -E chdir ${CMAKE_BINARY_DIR}/agents
            ${NPM_PROGRAM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${agents_stamp}
    DEPENDS ${agents}/package.json ${agents}/package-lock.json
    COMMENT "Fetching the lists of user agents" VERBATIM)
endif()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/agent_data.c
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
  COMMAND ${NODE_PROGRAM} ${agents}/generate.js ${agents_modules}
          ${CMAKE_BINARY_DIR}/generated/agent_data.c
  DEPENDS ${agents}/generate.js ${agents}/own.json ${agents}/families.json ${agents}/people.json
          ${agents_stamp}
  COMMENT "Making the patterns of user agents" VERBATIM)
