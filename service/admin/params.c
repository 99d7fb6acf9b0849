#include "service/admin/params.h"

#include <stdio.h>

#include <glib.h>

#include "service/admin/auth.h"
#include "service/admin/faults.h"
#include "service/admin/request.h"
#include "service/config/brandlist.h"
#include "service/config/site.h"

bool params_sees(const struct request *request, const struct brand *brand)
{
    return brandlist_has(request->brands, brand->name);
}

const struct brand *params_find_brand_id(const struct request *request, uint32_t id)
{
    for (unsigned i = 0; i < site_n_brands(request->site); i++) {
        const struct brand *brand = site_brand_at(request->site, i);

        if (brand->id == id)
            return params_sees(request, brand) ? brand : NULL;
    }
    return NULL;
}

const struct brand *params_take_brand(const struct request *request, struct slice name,
                                      struct faults *faults)
{
    const struct brand *brand = name.ptr ? site_find_brand(request->site, name)
                                         : site_find_only_brand(request->site, request->brands);
    char quoted[REQUEST_QUOTE_MAX], rest[REQUEST_QUOTE_MAX + 64];

    if (brand && params_sees(request, brand))
        return brand;
    if (brand)
        snprintf(rest, sizeof(rest), "%s is not a brand of %s", request_quote(brand->name, quoted),
                 auth_whose(request->who));
    else if (name.ptr)
        snprintf(rest, sizeof(rest), "%s is no brand of the configuration",
                 request_quote(name, quoted));
    else
        snprintf(rest, sizeof(rest), "is needed, because there are several brands");
    faults_add(faults, brand ? PROBLEM_OTHER_BRAND : PROBLEM_INVALID_PARAMETERS, slice_of("brand"),
               rest);
    return NULL;
}

const struct brand *params_find_brand(struct request *request, struct slice name)
{
    struct faults faults = {.n = 0};
    const struct brand *brand = params_take_brand(request, name, &faults);

    if (faults.n > 0)
        faults_reply(&faults, request);
    return brand;
}

const struct brand *params_read_brand(struct request *request)
{
    struct faults faults = {.n = 0};
    const struct brand *brand;

    faults_add_strays(&faults, request);
    brand = params_take_brand(request, query_find(&request->query, "brand"), &faults);
    if (faults.n == 0)
        return brand;
    faults_reply(&faults, request);
    return NULL;
}

const char *params_text_fault(struct slice text)
{
    gunichar first, last;

    if (!query_is_clean_text(text))
        return "must not hold control characters";
    /* A text with invisible characters at its ends can't be found on a page or told from another.
     */
    first = g_utf8_get_char(text.ptr);
    last = g_utf8_get_char(g_utf8_prev_char(text.ptr + text.len));
    if (g_unichar_isspace(first) || g_unichar_iszerowidth(first) || g_unichar_isspace(last))
        return "must not begin or end with a blank";
    return NULL;
}
