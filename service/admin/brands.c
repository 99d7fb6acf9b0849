/* The brands and their kinds, so that a page can offer them to choose from, and a minter that has
 * only the key learns which kinds are to be plain URLs. */
#include "service/admin/handlers.h"
#include "service/admin/params.h"
#include "service/admin/request.h"
#include "service/config/site.h"

enum { KINDS_MAX = 15 };

static const char *tracking_of(const struct brand *brand, uint8_t kind)
{
    if (brand->untracked_kinds >> kind & 1)
        return "off";
    return brand->aggregate_kinds >> kind & 1 ? "aggregate" : "full";
}

static json_t *kinds_json(const struct brand *brand)
{
    json_t *kinds = json_array();

    for (uint8_t kind = 1; kind <= KINDS_MAX; kind++) {
        const char *name = brand_kind_name(brand, kind);

        if (name)
            json_array_append_new(kinds, json_pack("{si ss ss}", "number", (int)kind, "name", name,
                                                   "tracking", tracking_of(brand, kind)));
    }
    return kinds;
}

void brands_handle(struct request *request)
{
    json_t *brands = json_array();

    for (unsigned i = 0; i < site_n_brands(request->site); i++) {
        const struct brand *brand = site_brand_at(request->site, i);

        if (!params_sees(request, brand))
            continue;
        json_array_append_new(brands, json_pack("{ss# ss so}", "name", brand->name.ptr,
                                                (int)brand->name.len, "base_url", brand->base_url,
                                                "kinds", kinds_json(brand)));
    }
    request_reply_json(request, 200, json_pack("{so}", "brands", brands));
}
