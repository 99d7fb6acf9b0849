/* Patterns that would backtrack for ever, on agents made for them: given up, and said so.
 *
 * The tables below take the place of those that the build makes of the lists: of a library, only
 * what is still missing is linked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/base/error.h"
#include "service/label/agent.h"
#include "service/label/agent_data.h"

/* Each has 2^n ways to split n letters, and none that matches. */
const struct agent_rule agent_bot_rules[] = {
    {"^(a|aa|a+)+$", "", CLICK_REASON_CRAWLER, false},
    {"(b|bb)+(b|b?b)+[0-9]$", "", CLICK_REASON_CRAWLER, false},
    {"Honestbot", "Honestbot", CLICK_REASON_CRAWLER, false},
};
const unsigned agent_n_bot_rules = sizeof(agent_bot_rules) / sizeof(agent_bot_rules[0]);
const struct agent_rule agent_browser_rules[] = {
    {"(?:(c+)+)+$", "", CLICK_BROWSER_OPERA, false},
    {"Firefox/", "Firefox/", CLICK_BROWSER_FIREFOX, false},
};
const unsigned agent_n_browser_rules = sizeof(agent_browser_rules) / sizeof(agent_browser_rules[0]);
const struct agent_name agent_browser_names[] = {{"", 0}};
const unsigned agent_n_browser_names = 0;
const struct agent_rule agent_system_rules[] = {{"Windows", "", CLICK_SYSTEM_WINDOWS, false}};
const unsigned agent_n_system_rules = 1;
const struct agent_name agent_system_names[] = {{"", 0}};
const unsigned agent_n_system_names = 0;
/* Everything is of people that no rule above takes. */
const char *const agent_people_regexes[AGENT_PEOPLE_REGEXES] = {"", "", "", "Tab",
                                                                "compatible; Other"};

static void test_patterns_that_backtrack(void **state)
{
    const struct {
        const char *name;
        char letter; /* of which the agent consists, */
        size_t n;    /* so many times, */
        const char *end;
        enum click_reason reason;
        enum click_browser browser;
    } cases[] = {
        {"few letters are looked at to the end", 'a', 8, "!", CLICK_REASON_NONE,
         CLICK_BROWSER_OTHER},
        {"few letters that match", 'a', 8, "", CLICK_REASON_CRAWLER, CLICK_BROWSER_OTHER},
        {"many letters: given up", 'a', 900, "! Firefox/1", CLICK_REASON_UNCLASSIFIED,
         CLICK_BROWSER_FIREFOX},
        {"another pattern, given up", 'b', 900, "!", CLICK_REASON_UNCLASSIFIED,
         CLICK_BROWSER_OTHER},
        {"given up by one pattern, found by the next", 'a', 900, "! Honestbot",
         CLICK_REASON_CRAWLER, CLICK_BROWSER_OTHER},
        {"a browser's pattern, given up: who clicked is known all the same", 'c', 900,
         "! Firefox/1", CLICK_REASON_NONE, CLICK_BROWSER_FIREFOX},
        {"after that, all is as before", 'x', 8, " Firefox/1", CLICK_REASON_NONE,
         CLICK_BROWSER_FIREFOX},
    };
    struct error err = {0};
    struct agent_rules *rules = agent_rules_new(&err);
    struct agent_matcher *matcher = rules ? agent_matcher_new(rules) : NULL;

    (void)state;
    assert_non_null(matcher);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[AGENT_TEXT_MAX];
        struct agent agent;

        print_message("%s\n", cases[i].name);
        memset(text, cases[i].letter, cases[i].n);
        memcpy(text + cases[i].n, cases[i].end, strlen(cases[i].end));
        agent = agent_classify(matcher, slice_make(text, cases[i].n + strlen(cases[i].end)));
        assert_string_equal(click_reason_name(agent.reason), click_reason_name(cases[i].reason));
        assert_int_equal(agent.browser, cases[i].browser);
    }
    agent_matcher_free(matcher);
    agent_rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_patterns_that_backtrack)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
