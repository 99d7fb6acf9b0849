// Redis is down: the page says so, keeps what it has, and recovers by itself.
import { card, expect, figure, settled, signIn, test } from "./fixtures.mjs";

test.describe.configure({ timeout: 180000 }); // on a busy machine the API keeps an answer for a minute

test("a lost Redis is told, and the figures stay until it is back",
    async ({ dashboard, stack, save }) => {
        const before = await figure(dashboard, "People’s clicks");

        await stack.stopRedis();
        // Clicks are redirected all the same; the page asks again when it is changed.
        await stack.click(stack.link);
        await dashboard.getByLabel("Period").selectOption("7d");
        await expect(dashboard.getByRole("alert").filter({ hasText: "can’t be updated" }))
            .toBeVisible();
        await expect(card(dashboard, "Countries")).toContainText("Waiting for the counters");
        await expect(dashboard.getByRole("button", { name: "Try again" })).toHaveCount(1);
        await expect(dashboard.locator(".top .pill")).toHaveText("Waiting");
        await save(dashboard, "overview-redis-down");
        await dashboard.getByRole("link", { name: "Health" }).click();
        await expect(card(dashboard, "State")).toContainText("counting waits");
        await expect(card(dashboard, "Redis")).toContainText("not connected");
        await expect(card(dashboard, "Pods").getByRole("row", { name: "(this one)" }))
            .toContainText("waiting for Redis");
        await save(dashboard, "health-redis-down");
        await dashboard.getByRole("link", { name: "Links" }).click();
        await dashboard.getByLabel("The whole link, or its token").fill(stack.link);
        await dashboard.keyboard.press("Enter");
        await expect(dashboard.getByRole("alert").filter({ hasText: "It works all the same" }))
            .toBeVisible();
        await dashboard.getByRole("link", { name: "Health" }).click();

        await stack.startRedis();
        await expect(card(dashboard, "State")).toContainText("All is well", { timeout: 20000 });
        await dashboard.goto(stack.base);
        await settled(dashboard);
        await expect.poll(() => figure(dashboard, "People’s clicks"), { timeout: 90000 })
            .toBe(before + 1);
    });

test("figures that are there stay, and come to life again without a hand",
    async ({ page, stack }) => {
        await signIn(page, stack);
        const before = await figure(page, "People’s clicks");

        await stack.stopRedis();
        await expect(page.locator(".top .pill")).toHaveText("Waiting", { timeout: 15000 });
        expect(await figure(page, "People’s clicks")).toBe(before);
        await stack.click(stack.link);
        await stack.startRedis();
        await expect(page.locator(".top .pill")).toHaveText("Live", { timeout: 20000 });
        await expect.poll(() => figure(page, "People’s clicks"), { timeout: 90000 })
            .toBe(before + 1);
    });
