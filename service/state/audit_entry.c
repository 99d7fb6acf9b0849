#include "service/state/audit_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "proto/number.h"

static const char *const names[AUDIT_ACTIONS] = {
    [AUDIT_SIGN_IN] = "sign_in",     [AUDIT_SIGN_IN_REFUSED] = "sign_in_refused",
    [AUDIT_SIGN_OUT] = "sign_out",   [AUDIT_NAME] = "name",
    [AUDIT_REVOKE] = "revoke",       [AUDIT_UNREVOKE] = "unrevoke",
    [AUDIT_EVENTS] = "events",       [AUDIT_EXPORT] = "export",
    [AUDIT_ERASE] = "erase",         [AUDIT_RELOAD] = "reload",
    [AUDIT_ANNOTATE] = "annotate",   [AUDIT_UNANNOTATE] = "unannotate",
    [AUDIT_SAVE_VIEW] = "save_view", [AUDIT_DELETE_VIEW] = "delete_view",
    [AUDIT_SHARE] = "share",         [AUDIT_UNSHARE] = "unshare",
};

const char *audit_action_name(enum audit_action action)
{
    return names[action];
}

enum audit_action audit_action_find(struct slice name)
{
    int action = 0;

    while (action < AUDIT_ACTIONS && !slice_equal(name, slice_of(names[action])))
        action++;
    return (enum audit_action)action;
}

void audit_set_text(char *out, size_t room, struct slice text)
{
    size_t len = text.len < room ? text.len : room - 1;

    /* Not inside a character. */
    while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    if (len > 0)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
}

char *audit_entry_write(const struct audit_entry *entry)
{
    char id[17];
    json_t *json;
    char *text;

    snprintf(id, sizeof(id), "%016" PRIx64, entry->id);
    json = json_pack("{sI ss ss ss ss ss sI ss sI}", "at", (json_int_t)entry->at_ms, "id", id,
                     "action", names[entry->action], "who", entry->who, "address", entry->address,
                     "brand", entry->brand, "client", (json_int_t)entry->client, "what",
                     entry->what, "n", (json_int_t)entry->n);
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static void read_text(const json_t *json, const char *name, char *out, size_t room)
{
    const json_t *value = json_object_get(json, name);

    audit_set_text(out, room, slice_make(json_string_value(value), json_string_length(value)));
}

bool audit_entry_read(struct slice member, struct audit_entry *out)
{
    json_t *json = json_loadb(member.ptr, member.len, 0, NULL);
    const json_t *at = json_object_get(json, "at");
    const json_t *id = json_object_get(json, "id"), *action = json_object_get(json, "action");
    json_int_t n = json_integer_value(json_object_get(json, "n"));
    json_int_t client = json_integer_value(json_object_get(json, "client"));
    uint8_t bytes[8];
    bool ok;

    *out =
        (struct audit_entry){.n = n > 0 && n <= UINT32_MAX ? (uint32_t)n : 1,
                             .client = client > 0 && client <= UINT32_MAX ? (uint32_t)client : 0};
    out->action =
        audit_action_find(slice_make(json_string_value(action), json_string_length(action)));
    out->at_ms = json_integer_value(at);
    ok = json_is_integer(at) && out->at_ms >= 0 && out->action < AUDIT_ACTIONS &&
         number_parse_hex(slice_make(json_string_value(id), json_string_length(id)), bytes,
                          sizeof(bytes));
    if (ok) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            out->id = out->id << 8 | bytes[i];
        read_text(json, "who", out->who, sizeof(out->who));
        read_text(json, "address", out->address, sizeof(out->address));
        read_text(json, "brand", out->brand, sizeof(out->brand));
        read_text(json, "what", out->what, sizeof(out->what));
    }
    json_decref(json);
    return ok;
}

void audit_entry_erase_client(struct audit_entry *entry)
{
    static const char erased[] = "client (erased)";

    entry->client = 0;
    memcpy(entry->what, erased, sizeof(erased));
}
