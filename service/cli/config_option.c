#include "service/cli/config_option.h"

#include <errno.h>
#include <unistd.h>

#include "service/base/error.h"
#include "service/config/site.h"

struct site *config_option_load(const char *path, struct config **config, struct error *err)
{
    /* One that may not be looked at is there all the same: opening it says so. */
    if (!path && access(CONFIG_OPTION_DEFAULT, F_OK) != 0 && errno != EACCES) {
        error_set(err, "there is no %s; name your configuration with -c FILE",
                  CONFIG_OPTION_DEFAULT);
        return NULL;
    }
    return site_load(path ? path : CONFIG_OPTION_DEFAULT, config, err);
}
