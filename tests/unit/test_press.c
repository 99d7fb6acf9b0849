/* Which POSTs are presses of a button of ours. */
#include "tests/unit/public_fixture.h"

#include "service/public/press.h"

#define START "POST /" FIXTURE_LINK " HTTP/1.1\r\nHost: go.acme.example\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static void parse(const char *head, struct http1_request *out)
{
    struct http1_scan scan = {0};
    struct http1_refusal refusal;

    assert_int_equal(http1_parse(slice_of(head), &scan, out, &refusal), HTTP1_COMPLETE);
}

static void test_heads(void **state)
{
    static const struct {
        const char *name, *head;
        enum outcome want;
    } cases[] = {
        {"a form", START FORM "Content-Length: 50\r\n\r\n", OUTCOMES},
        {"the type in capitals, with a parameter",
         START "Content-Type: Application/X-WWW-Form-URLEncoded ; charset=UTF-8\r\n"
               "Content-Length: 50\r\n\r\n",
         OUTCOMES},
        {"nothing needs no type", START "Content-Length: 0\r\n\r\n", OUTCOMES},
        {"HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\n" FORM "Content-Length: 50\r\n\r\n",
         OUTCOME_VERSION},
        {"no length", START FORM "\r\n", OUTCOME_LENGTH},
        {"a client that waits", START FORM "Content-Length: 50\r\nExpect: 100-continue\r\n\r\n",
         OUTCOME_EXPECT},
        {"no type", START "Content-Length: 50\r\n\r\n", OUTCOME_TYPE},
        {"JSON", START "Content-Type: application/json\r\nContent-Length: 50\r\n\r\n",
         OUTCOME_TYPE},
        {"a form with files",
         START "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 50\r\n\r\n",
         OUTCOME_TYPE},
        {"a longer type",
         START "Content-Type: application/x-www-form-urlencoded2\r\nContent-Length: 50\r\n\r\n",
         OUTCOME_TYPE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request;

        print_message("%s\n", cases[i].name);
        parse(cases[i].head, &request);
        assert_int_equal(press_refuse_head(&request, false), cases[i].want);
    }
}

static void test_where_presses_come_from(void **state)
{
    static const struct {
        const char *name, *fields, *body; /* %s: the view */
        bool want;
    } cases[] = {
        {"the field alone", "", "view=%s", true},
        {"among others", "", "a=b&view=%s&c=d", true},
        {"as a browser sends it",
         "Origin: null\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n"
         "Sec-Fetch-Dest: document\r\n",
         "view=%s", true},
        {"from an origin of the brand", "Origin: https://go.acme.example\r\n", "view=%s", true},
        {"behind a proxy, by another port", "Origin: http://GO.acme.example:8443\r\n", "view=%s",
         true},
        {"typed in", "Sec-Fetch-Site: none\r\n", "view=%s", true},
        {"no field", "", "", false},
        {"an empty field", "", "view=", false},
        {"twice", "", "view=%s&view=x", false},
        {"with something behind it", "", "view=%s0", false},
        {"a bad escape", "", "view=%s&x=%%zz", false},
        {"no text", "", "view=%s&x=%%00", false},
        {"from another site", "Sec-Fetch-Site: cross-site\r\n", "view=%s", false},
        {"from another host of the site", "Sec-Fetch-Site: same-site\r\n", "view=%s", false},
        {"from a frame", "Sec-Fetch-Dest: iframe\r\n", "view=%s", false},
        {"by a script", "Sec-Fetch-Dest: empty\r\n", "view=%s", false},
        {"from another origin", "Origin: https://evil.example\r\n", "view=%s", false},
        {"from another brand's", "Origin: https://go.bolt.example\r\n", "view=%s", false},
        {"from one that looks alike", "Origin: https://go.acme.example.evil.example\r\n", "view=%s",
         false},
        {"from a file", "Origin: file://go.acme.example\r\n", "view=%s", false},
        {"from an empty origin", "Origin: \r\n", "view=%s", false},
    };
    struct fixture *f = fixture_new("workers: 1");
    const struct token token = {.kid = 1, .link_id = 7};
    const struct press_link link = {f->site, site_find_host(f->site, slice_of("go.acme.example")),
                                    &token, FIXTURE_NOW_S};
    const uint8_t id[VIEW_ID_LEN] = {9};
    char view[VIEW_TEXT_LEN + 1] = "";

    (void)state;
    view_seal(site_keys(f->site), link.brand->name, &token, FIXTURE_NOW_S, id, view);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request;
        char head[512], body[256];
        uint8_t got[VIEW_ID_LEN];

        print_message("%s\n", cases[i].name);
        snprintf(head, sizeof(head), START FORM "%sContent-Length: 50\r\n\r\n", cases[i].fields);
        snprintf(body, sizeof(body), cases[i].body, view);
        parse(head, &request);
        assert_int_equal(press_is_ours(&request, slice_of(body), &link, got), cases[i].want);
        if (cases[i].want)
            assert_memory_equal(got, id, sizeof(id));
    }
    fixture_free(f);
}

static void test_one_click(void **state)
{
    static const struct {
        const char *name, *type, *body;
        bool want;
    } cases[] = {
        {"the body of RFC 8058", "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click",
         true},
        {"as a form of parts", "multipart/form-data; boundary=x",
         "--x\r\nContent-Disposition: form-data; "
         "name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--",
         true},
        {"another value", "application/x-www-form-urlencoded", "List-Unsubscribe=Two-Clicks",
         false},
        {"another name", "application/x-www-form-urlencoded", "Unsubscribe=One-Click", false},
        {"another value of a part", "multipart/form-data; boundary=x",
         "--x\r\nContent-Disposition: form-data; "
         "name=\"List-Unsubscribe\"\r\n\r\nOne-Clicks\r\n--x--",
         false},
        {"the words of the one in the other", "multipart/form-data; boundary=x",
         "List-Unsubscribe=One-Click", false},
        {"nothing", "multipart/form-data", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_request request;
        char head[512];

        print_message("%s\n", cases[i].name);
        snprintf(head, sizeof(head), START "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                 cases[i].type, strlen(cases[i].body));
        parse(head, &request);
        assert_int_equal(press_refuse_head(&request, true), OUTCOMES);
        assert_int_equal(press_is_one_click(&request, slice_of(cases[i].body)), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_where_presses_come_from),
        cmocka_unit_test(test_one_click),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
