#include "service/admin/stats/stats_request.h"

#include <stdio.h>
#include <string.h>

#include "service/admin/auth.h"
#include "service/admin/faults.h"
#include "service/admin/request.h"
#include "service/base/clock.h"

enum { DISPOSITION_MAX = 96 };

bool stats_request_read(struct request *request, enum stats_asked asked, const char *file_name,
                        struct stats_query *out)
{
    const char *accept = request_header(request, "Accept");
    bool is_csv_path =
        request->path.len > 4 && memcmp(request->path.ptr + request->path.len - 4, ".csv", 4) == 0;
    const struct stats_asker asker = {
        .site = request->site,
        .brands = request->brands,
        .whose = auth_whose(request->who),
        .now_s = clock_wall_ms() / 1000,
        .accepts_csv = is_csv_path ||
                       (asked != STATS_ASKED_CONVERSIONS && accept && strstr(accept, "text/csv")),
        .asked = asked,
    };
    char disposition[DISPOSITION_MAX];
    struct faults faults = {.n = 0};
    struct stats_fault fault;

    faults_add_strays(&faults, request);
    request_add_header(request, "Vary", "Accept, Accept-Encoding, Authorization");
    if (!stats_query_init(out, &request->query, &asker, &fault)) {
        for (size_t i = 0; i < fault.n; i++)
            faults_add(&faults,
                       fault.is_forbidden ? PROBLEM_OTHER_BRAND : PROBLEM_INVALID_PARAMETERS,
                       slice_of(fault.list[i].parameter), fault.list[i].detail);
    }
    if (faults.n > 0) {
        faults_reply(&faults, request);
        return false;
    }
    if (out->csv && !is_csv_path) {
        char successor[DISPOSITION_MAX];

        snprintf(successor, sizeof(successor), "%.*s.csv", SLICE_ARG(request->path));
        request_deprecate(request, successor);
    } else if (asked == STATS_ASKED_STATS && out->metric != STATS_CLICKS && !out->csv) {
        request_deprecate(request, "/v1/conversions");
    }
    if (out->download) {
        snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"", file_name);
        request_add_header(request, "Content-Disposition", disposition);
    }
    return true;
}
