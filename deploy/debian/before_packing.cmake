# What Debian's policy asks of a package and `cmake --install` doesn't do: compressed manual pages, a changelog in
# its own format, which leads to ours.
file(GLOB_RECURSE pages "${CPACK_TEMPORARY_DIRECTORY}/usr/share/man/*.[158]")
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(changelog "${CPACK_TEMPORARY_DIRECTORY}/usr/share/doc/hopcount/changelog")
file(WRITE "${changelog}" "hopcount (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * See CHANGELOG.md in this folder.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
execute_process(COMMAND gzip -9nf ${pages} "${changelog}" COMMAND_ERROR_IS_FATAL ANY)
# Whatever umask it was made under: a /usr of mode 0700 would lock all users out of what is below it.
file(CHMOD_RECURSE "${CPACK_TEMPORARY_DIRECTORY}" DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
file(CHMOD "${changelog}.gz" FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

# With SOURCE_DATE_EPOCH, seconds, a package holds the same bytes whenever it is built: all files in it get that time.
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND find "${CPACK_TEMPORARY_DIRECTORY}" -exec touch -h -d "@$ENV{SOURCE_DATE_EPOCH}" {} +
    COMMAND_ERROR_IS_FATAL ANY)
endif()
