/* Reads user agents, one a line; writes `reason device browser system` for each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/base/error.h"
#include "service/label/agent.h"

int main(void)
{
    static char line[65536];
    struct error err = {0};
    struct agent_rules *rules = agent_rules_new(&err);
    struct agent_matcher *matcher = rules ? agent_matcher_new(rules) : NULL;

    if (!matcher) {
        fprintf(stderr, "label_agents: %s\n", err.text);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin)) {
        struct slice text = slice_make(line, strcspn(line, "\n"));
        struct agent agent = agent_classify(matcher, text);

        printf("%s %s %s %s\n", click_reason_name(agent.reason), click_device_name(agent.device),
               click_browser_name(agent.browser), click_system_name(agent.system));
    }
    agent_matcher_free(matcher);
    agent_rules_free(rules);
    return 0;
}
