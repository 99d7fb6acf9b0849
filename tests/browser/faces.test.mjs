// How it looks and how it is used: dark, on a phone, by keyboard, by screen reader.
import AxeBuilder from "@axe-core/playwright";
import { card, expect, settled, signIn, test } from "./fixtures.mjs";

test.describe.configure({ timeout: 180000 }); // axe reads every element of nine pages

const Axe = AxeBuilder.default ?? AxeBuilder;
const views = { overview: "", campaigns: "campaigns?from=90d", funnel: "funnel", links: "links", targets: "targets", health: "health",
    api: "api" };

async function show(page, stack, view) {
    await page.goto(stack.base + views[view]);
    if (view !== "links") {
        await settled(page);
        return;
    }
    await page.getByLabel("The whole link, or its token").fill(stack.link);
    await page.keyboard.press("Enter");
    await card(page, "QR code").waitFor();
}

/* What a screen reader or a reader with weak eyes would stumble over. */
async function faults(page) {
    const { violations } = await new Axe({ page }).analyze();

    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(" ")}`);
}

for (const theme of ["light", "dark"]) {
    test(`axe finds nothing on any page, ${theme}`, async ({ dashboard, stack }) => {
        await dashboard.emulateMedia({ colorScheme: theme });
        for (const view of Object.keys(views)) {
            await show(dashboard, stack, view);
            expect(await faults(dashboard), view).toEqual([]);
        }
        await dashboard.goto(`${stack.base}?from=2019-01-01&to=2019-01-31`);
        await settled(dashboard);
        expect(await faults(dashboard), "empty").toEqual([]);
        await dashboard.goto(`${stack.base}?from=never`);
        await settled(dashboard);
        expect(await faults(dashboard), "failed").toEqual([]);
        await dashboard.getByRole("button", { name: "Sign out" }).click();
        await dashboard.getByLabel("API key").waitFor();
        expect(await faults(dashboard), "sign in").toEqual([]);
    });
}

test("it is dark where the system is, and where it was asked to be",
    async ({ page, stack, save }) => {
        const ground = () => page.evaluate(() =>
            getComputedStyle(document.documentElement).backgroundColor);

        await page.emulateMedia({ colorScheme: "dark" });
        await signIn(page, stack);
        expect(await ground()).toBe("rgb(14, 17, 22)");
        for (const view of Object.keys(views)) {
            await show(page, stack, view);
            await save(page, `${view}-dark`);
        }
        await page.emulateMedia({ colorScheme: "light" });
        await expect.poll(ground).toBe("rgb(246, 247, 249)");
        await page.getByRole("button", { name: "Switch between light and dark" }).click();
        expect(await ground()).toBe("rgb(14, 17, 22)");
        await page.reload();
        await settled(page);
        expect(await ground()).toBe("rgb(14, 17, 22)");
    });

test("on a phone nothing sticks out, and all can be reached", async ({ browser, stack, save }) => {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 },
        hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
    const page = await context.newPage();

    await signIn(page, stack);
    for (const view of Object.keys(views)) {
        await show(page, stack, view);
        expect(await page.evaluate(() => document.documentElement.scrollWidth), view)
            .toBeLessThanOrEqual(360);
        expect(await faults(page), view).toEqual([]);
        await save(page, `${view}-phone`);
    }
    await page.goto(stack.base + views.health);
    await settled(page);
    await page.getByRole("link", { name: "Overview" }).tap();
    await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
    await context.close();
});

test("it works without a mouse", async ({ dashboard }) => {
    await expect(dashboard.locator("main")).toBeFocused(); // after signing in
    expect(await dashboard.evaluate(() => scrollY)).toBe(0); // where the bar would hide the heading
    await dashboard.reload();
    await settled(dashboard);
    await dashboard.keyboard.press("Tab");
    await expect(dashboard.getByText("Skip to the figures")).toBeFocused();
    await dashboard.keyboard.press("Enter");
    await expect(dashboard.locator("main")).toBeFocused();
    await dashboard.getByRole("radio", { name: "People" }).focus();
    await dashboard.keyboard.press("ArrowRight");
    await expect(dashboard).toHaveURL(/who=total/);
    await expect(dashboard.getByRole("radio", { name: "Everything" })).toBeFocused();
    await dashboard.getByRole("link", { name: "Health" }).focus();
    await dashboard.keyboard.press("Enter");
    await expect(dashboard.getByRole("heading", { level: 1 })).toHaveText("Health");
    await expect(dashboard.locator("main")).toBeFocused();
});

test("its language, title and landmarks are told", async ({ dashboard }) => {
    await expect(dashboard).toHaveTitle("Overview – hopcount");
    expect(await dashboard.locator("html").getAttribute("lang")).toBe("en");
    for (const role of ["banner", "navigation", "main"])
        await expect(dashboard.getByRole(role)).toHaveCount(1);
    await expect(dashboard.getByRole("link", { name: "Overview" }))
        .toHaveAttribute("aria-current", "page");
});
