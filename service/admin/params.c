#include "service/admin/params.h"

#include "service/admin/request.h"
#include "service/config/site.h"

const struct brand *params_find_brand(struct request *request, struct slice name)
{
    const struct brand *brand = NULL;
    char quoted[REQUEST_QUOTE_MAX];

    if (name.ptr) {
        brand = site_find_brand(request->site, name);
        if (!brand)
            request_fail(request, 400, "brand", "there is no brand %s",
                         request_quote(name, quoted));
    } else if (site_n_brands(request->site) == 1) {
        brand = site_brand_at(request->site, 0);
    } else {
        request_fail(request, 400, "brand", "is needed, because there are several brands");
    }
    return brand;
}

bool params_parse_number(struct slice text, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;

    if (text.len == 0 || text.len > 10)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *out = (uint32_t)n;
    return n >= 1 && n <= max;
}
