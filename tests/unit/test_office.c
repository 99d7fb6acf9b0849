#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/public/office.h"

static void programs_of_office_are_told_from_browsers(void **state)
{
    const struct {
        const char *agent;
        bool want;
    } cases[] = {
        {"Microsoft Office Existence Discovery", true},
        {"Microsoft Office Protocol Discovery", true},
        {"Microsoft Office Word 2014", true},
        {"Microsoft Office Excel 2014 (16.0.10730) Windows NT 10.0", true},
        {"Microsoft Office PowerPoint 2014", true},
        {"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Word 16.0.4266; Pro)", true},
        {"Microsoft Office Mobile/16.0", true},
        {"ms-office", true},
        {"MSOffice 12", true},
        {"Mozilla/4.0 (compatible; ms-office; MSOffice 16)", true},
        {"Mozilla/4.0 (compatible; ms-office; MSOffice rmj)", true},
        {"Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; ms-office)",
         true},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X) Word/14.20.0", true},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X) Excel/16.9", true},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) PowerPoint/16.40", true},
        {"", false},
        {"curl/8.5.0", false},
        {"Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Trident/7.0; .NET4.0C)", false},
        {"Mozilla/5.0 (compatible; officestorebot/1.0; +https://aka.ms/officestorebot)", false},
        {"WordPress/6.4; https://blog.example", false},
        {"LibreOffice/7.4", false},
        {"Password/1.0", false},
        {"PHPExcel/1.8", false},
        {"Microsoft Officer", false},
        {"Microsoft-WNS/10.0", false},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
         false},
    };
    char agent[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].agent);
        assert_int_equal(office_is_agent(slice_of(cases[i].agent)), cases[i].want);
    }
    memset(agent, 'x', sizeof(agent));
    memcpy(agent + 500, " ms-office;", 11);
    assert_true(office_is_agent(slice_make(agent, sizeof(agent))));
    memset(agent, 'x', sizeof(agent));
    memcpy(agent + 600, " ms-office;", 11);
    assert_false(office_is_agent(slice_make(agent, sizeof(agent))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_of_office_are_told_from_browsers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
