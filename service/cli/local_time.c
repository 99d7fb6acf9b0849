#include "service/cli/local_time.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *local_time_format(int64_t time_s, char out[static RFC3339_TEXT_MAX])
{
    time_t time = (time_t)time_s;
    struct tm local;
    long offset_s = localtime_r(&time, &local) ? local.tm_gmtoff : 0;

    /* Old zones have seconds, which RFC 3339 can't write. */
    return rfc3339_format(time_s, offset_s % 60 == 0 ? (int)offset_s : 0, out);
}

const char *local_time_of(const char *text, char out[static RFC3339_TEXT_MAX])
{
    int64_t time_s;

    return rfc3339_parse(slice_of(text), &time_s) ? local_time_format(time_s, out) : text;
}

/* The part of a path behind "zoneinfo/". */
static const char *zone_of_path(const char *path)
{
    static const char folder[] = "/zoneinfo/";
    const char *at = strstr(path, folder);

    return at ? at + sizeof(folder) - 1 : NULL;
}

/* Names have letters, and rules like "CET-1CEST,M3.5.0,M10.5.0/3" digits and commas. */
static bool is_zone_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < LOCAL_ZONE_MAX && strchr(text, '/') && !strchr(text, ',') &&
           text[0] != '/' && !strstr(text, "..");
}

const char *local_zone_name(char out[static LOCAL_ZONE_MAX])
{
    const char *tz = getenv("TZ"), *name;
    char path[256];
    ssize_t len;

    if (tz && *tz) {
        tz += *tz == ':';
        name = *tz == '/' ? zone_of_path(tz) : tz;
    } else {
        len = tz ? -1 : readlink("/etc/localtime", path, sizeof(path) - 1);
        if (len < 0)
            return NULL;
        path[len] = '\0';
        name = zone_of_path(path);
    }
    if (!name || !is_zone_name(name) || strcmp(name, "Etc/UTC") == 0)
        return NULL;
    snprintf(out, LOCAL_ZONE_MAX, "%s", name);
    return out;
}
