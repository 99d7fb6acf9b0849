#include "service/label/geo_db.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <maxminddb.h>

#include "service/base/error.h"

enum { PAGE = 4096 };

struct geo_db {
    MMDB_s mmdb;
    bool is_open;
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

/* Brings every page into this process, where only a look-up would else have done so. */
static void touch_pages(const MMDB_s *mmdb)
{
    volatile uint8_t sum = 0;

    for (ssize_t i = 0; i < mmdb->file_size; i += PAGE)
        sum = (uint8_t)(sum + mmdb->file_content[i]);
}

static bool is_country(const MMDB_entry_data_s *data)
{
    return data->has_data && data->type == MMDB_DATA_TYPE_UTF8_STRING && data->data_size == 2 &&
           data->utf8_string[0] >= 'A' && data->utf8_string[0] <= 'Z' &&
           data->utf8_string[1] >= 'A' && data->utf8_string[1] <= 'Z';
}

static bool read_country(MMDB_entry_s entry, char out[static 2])
{
    MMDB_entry_data_s data;

    if ((MMDB_get_value(&entry, &data, "country", "iso_code", NULL) != MMDB_SUCCESS ||
         !is_country(&data)) &&
        (MMDB_get_value(&entry, &data, "country_code", NULL) != MMDB_SUCCESS || !is_country(&data)))
        return false;
    memcpy(out, data.utf8_string, 2);
    return true;
}

/* "AS64496" as some files have it; 0 = no number. */
static uint32_t parse_asn(const MMDB_entry_data_s *data)
{
    uint64_t number = 0;

    if (data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size < 3 || data->data_size > 12 ||
        memcmp(data->utf8_string, "AS", 2) != 0)
        return 0;
    for (uint32_t i = 2; i < data->data_size; i++) {
        if (data->utf8_string[i] < '0' || data->utf8_string[i] > '9')
            return 0;
        number = number * 10 + (uint64_t)(data->utf8_string[i] - '0');
    }
    return number <= UINT32_MAX ? (uint32_t)number : 0;
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

static bool has_value(MMDB_entry_s entry, enum geo_db_what what)
{
    char ignored[2];

    return what == GEO_DB_COUNTRIES ? read_country(entry, ignored) : read_asn(entry) != 0;
}

/* Whether any record has one: a file of something else was meant for another key. */
static bool has_any(const MMDB_s *mmdb, enum geo_db_what what)
{

    for (uint32_t i = 0; i < mmdb->metadata.node_count; i++) {
        MMDB_search_node_s node;

        if (MMDB_read_node(mmdb, i, &node) != MMDB_SUCCESS)
            return false;
        if ((node.left_record_type == MMDB_RECORD_TYPE_DATA &&
             has_value(node.left_record_entry, what)) ||
            (node.right_record_type == MMDB_RECORD_TYPE_DATA &&
             has_value(node.right_record_entry, what)))
            return true;
    }
    return false;
}

static bool open_copy(struct geo_db *db, enum geo_db_what what, int copy, const char *path,
                      struct error *err)
{
    char name[32];
    int status;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
    status = MMDB_open(name, MMDB_MODE_MMAP, &db->mmdb);
    if (status != MMDB_SUCCESS) {
        error_set(err, "%s: no MMDB file, or a damaged one: %s", path, MMDB_strerror(status));
        return false;
    }
    db->is_open = true;
    touch_pages(&db->mmdb);
    if (!has_any(&db->mmdb, what)) {
        error_set(err, "%s: holds no %s", path,
                  what == GEO_DB_COUNTRIES ? "countries (country.iso_code or country_code)"
                                           : "numbers (autonomous_system_number or asn)");
        return false;
    }
    return true;
}

enum geo_db_status geo_db_load(const char *path, enum geo_db_what what, struct geo_db **out,
                               struct error *err)
{
    struct geo_db *db = calloc(1, sizeof(*db));
    int fd = open(path, O_RDONLY | O_CLOEXEC), copy = -1;
    enum geo_db_status status = GEO_DB_BAD;

    if (fd < 0) {
        status = errno == ENOENT ? GEO_DB_ABSENT : GEO_DB_BAD;
        error_set(err, "%s: %s", path, strerror(errno));
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
    if (!open_copy(db, what, copy, path, err))
        goto out;
    status = GEO_DB_OK;
    *out = db;
    db = NULL;
out:
    if (fd >= 0)
        close(fd);
    if (copy >= 0)
        close(copy); /* the mapping stays */
    geo_db_free(db);
    return status;
}

void geo_db_free(struct geo_db *db)
{
    if (!db)
        return;
    if (db->is_open)
        MMDB_close(&db->mmdb);
    free(db);
}

static MMDB_lookup_result_s look_up(const struct geo_db *db, const uint8_t ip[static IP_LEN],
                                    int *status)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
        memcpy(&in4.sin_addr, ip + sizeof(mapped), 4);
        return MMDB_lookup_sockaddr(&db->mmdb, (const struct sockaddr *)&in4, status);
    }
    memcpy(&in6.sin6_addr, ip, IP_LEN);
    return MMDB_lookup_sockaddr(&db->mmdb, (const struct sockaddr *)&in6, status);
}

uint32_t geo_db_find(const struct geo_db *db, const uint8_t ip[static IP_LEN])
{
    int status = MMDB_SUCCESS;
    MMDB_lookup_result_s result = look_up(db, ip, &status);

    if (status != MMDB_SUCCESS || !result.found_entry)
        return 0;
    return result.entry.offset + 1; /* the first record is at 0 */
}

void geo_db_country(const struct geo_db *db, uint32_t number, char out[static 2])
{
    MMDB_entry_s entry = {.mmdb = &db->mmdb, .offset = number - 1};

    if (number == 0 || !read_country(entry, out))
        out[0] = out[1] = '\0';
}

uint32_t geo_db_asn(const struct geo_db *db, uint32_t number)
{
    MMDB_entry_s entry = {.mmdb = &db->mmdb, .offset = number - 1};

    return number == 0 ? 0 : read_asn(entry);
}
