/* What the configuration says of the ledger; without one, its defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/base/error.h"
#include "service/config/config.h"
#include "service/ledger/ledger_settings.h"

/* A process that is drained without its configuration must write what the process itself would
 * have. */
static void without_a_configuration_its_defaults_count(void **state)
{
    static const char text[] = "keys: k\nbrands: [{name: acme, hosts: [go.acme.example]}]\n";
    struct error err = {0};
    struct config *config = config_parse("/etc/hopcount.yaml", text, strlen(text), &err);
    struct ledger_options with, without = ledger_settings(NULL);

    (void)state;
    if (!config)
        fail_msg("%s", err.text);
    with = ledger_settings(config);
    assert_int_equal(without.n_shards, with.n_shards);
    assert_int_equal(without.flush_ms, with.flush_ms);
    assert_int_equal(without.batch_max, with.batch_max);
    assert_int_equal(without.timeout_ms, with.timeout_ms);
    assert_int_equal(without.retention_states_s, with.retention_states_s);
    assert_int_equal(without.retention_hours_s, with.retention_hours_s);
    assert_int_equal(without.retention_days_s, with.retention_days_s);
    assert_int_equal(without.retention_cells_s, with.retention_cells_s);
    assert_int_equal(without.cells_len_max, with.cells_len_max);
    assert_int_equal(without.retention_client_hours_s, with.retention_client_hours_s);
    assert_int_equal(without.retention_invoices_s, with.retention_invoices_s);
    assert_int_equal(without.window_s, with.window_s);
    assert_null(without.limits);
    assert_null(with.limits);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_configuration_its_defaults_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
