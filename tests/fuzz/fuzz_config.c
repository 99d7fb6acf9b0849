#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Either a configuration whose values are whole, or one line that names the file.  A site is built
 * up to its key file, which is never there: that covers presets, templates, hosts and pages. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char file[] = "fuzz.yaml";
    static char nowhere[] = "/nonexistent/keys";
    struct error err = {0};
    struct config *config = config_parse(file, (const char *)data, size, &err);

    if (!config) {
        if (strncmp(err.text, file, strlen(file)) != 0 || strchr(err.text, '\n'))
            abort();
        return 0;
    }
    if (config->n_brands == 0 || config->public.n_listen == 0 || !config->keys ||
        config->public.workers < 0 || config->public.workers > 256)
        abort();
    config->keys = nowhere;
    if (site_new(config, &err) || strncmp(err.text, file, strlen(file)) != 0 ||
        strchr(err.text, '\n'))
        abort();
    config_free(config);
    return 0;
}
