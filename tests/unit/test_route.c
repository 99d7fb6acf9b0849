#include "tests/unit/public_fixture.h"

#include "service/public/route.h"

#define DAY_S 86400

/* A request of `path` as it stands in the request line. */
static const struct http1_request *request_of(const char *path)
{
    static struct http1_request request;
    static char head[1024];
    struct http1_refusal refusal;
    struct http1_scan scan = {0};
    int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);

    assert_int_equal(http1_parse(slice_make(head, (size_t)len), &scan, &request, &refusal),
                     HTTP1_COMPLETE);
    return &request;
}

static void test_decisions(void **state)
{
    struct fixture *f = fixture_new("workers: 1");
    const struct {
        const char *name, *host, *path;
        int64_t after_s;
        enum outcome want;
    } cases[] = {
        {"a link", "go.acme.example", "/" FIXTURE_LINK, 0, OUTCOME_REDIRECT},
        {"a slash behind it", "go.acme.example", "/" FIXTURE_LINK "/", 0, OUTCOME_REDIRECT},
        {"two slashes behind it", "go.acme.example", "/" FIXTURE_LINK "//", 0, OUTCOME_REDIRECT},
        {"a second segment", "go.acme.example", "/" FIXTURE_LINK "/x", 0, OUTCOME_REDIRECT},
        {"two slashes before it", "go.acme.example", "//" FIXTURE_LINK, 0, OUTCOME_REDIRECT},
        {"a blank before it", "go.acme.example", "/%20" FIXTURE_LINK, 0, OUTCOME_REDIRECT},
        {"this folder before it", "go.acme.example", "/./" FIXTURE_LINK, 0, OUTCOME_REDIRECT},
        {"a fragment behind it", "go.acme.example", "/" FIXTURE_LINK "#top", 0, OUTCOME_REDIRECT},
        {"a raw no-break space behind it", "go.acme.example", "/" FIXTURE_LINK "\xc2\xa0Pay", 0,
         OUTCOME_REDIRECT},
        {"a raw quote and a query behind it", "go.acme.example",
         "/" FIXTURE_LINK "\xe2\x80\x9d?utm=x", 0, OUTCOME_REDIRECT},
        {"text, and a raw byte behind it", "go.acme.example", "/" FIXTURE_LINK "&x=\xff", 0,
         OUTCOME_REDIRECT},
        {"a line end inside, and a fragment behind it", "go.acme.example",
         "/07d8tma8gsfrvnjtkxr4%0Avgc4y3ms6smxnr2a1r4cqq89m#x", 0, OUTCOME_REDIRECT},
        {"raw bytes in the query", "go.acme.example", "/" FIXTURE_LINK "?n=M\xfcller#x", 0,
         OUTCOME_REDIRECT},
        {"a raw byte in the query of no link", "go.acme.example", "/x?n=M\xfcller", 0,
         OUTCOME_NOT_FOUND},
        {"a fragment behind an expired one", "go.acme.example", "/" FIXTURE_LINK "#top", 31 * DAY_S,
         OUTCOME_EXPIRED},
        {"a fragment behind a wrong one", "go.acme.example",
         "/07d8tma8gsfrvnjtkxr4vgc4y3ms4smxnr2a1r4cqq89m#top", 0, OUTCOME_NOT_FOUND},
        {"a raw byte inside", "go.acme.example",
         "/07d8tma8gsfrvnjtkxr4\xa0vgc4y3ms6smxnr2a1r4cqq89m", 0, OUTCOME_BAD_REQUEST},
        {"a raw '#' inside", "go.acme.example", "/07d8tma8gsfrvnjtkxr4#vgc4y3ms6smxnr2a1r4cqq89m",
         0, OUTCOME_BAD_REQUEST},
        {"a raw byte before it", "go.acme.example", "/\xc2\xa0" FIXTURE_LINK, 0,
         OUTCOME_BAD_REQUEST},
        {"a raw '#' before it", "go.acme.example", "/#" FIXTURE_LINK, 0, OUTCOME_BAD_REQUEST},
        {"a fragment of the home", "go.acme.example", "/#top", 0, OUTCOME_BAD_REQUEST},
        {"a fragment of robots.txt", "go.acme.example", "/robots.txt#top", 0, OUTCOME_BAD_REQUEST},
        {"a raw byte in no link", "go.acme.example", "/caf\xe9", 0, OUTCOME_BAD_REQUEST},
        {"a wrong one with text behind it", "go.acme.example",
         "/07d8tma8gsfrvnjtkxr4vgc4y3ms4smxnr2a1r4cqq89m&utm_source=x", 0, OUTCOME_NOT_FOUND},
        {"not the first segment", "go.acme.example", "/x/" FIXTURE_LINK, 0, OUTCOME_NOT_FOUND},
        {"what a linkifier drags along", "go.acme.example", "/" FIXTURE_LINK ".", 0,
         OUTCOME_REDIRECT},
        {"a second before it expires", "go.acme.example", "/" FIXTURE_LINK, 30 * DAY_S - 1,
         OUTCOME_REDIRECT},
        {"expired on the second", "go.acme.example", "/" FIXTURE_LINK, 30 * DAY_S, OUTCOME_EXPIRED},
        {"another brand's host", "go.bolt.example", "/" FIXTURE_LINK, 0, OUTCOME_NOT_FOUND},
        {"a host in capitals", "GO.ACME.EXAMPLE", "/" FIXTURE_LINK, 0, OUTCOME_REDIRECT},
        {"an unknown host", "go.example", "/" FIXTURE_LINK, 0, OUTCOME_UNKNOWN_HOST},
        {"no host", "", "/" FIXTURE_LINK, 0, OUTCOME_UNKNOWN_HOST},
        {"an unknown host's robots.txt", "go.example", "/robots.txt", 0, OUTCOME_UNKNOWN_HOST},
        {"the first character changed", "go.acme.example",
         "/17d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89m", 0, OUTCOME_NOT_FOUND},
        {"the last character changed, and late", "go.acme.example",
         "/07d8tma8gsfrvnjtkxr4vgc4y3ms6smxnr2a1r4cqq89n", 31 * DAY_S, OUTCOME_NOT_FOUND},
        {"the home", "go.acme.example", "/", 0, OUTCOME_HOME},
        {"robots.txt", "go.acme.example", "/robots.txt", 0, OUTCOME_ROBOTS},
        {"robots.txt is a file, not a folder", "go.acme.example", "/robots.txt/", 0,
         OUTCOME_NOT_FOUND},
        {"only slashes", "go.acme.example", "//", 0, OUTCOME_NOT_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct route route;

        print_message("%s\n", cases[i].name);
        route_decide(f->site, site_find_host(f->site, slice_of(cases[i].host)),
                     request_of(cases[i].path), FIXTURE_NOW_S + cases[i].after_s, &route);
        assert_int_equal(route.outcome, cases[i].want);
        assert_int_equal(route.brand == NULL, cases[i].want == OUTCOME_UNKNOWN_HOST);
        if (cases[i].want == OUTCOME_REDIRECT)
            assert_int_equal(route.token.object, 1234);
    }
    fixture_free(f);
}

/* Seals DESIGN's link with changes; the text is as long as the route. */
static const char *seal(const struct fixture *f, struct token token)
{
    static char path[TOKEN_TEXT_MAX + 2];
    size_t len;

    token.kid = 1;
    token.issued_min = (uint32_t)((FIXTURE_NOW_S - TOKEN_EPOCH_S) / 60);
    path[0] = '/';
    assert_int_equal(token_seal(site_keys(f->site), slice_of("acme"), &token, path + 1, &len),
                     TOKEN_FAULT_NONE);
    return path;
}

static void test_silent_links_are_told_apart(void **state)
{
    struct fixture *f = fixture_new("workers: 1");
    struct route route;

    (void)state;
    route_decide(f->site, site_find_host(f->site, slice_of("go.acme.example")),
                 request_of(seal(f, (struct token){.kind = TOKEN_KIND_VIEW, .silent = true})),
                 FIXTURE_NOW_S, &route);
    assert_int_equal(route.outcome, OUTCOME_SILENT);
    route_decide(f->site, site_find_host(f->site, slice_of("go.acme.example")),
                 request_of(seal(f, (struct token){.kind = TOKEN_KIND_VIEW, .once = true})),
                 FIXTURE_NOW_S, &route);
    assert_int_equal(route.outcome, OUTCOME_REDIRECT);
    fixture_free(f);
}

static void test_pages(void **state)
{
    (void)state;
    assert_int_equal(route_page(OUTCOME_EXPIRED), PAGE_EXPIRED);
    assert_int_equal(route_page(OUTCOME_NO_TARGET), PAGE_NOT_FOUND);
    assert_int_equal(route_page(OUTCOME_UNKNOWN_HOST), PAGE_NOT_FOUND);
    assert_int_equal(route_page(OUTCOME_BAD_REQUEST), PAGE_BAD_REQUEST);
    assert_int_equal(route_page(OUTCOME_ROBOTS), PAGE_ROBOTS);
    assert_int_equal(route_page(OUTCOME_REDIRECT), PAGES);
    assert_int_equal(route_page(OUTCOME_TIMEOUT), PAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_silent_links_are_told_apart),
        cmocka_unit_test(test_pages),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
