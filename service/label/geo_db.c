#include "service/label/geo_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <maxminddb.h>

#include "proto/number.h"
#include "service/base/error.h"
#include "service/label/geo_tree.h"

struct geo_db {
    struct geo_tree *tree;
};

/* Copies `fd` to its end into a file without a name that lives in memory; -1 and errno. */
static int copy_to_memory(int fd)
{
    int copy = memfd_create("mmdb", MFD_CLOEXEC);
    ssize_t n;
    int saved;

    if (copy < 0)
        return -1;
    while ((n = sendfile(copy, fd, NULL, 1 << 20)) > 0)
        ;
    if (n == 0)
        return copy;
    saved = errno;
    close(copy);
    errno = saved;
    return -1;
}

static bool is_country(const MMDB_entry_data_s *data)
{
    return data->has_data && data->type == MMDB_DATA_TYPE_UTF8_STRING && data->data_size == 2 &&
           data->utf8_string[0] >= 'A' && data->utf8_string[0] <= 'Z' &&
           data->utf8_string[1] >= 'A' && data->utf8_string[1] <= 'Z';
}

/* The two letters, big-endian. */
static uint32_t read_country(MMDB_entry_s entry)
{
    MMDB_entry_data_s data;

    if ((MMDB_get_value(&entry, &data, "country", "iso_code", NULL) != MMDB_SUCCESS ||
         !is_country(&data)) &&
        (MMDB_get_value(&entry, &data, "country_code", NULL) != MMDB_SUCCESS || !is_country(&data)))
        return 0;
    return (uint32_t)(uint8_t)data.utf8_string[0] << 8 | (uint8_t)data.utf8_string[1];
}

/* "AS64496" as some files have it; 0 = no number. */
static uint32_t parse_asn(const MMDB_entry_data_s *data)
{
    uint32_t number = 0;

    if (data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size < 3 || data->data_size > 12 ||
        memcmp(data->utf8_string, "AS", 2) != 0)
        return 0;
    return number_parse_u32(slice_make(data->utf8_string + 2, data->data_size - 2), UINT32_MAX,
                            &number)
               ? number
               : 0;
}

static uint32_t read_asn(MMDB_entry_s entry)
{
    MMDB_entry_data_s data;

    if (MMDB_get_value(&entry, &data, "autonomous_system_number", NULL) == MMDB_SUCCESS &&
        data.has_data && data.type == MMDB_DATA_TYPE_UINT32)
        return data.uint32;
    if (MMDB_get_value(&entry, &data, "asn", NULL) == MMDB_SUCCESS && data.has_data)
        return parse_asn(&data);
    return 0;
}

static bool read_copy(struct geo_db *db, enum geo_db_what what, int copy, const char *path,
                      struct error *err)
{
    char name[32];
    MMDB_s mmdb;
    int status;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
    status = MMDB_open(name, MMDB_MODE_MMAP, &mmdb);
    if (status != MMDB_SUCCESS) {
        error_set(err, "%s: no MMDB file, or a damaged one: %s", path, MMDB_strerror(status));
        return false;
    }
    db->tree = geo_tree_new(&mmdb, what == GEO_DB_COUNTRIES ? read_country : read_asn);
    MMDB_close(&mmdb);
    if (!db->tree) {
        error_set(err, "%s: a damaged MMDB file, or one too large for memory", path);
        return false;
    }
    if (!geo_tree_has_any(db->tree)) {
        error_set(err, "%s: holds no %s", path,
                  what == GEO_DB_COUNTRIES ? "countries (country.iso_code or country_code)"
                                           : "numbers (autonomous_system_number or asn)");
        return false;
    }
    return true;
}

/* A pipe or a device may have no end. */
static bool is_regular(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

enum geo_db_status geo_db_load(const char *path, enum geo_db_what what, struct geo_db **out,
                               struct error *err)
{
    struct geo_db *db = calloc(1, sizeof(*db));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), copy = -1;
    enum geo_db_status status = GEO_DB_BAD;

    if (fd < 0) {
        status = errno == ENOENT ? GEO_DB_ABSENT : GEO_DB_BAD;
        error_set(err, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!is_regular(fd)) {
        error_set(err, "%s: is not a file", path);
        goto out;
    }
    if (!db) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    copy = copy_to_memory(fd);
    if (copy < 0) {
        error_set(err, "%s: cannot be read into memory: %s", path, strerror(errno));
        goto out;
    }
    if (!read_copy(db, what, copy, path, err))
        goto out;
    status = GEO_DB_OK;
    *out = db;
    db = NULL;
out:
    if (fd >= 0)
        close(fd);
    if (copy >= 0)
        close(copy);
    geo_db_free(db);
    return status;
}

void geo_db_free(struct geo_db *db)
{
    if (!db)
        return;
    geo_tree_free(db->tree);
    free(db);
}

uint32_t geo_db_find(const struct geo_db *db, const uint8_t ip[static IP_LEN])
{
    return geo_tree_find(db->tree, ip);
}
