// A link that is good for so many clicks by people: its page on the dashboard, and the one that clients get.
import { appendFileSync } from "node:fs";
import { expect, settled, test } from "./fixtures.mjs";
import { until } from "./stack.mjs";

test.beforeAll(async ({ stack }) => {
    appendFileSync(stack.config, `    targets:
      - { kind: 4, name: renew, url: "https://billing.acme.example/cart.php?gid={object}", max_uses: 2 }
`);
    await stack.restart();
});

test("a link tells how often it was used, and may be", async ({ dashboard, stack, save }) => {
    const renew = stack.mint("renew", "--object", "502", "--client", "502", "--ttl", "30d");
    const told = () => stack.api(`/v1/links/${encodeURIComponent(renew)}`);
    const open = async () => {
        await dashboard.goto(`${stack.base}links`);
        await settled(dashboard);
        await dashboard.getByLabel("The whole link, or its token").fill(renew);
        await dashboard.getByRole("button", { name: "Look it up" }).click();
    };
    const fact = (name) => dashboard.locator(".facts dt", { hasText: new RegExp(`^${name}$`) }).locator("+ dd");

    await stack.click(renew);
    await until(async () => (await told()).uses === 1, "the first use is counted");
    await open();
    await expect(fact("Used")).toHaveText("1 of 2 times by people");
    await stack.click(renew);
    await until(async () => (await told()).used_up, "all uses are known");
    await open();
    await expect(fact("State")).toHaveText("Used up");
    await expect(fact("Used")).toHaveText("2 of 2 times by people");
    await expect(fact("Leads to")).toContainText("People have used it 2 times, and it is good for 2");
    await save(dashboard, "link-used-up");
});

test("the page of a used link, on a phone", async ({ page, stack, save }) => {
    const renew = stack.mint("renew", "--object", "503", "--client", "503", "--ttl", "30d");
    const path = new URL(renew).pathname;

    await stack.click(renew);
    await stack.click(renew);
    await until(async () => (await stack.api(`/v1/links/${encodeURIComponent(renew)}`)).used_up, "it is used up");
    const { status, body } = await stack.askPublic(path, { "Accept-Language": "de" });

    expect(status).toBe(410);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.setContent(body);
    await expect(page.getByRole("heading")).toHaveText("Dieser Link wurde schon benutzt");
    await expect(page.getByRole("link").first()).toHaveAttribute("href", "https://billing.acme.example/clientarea.php");
    await save(page, "used-phone");
});
