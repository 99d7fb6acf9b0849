// Saved views: from a page with filters to a name in a menu, for everybody who may read the brand.
import AxeBuilder from "@axe-core/playwright";
import { expect, settled, signIn, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;

async function openViews(page) {
    await page.getByRole("button", { name: "Views", exact: true }).click();
    await expect(page.getByRole("dialog").getByRole("list", { name: "Saved views" }).getByRole("listitem").first()).toBeVisible();
    return page.getByRole("dialog");
}

test("a view is saved, opened, renamed and deleted", async ({ page, stack, save }) => {
    await signIn(page, stack, "campaigns?campaign=2,3&from=90d&compare=year&who=total", stack.leadKey);
    const dialog = await openViews(page);

    await expect(dialog).toContainText("No view has been saved yet.");
    await dialog.getByLabel("Save this page").fill("Reminders <i>");
    await page.keyboard.press("Enter");
    await expect(dialog.getByRole("link", { name: "Reminders <i>" })).toBeVisible();
    await expect(dialog.getByLabel("Save this page")).toHaveValue("");
    await expect(dialog.getByRole("listitem")).toContainText("Campaigns · last 90 days · Reminder, 3 days before due, First overdue notice");
    await dialog.getByLabel("Save this page").fill("Reminders <i>");
    await page.keyboard.press("Enter");
    await expect(dialog.getByRole("alert").filter({ hasText: "Another view has this name." })).toBeVisible();
    expect((await new Axe({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
    await save(page, "views-light", {});
    await dialog.getByRole("button", { name: "Rename the view “Reminders <i>”" }).click();
    await dialog.getByLabel("New name of “Reminders <i>”").fill("Mahnungen");
    await page.keyboard.press("Enter");
    await expect(dialog.getByRole("link", { name: "Mahnungen" })).toBeVisible();
    await page.keyboard.press("Escape");
    await page.goto(stack.base);
    await settled(page);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.evaluate(() => window.toggleTheme());
    await openViews(page);
    await save(page, "views-390-dark", {});
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await dialog.getByRole("link", { name: "Mahnungen" }).click();
    await expect(dialog).toHaveCount(0);
    for (const part of [/\/campaigns\?/, /campaign=2%2C3/, /from=90d/, /compare=year/, /who=total/])
        await expect(page).toHaveURL(part);
    await settled(page);
    await openViews(page);
    await dialog.getByRole("button", { name: "Delete the view “Mahnungen”" }).click();
    await expect(dialog).toContainText("No view has been saved yet.");
});

test("who may only read opens views and can't change them", async ({ dashboard, stack }) => {
    stack.redisCli("HSET", `hc:{s00}:views:${stack.brand}`, "0123456789abcdef", JSON.stringify({ name: "This year", page: "funnel",
        filters: { from: "ytd" }, by: "lead", made_at: "2026-11-22T12:00:00Z" }));
    const dialog = await openViews(dashboard);

    await expect(dialog.getByRole("button", { name: /view/ })).toHaveCount(0);
    await expect(dialog.getByLabel("Save this page")).toHaveCount(0);
    await dialog.getByRole("link", { name: "This year" }).click();
    await expect(dashboard).toHaveURL(/funnel\?from=ytd/);
    await dashboard.goto(`${stack.base}links`);
    await expect(dashboard.getByRole("button", { name: "Views", exact: true })).toHaveCount(0);
});
