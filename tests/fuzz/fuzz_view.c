/* Bodies of presses: no form but the one that was sealed for a link opens for it, whatever stands
 * around it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/query.h"
#include "proto/token.h"
#include "proto/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t id[VIEW_ID_LEN] = {1, 2, 3, 4, 5, 6, 7, 8}, key[TOKEN_KEY_LEN] = {1};
    static const struct token token = {.kid = 1, .link_id = 77};
    static struct token_keyring ring;
    struct query form;
    struct slice bad, field;
    uint8_t opened[VIEW_ID_LEN];

    if (ring.mint_kid == 0) {
        check(sodium_init() >= 0);
        token_keyring_init(&ring);
        token_keyring_set(&ring, 1, TOKEN_KEY_MINT, key);
    }
    if (query_parse(slice_make((const char *)data, size), &form, &bad) != QUERY_OK)
        return 0;
    field = query_find(&form, "view");
    if (view_open(&ring, slice_of("acme"), &token, 0, field, opened) == VIEW_OK)
        check(memcmp(opened, id, sizeof(id)) == 0);
    return 0;
}
