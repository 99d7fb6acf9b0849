/* Lists of forwarded addresses: reading from the right ends, and only addresses come out; the first
 * host lies inside the list. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_list(enum forwarded_form form, struct slice list)
{
    const char *start = list.ptr;
    size_t n_elements = 0, len = list.len;
    enum forwarded_status status;

    do {
        uint8_t ip[IP_LEN], before[IP_LEN];
        size_t len_before = list.len;

        memset(ip, 0xa5, sizeof(ip));
        memcpy(before, ip, sizeof(ip));
        status = forwarded_take_last(form, &list, ip);
        if (list.ptr != start || list.len > len_before ||
            (status != FORWARDED_END && list.len == len_before) ||
            (status != FORWARDED_OK && memcmp(ip, before, sizeof(ip)) != 0) || n_elements++ > len)
            abort();
    } while (status != FORWARDED_END);
}

static void read_host(enum forwarded_form form, struct slice list)
{
    struct slice host = forwarded_first_host(form, list);

    if (host.ptr &&
        (host.len == 0 || host.ptr < list.ptr || host.ptr + host.len > list.ptr + list.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    read_list(FORWARDED_X, slice_make(copy, size));
    read_list(FORWARDED_RFC7239, slice_make(copy, size));
    read_host(FORWARDED_X, slice_make(copy, size));
    read_host(FORWARDED_RFC7239, slice_make(copy, size));
    free(copy);
    return 0;
}
