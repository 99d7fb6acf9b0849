/* handlers.h - the functions behind the routes; each takes the request and replies, now or later.
 * What each answers stands in proto/openapi.yaml. */
#ifndef ADMIN_HANDLERS_H
#define ADMIN_HANDLERS_H

struct request;

void probes_handle_live(struct request *request);
void probes_handle_ready(struct request *request);
void probes_handle_options(struct request *request);
void metrics_handle(struct request *request);
void links_handle_mint(struct request *request);
void links_handle_mint_batch(struct request *request);
void told_handle(struct request *request);
void events_handle_post(struct request *request);
void events_handle_post_batch(struct request *request);
void revocations_handle_post(struct request *request);
void revocations_handle_list(struct request *request);
void revocations_handle_delete(struct request *request);
void links_handle_use(struct request *request);
void links_handle_show(struct request *request);
void object_handle(struct request *request);
void client_handle(struct request *request);
void object_handle_timeline(struct request *request);
void client_handle_timeline(struct request *request);
void object_handle_list(struct request *request);
void client_handle_list(struct request *request);
void stats_handle(struct request *request);
void funnel_handle(struct request *request);
void funnel_handle_stats(struct request *request); /* /v1/stats of payments */
void funnel_handle_conversions(struct request *request);
void invoices_handle_clicked(struct request *request);
void invoices_handle_unclicked(struct request *request);
void invoices_handle_unpaid(struct request *request);
void campaigns_handle_list(struct request *request);
void campaigns_handle_put(struct request *request);
void campaigns_handle_delete(struct request *request);
void annotations_handle_list(struct request *request);
void annotations_handle_post(struct request *request);
void annotations_handle_delete(struct request *request);
void views_handle_list(struct request *request);
void views_handle_post(struct request *request);
void views_handle_put(struct request *request);
void views_handle_delete(struct request *request);
void shares_handle_list(struct request *request);
void shares_handle_post(struct request *request);
void shares_handle_delete(struct request *request);
void shares_handle_show(struct request *request); /* what the link shows that it came by */
void live_handle(struct request *request);
void top_handle(struct request *request);
void health_handle(struct request *request);
void targets_handle_list(struct request *request);
void targets_handle_show(struct request *request);
void audit_list_handle(struct request *request);
void brands_handle(struct request *request);
void qr_handle_svg(struct request *request);
void qr_handle_png(struct request *request);
void signin_handle_open(struct request *request);
void signin_handle_show(struct request *request);
void signin_handle_close(struct request *request);
void oidc_handle_start(struct request *request);
void oidc_handle_callback(struct request *request);
void openapi_handle_yaml(struct request *request);
void openapi_handle_json(struct request *request);
void problems_handle_list(struct request *request);
void problems_handle_show(struct request *request);
void web_handle_home(struct request *request);
void web_handle_docs(struct request *request);
void web_handle_page(struct request *request);
void web_handle_asset(struct request *request);

#endif
