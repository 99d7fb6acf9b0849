/* utf8_input.h - reads a text from a file descriptor as UTF-8, whatever program wrote it. */
#ifndef CLI_UTF8_INPUT_H
#define CLI_UTF8_INPUT_H
#include <iconv.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/compiler.h"

struct error;

enum { UTF8_INPUT_BYTES = 64 << 10 };

struct utf8_input {
    int fd;
    uint64_t read_len; /* bytes read so far */
    bool has_begun, at_end;
    bool is_converted; /* from UTF-16, by `converter` */
    iconv_t converter;
    size_t at, len; /* of `bytes`: what was read and not handed out */
    char bytes[UTF8_INPUT_BYTES];
};

/* Borrows `fd`. */
void utf8_input_init(struct utf8_input *input, int fd);
void utf8_input_clear(struct utf8_input *input);

/*
 * Reads up to `max` (16 or more) bytes into `out`.  A byte order mark is left out; one of UTF-16,
 * which Excel writes as "Unicode text", makes what follows be converted.  Other texts are handed
 * out as they are.
 *
 * Returns the number of bytes, 0 at the end; -1 and `*err` on failure.
 */
MUST_USE ssize_t utf8_input_read(struct utf8_input *input, char *out, size_t max,
                                 struct error *err);

#endif
