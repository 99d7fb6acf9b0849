/* mint: makes one link, or one per row of a table. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/cli/batch.h"
#include "service/cli/command.h"
#include "service/cli/config_option.h"
#include "service/config/config.h"
#include "service/config/linkform.h"
#include "service/config/site.h"

/* The options of a link's fields are at their enum link_field; `kind` is a word, not an option, but
 * in a batch it may be one. */
enum { MINT_CONFIG = LINK_FIELDS, MINT_BATCH, MINT_FROM_LIST, MINT_PASS, MINT_JSON };

static const struct cli_option options[] = {
    [LINK_BRAND] = {"brand", "NAME", "needed when there are several", CLI_BRANDS, 0},
    [LINK_KIND] = {"kind", "KIND", "with --batch: the kind of rows that name none", CLI_KINDS, 0},
    [LINK_OBJECT] = {"object", "N", "number of the invoice, service, ticket …", NULL, 0},
    [LINK_CLIENT] = {"client", "N", "number of the client (0: none)", NULL, 0},
    [LINK_CAMPAIGN] = {"campaign", "N", "number of the campaign (0: none)", NULL, 0},
    [LINK_TTL] = {"ttl", "TIME", "how long it is valid (30d): never 15m 1h 6h 1d 2d 3d 7d …",
                  "never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d", 0},
    [LINK_CHANNEL] = {"channel", "NAME", "how it is sent (mail)",
                      "unknown mail sms pdf qr portal chat other", 0},
    [LINK_VARIANT] = {"variant", "A-G", "which text of an A/B test (none)", "A B C D E F G", 0},
    [LINK_ARG] = {"arg", "TEXT", "for {arg} in the target: 1-48 of A-Z a-z 0-9 . _ ~ -", NULL, 0},
    [LINK_ISSUED] = {"issued", "TIME", "when it was made, 2026-11-22T12:00:00Z (now)", NULL, 0},
    [LINK_DUE] = {"due", "DATE", "instead of --ttl: valid until 30 days after the day it is due",
                  NULL, 0},
    [LINK_SILENT] = {"silent", NULL, "redirect, but do not count", NULL, 0},
    [LINK_ONCE] = {"once", NULL, "one use only: a page with a button comes first", NULL, 0},
    [MINT_CONFIG] = CONFIG_OPTION,
    [MINT_BATCH] = {"batch", NULL, "a table on the input, a link per row", NULL, 0},
    [MINT_FROM_LIST] = {"from-list", "FILE",
                        "with --batch: a list of /v1/clicked, unclicked or unpaid as CSV", NULL, 0},
    [MINT_PASS] = {"pass", NULL, "with --batch: pass other columns through", NULL, 0},
    [MINT_JSON] = {"json", NULL, "print id, token, url, expires_at and the fields", NULL, 0},
};

static struct linkform read_form(const struct cli_args *args)
{
    struct linkform form = {0};

    for (int i = 0; i < LINK_FIELDS; i++)
        form.field[i] = slice_of(args->value[i]);
    if (args->value[LINK_SILENT])
        form.field[LINK_SILENT] = slice_of("yes");
    if (args->value[LINK_ONCE])
        form.field[LINK_ONCE] = slice_of("yes");
    if (args->n_words == 1)
        form.field[LINK_KIND] = slice_of(args->words[0]);
    return form;
}

static json_t *link_json(const struct link *link)
{
    const struct token *t = &link->token;
    char id[17], variant[2] = {0}, issued[RFC3339_TEXT_MAX];

    snprintf(id, sizeof(id), "%016" PRIx64, t->link_id);
    variant[0] = (char)(t->variant ? 'A' + t->variant - 1 : 0);
    rfc3339_format(token_issued_s(t), 0, issued);
    return json_pack("{ss? ss? ss ss? ss% ss sI sI si ss ss ss? so ss sb sb}", "id",
                     link->text_len ? id : NULL, "token", link->text_len ? link->text : NULL, "url",
                     link->url, "expires_at", link->expires_at[0] ? link->expires_at : NULL,
                     "brand", link->brand->name.ptr, link->brand->name.len, "kind",
                     brand_kind_name(link->brand, t->kind), "object", (json_int_t)t->object,
                     "client", (json_int_t)t->client, "campaign", (int)t->campaign, "ttl",
                     token_ttl_name(t->ttl_code), "channel", token_channel_name(t->channel),
                     "variant", t->variant ? variant : NULL, "arg",
                     t->arg_len ? json_stringn(t->arg, t->arg_len) : json_null(), "issued_at",
                     issued, "silent", (int)t->silent, "once", (int)t->once);
}

