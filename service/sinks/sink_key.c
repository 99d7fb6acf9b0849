#include "service/sinks/sink_key.h"

#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "service/base/error.h"
#include "service/config/linefile.h"

enum { SECRET_MIN = 16 };

bool sink_key_load(const char *path, uint8_t key[static RECORD_KEY_LEN], struct error *err)
{
    struct linefile *file = linefile_load(path, S_IRWXO | S_IWGRP, err);
    struct linefile_line line;
    bool ok;

    if (!file)
        return false;
    ok = linefile_next(file, &line) && line.n_fields == 1 && line.field[0].len >= SECRET_MIN;
    if (ok)
        crypto_generichash(key, RECORD_KEY_LEN, (const uint8_t *)line.field[0].ptr,
                           line.field[0].len, NULL, 0);
    else
        error_set(err,
                  "%s: needs a line of at least %d characters without blanks; make one with "
                  "`openssl rand -hex 32`",
                  path, SECRET_MIN);
    linefile_free(file);
    return ok;
}

bool sink_password_load(const char *path, char out[static SINK_SECRET_MAX], struct error *err)
{
    struct linefile *file = linefile_load(path, S_IRWXO | S_IWGRP, err);
    struct linefile_line line;
    bool ok;

    if (!file)
        return false;
    ok = linefile_next(file, &line) && line.n_fields == 1 && line.field[0].len < SINK_SECRET_MAX;
    if (ok) {
        memcpy(out, line.field[0].ptr, line.field[0].len);
        out[line.field[0].len] = '\0';
    } else {
        error_set(err, "%s: needs a line with the password, at most %d bytes without blanks", path,
                  SINK_SECRET_MAX - 1);
    }
    linefile_free(file);
    return ok;
}
