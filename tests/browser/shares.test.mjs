// A link that shares a page: made, opened by somebody who has no key, revoked.
import AxeBuilder from "@axe-core/playwright";
import { card, expect, figure, settled, signIn, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;
const violations = async (page) => (await new Axe({ page }).analyze()).violations.map(({ id }) => id);

/* Makes the link of the page that is shown, by hand; its address. */
async function share(page, title, days) {
    const dialog = page.getByRole("dialog");

    await page.getByRole("button", { name: "Views", exact: true }).click();
    await dialog.getByText("Share this page by a link").click();
    await dialog.getByLabel("Title").fill(title);
    await dialog.getByLabel("Works for").selectOption(days);
    await dialog.getByRole("button", { name: "Make a link" }).click();
    return dialog.getByLabel(/^The link, which works until/).inputValue();
}

/* A browser that never signed in, and what it was refused. */
async function openAsStranger(browser, url, viewport = { width: 1440, height: 900 }) {
    const context = await browser.newContext({ locale: "en-GB", timezoneId: "America/New_York", viewport });
    const page = await context.newPage(), refused = [];

    page.on("response", (reply) => reply.status() >= 400 && refused.push(`${reply.status()} ${reply.url()}`));
    page.on("pageerror", (error) => refused.push(String(error)));
    await page.goto(url);
    return { page, refused, close: () => context.close() };
}

test("a page is shared, read without a key, and the link is revoked", async ({ browser, page, stack, save }) => {
    await signIn(page, stack, "?from=30d&kind=pay", stack.leadKey);
    const clicks = await figure(page, "People’s clicks");
    const url = await share(page, "For the agency", "90");

    expect(url).toMatch(/\/dashboard\/shared#hcs_[\w-]+$/);
    expect(await violations(page)).toEqual([]);
    await save(page, "share-dialog", {});
    const stranger = await openAsStranger(browser, url);

    await settled(stranger.page);
    await expect(stranger.page.getByRole("heading", { level: 1 })).toHaveText("For the agency");
    await expect(stranger.page.locator(".page-head")).toContainText("acme · last 30 days · Pay · clicks by people");
    expect(await figure(stranger.page, "People’s clicks")).toBeGreaterThanOrEqual(clicks);
    await expect(stranger.page.getByText("Days are those of Europe/Berlin.")).toBeVisible();
    expect(stranger.refused).toEqual([]);
    expect(await violations(stranger.page)).toEqual([]);
    await save(stranger.page, "shared-1440-light");
    // Nothing leads elsewhere, in lists that open neither.
    await expect(stranger.page.locator("a[data-view], a[download]")).toHaveCount(0);
    await card(stranger.page, "Countries").getByRole("button", { name: /more/ }).click();
    await expect(stranger.page.getByRole("dialog")).toContainText("Denmark");
    await expect(stranger.page.locator("a[data-view], a[download]")).toHaveCount(0);
    await stranger.page.keyboard.press("Escape");
    const asked = stranger.page.waitForResponse((reply) => reply.url().includes("/v1/shared"));

    await stranger.page.reload();
    expect((await asked).status()).toBe(200);
    await stranger.page.emulateMedia({ media: "print" });
    await settled(stranger.page);
    await save(stranger.page, "shared-print");
    await stranger.page.emulateMedia({ media: "screen" });
    await page.getByRole("dialog").getByRole("button", { name: "Revoke the link “For the agency”" }).click();
    await expect(page.getByRole("dialog").getByRole("button", { name: /^Revoke/ })).toHaveCount(0);
    await stranger.page.reload();
    await expect(stranger.page.getByRole("heading", { level: 1 })).toHaveText("This link no longer works");
    expect(await violations(stranger.page)).toEqual([]);
    await save(stranger.page, "shared-over");
    await stranger.close();
});

test("campaigns, the funnel and several filters are shared, on a phone too", async ({ browser, page, stack, save }) => {
    const names = `hc:{s00}:names:${stack.brand}`;

    stack.redisCli("HSET", names, "777", "Nobody’s letter"); // which has no clicks
    for (const [view, headings] of [["campaigns?from=90d&campaign=2,3,777", ["Side by side", "Over time"]], ["funnel?from=90d", ["Step by step"]],
        ["?from=7d&country=DE&device=phone", ["Clicks over time"]]]) {
        await page.context().clearCookies();
        await signIn(page, stack, view, stack.leadKey);
        const stranger = await openAsStranger(browser, await share(page, "Shared", "7"), { width: 390, height: 844 });

        await settled(stranger.page);
        await stranger.page.evaluate(() => window.toggleTheme());
        if (view.startsWith("campaigns")) {
            await expect(stranger.page.locator(".page-head")).toContainText("Reminder, 3 days before due, First overdue notice, Nobody’s letter");
            await expect(stranger.page.getByRole("heading", { name: "Nobody’s letter" })).toBeVisible();
        }
        for (const heading of headings)
            await expect(stranger.page.getByRole("heading", { name: heading })).toBeVisible();
        for (const gone of [card(stranger.page, "All campaigns"), stranger.page.locator(".funnel-open")])
            await expect(gone).toHaveCount(0);
        expect(stranger.refused).toEqual([]);
        expect(await stranger.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
        await save(stranger.page, `shared-${view.split("?")[0] || "filters"}-390-dark`);
        await stranger.page.setViewportSize({ width: 768, height: 1024 });
        await save(stranger.page, `shared-${view.split("?")[0] || "filters"}-768-dark`);
        await stranger.close();
    }
    stack.redisCli("HDEL", names, "777");
});
