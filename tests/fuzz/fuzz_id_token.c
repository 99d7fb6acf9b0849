#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "service/admin/id_token.h"
#include "service/admin/oidc_provider.h"
#include "service/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that a provider sends: its metadata, its keys, a token, and claims.  The keys come
 * before the token, with a NUL between; none of them opens one, for nobody could sign here. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct id_token_expected expected = {
        .issuer = "https://id.example", .client_id = "hopcount", .nonce = "n", .now_s = 1800000000};
    static const struct users_oidc settings = {
        .issuer = "https://id.example", .user_claim = "email", .groups_claim = "groups"};
    const char *text = (const char *)data, *nul = size ? memchr(text, '\0', size) : NULL;
    struct slice first = slice_make(text, nul ? (size_t)(nul - text) : size);
    struct slice rest = slice_make(nul ? nul + 1 : "", nul ? size - first.len - 1 : 0);
    struct oidc_provider provider = {0};
    struct oidc_person person;
    struct error err = {0};
    json_t *json = json_loadb(first.ptr ? first.ptr : "", first.len, 0, NULL), *claims = NULL;

    if (oidc_provider_read(&provider, first, settings.issuer, &err) &&
        strncmp(provider.token_endpoint, "https://", 8) != 0)
        abort();
    oidc_provider_clear(&provider);
    (void)oidc_claims_lack(json, &settings);
    if (json && oidc_person_read(&person, json, &settings, &err) &&
        person.name.len > USERS_NAME_MAX)
        abort();
    if (id_token_can_use(json) || rest.len > 0) {
        if (id_token_open(rest, json, &expected, &claims, &err) == ID_TOKEN_OK)
            abort();
    }
    json_decref(json);
    return 0;
}