static int mint_one(const struct site *site, const struct linkform *form, bool as_json)
{
    struct linkform_maker maker;
    struct linkform_faults faults;
    struct error err;
    struct link link;
    json_t *json;
    bool ok;

    linkform_maker_init(&maker, site, clock_wall_ms() / 1000);
    if (!linkform_make(&maker, form, &link, &faults)) {
        linkform_set_error(&err, &faults);
        return cli_fail_error(&err);
    }
    if (!as_json) {
        puts(link.url);
        return CLI_OK;
    }
    json = link_json(&link);
    ok = json && json_dumpf(json, stdout, 0) == 0;
    json_decref(json);
    if (!ok)
        return cli_fail("cannot write the link");
    putchar('\n');
    return CLI_OK;
}

static int mint_batch(const struct site *site, const struct linkform *form,
                      const struct cli_args *args)
{
    const char *list = args->value[MINT_FROM_LIST];
    struct batch_options batch = {
        .is_list = list != NULL,
        .site = site,
        .defaults = form,
        .now_s = clock_wall_ms() / 1000,
        .in_fd = STDIN_FILENO,
        .out_fd = STDOUT_FILENO,
        .pass = args->value[MINT_PASS] != NULL,
        .show_progress = isatty(STDERR_FILENO) == 1,
    };

    int status;

    if (list && (batch.in_fd = open(list, O_RDONLY | O_CLOEXEC)) < 0)
        return cli_fail("%s: %s", list, strerror(errno));
    status = batch_run(&batch);
    if (list)
        close(batch.in_fd);
    return status;
}

static int check_words(const struct cli_args *args)
{
    bool is_batch = args->value[MINT_BATCH] != NULL;

    if (args->n_words > 1)
        return cli_usage(&cli_mint, "'%s' is one word too many", args->words[1]);
    if (args->n_words == 1 && args->value[LINK_KIND])
        return cli_usage(&cli_mint, "the kind is given twice");
    if (!is_batch && args->n_words == 0 && !args->value[LINK_KIND])
        return cli_usage(&cli_mint, "which KIND of link? For a table on the input, say --batch");
    if (is_batch && args->value[MINT_JSON])
        return cli_usage(&cli_mint, "--batch writes CSV; leave --json away");
    if (!is_batch && args->value[MINT_FROM_LIST])
        return cli_usage(&cli_mint, "--from-list is for --batch");
    if (args->value[MINT_FROM_LIST] && args->n_words == 0 && !args->value[LINK_KIND])
        return cli_usage(&cli_mint, "which KIND of link? A list of invoices does not say");
    if (!is_batch && args->value[MINT_PASS])
        return cli_usage(&cli_mint, "--pass is for --batch");
    return CLI_OK;
}

static int run_mint(const struct cli_args *args)
{
    struct linkform form = read_form(args);
    struct config *config = NULL;
    struct error err = {0};
    struct site *site;
    int status = check_words(args);

    if (status != CLI_OK)
        return status;
    if (!(site = config_option_load(args->value[MINT_CONFIG], &config, &err)))
        return cli_fail_error(&err);
    status = args->value[MINT_BATCH] ? mint_batch(site, &form, args)
                                     : mint_one(site, &form, args->value[MINT_JSON] != NULL);
    site_unref(site);
    config_free(config);
    return status;
}

const struct cli_command cli_mint = {
    .name = "mint",
    .usage = "-c FILE KIND --object N [OPTION…]\n"
             "       hopcount mint -c FILE --batch [OPTION…] < rows.csv > links.csv\n"
             "       hopcount mint -c FILE --batch --from-list FILE KIND [OPTION…] > links.csv",
    .summary = "makes links",
    .notes =
        "KIND is view, pay, login or a kind of the brand's own. Needs the key file that the\n"
        "configuration names, and nothing that runs.\n"
        "\n"
        "With --due 2026-12-31 a link is valid until 30 days after that day, at least 10 days "
        "from\n"
        "when it is issued, and from there to the next time that --ttl knows.\n"
        "\n"
        "A kind with tracking: off gets the URL of its target, which needs no key and never\n"
        "expires; id and token are empty then.\n"
        "\n"
        "With --batch the first line names the fields: brand, kind, object, client, campaign,\n"
        "ttl or due, channel, variant, arg, issued, silent; in any order, only `object` is\n"
        "needed. Options stand in for columns that are missing or empty. Commas, semicolons,\n"
        "tabs or bars separate columns, or what a line `sep=;` before says. Writes id, token,\n"
        "url, expires_at and the columns that came, separated by commas. A bad row is reported\n"
        "with its line, the others are minted, and the exit code is 1.\n"
        "\n"
        "With --from-list links are made for a list of invoices: of its rows object and client\n"
        "are taken, all else (KIND, --campaign, --ttl …) from the options.\n",
    .words = CLI_KINDS,
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .run = run_mint,
};
