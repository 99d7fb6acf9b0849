// Notes on the time axis: made, seen, read, printed, drawn and taken away.
import AxeBuilder from "@axe-core/playwright";
import { readFileSync } from "node:fs";
import { card, expect, settled, signIn, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;

test("a note is added, marks its day in the charts, and is taken away", async ({ page, stack, save }) => {
    await signIn(page, stack, "?from=30d", stack.leadKey);
    const chart = card(page, "Clicks over time"), dialog = page.getByRole("dialog");
    const day = new Date(Date.now() - 5 * 86400000).toISOString().slice(0, 10);

    for (const [date, hour, text] of [[day, "", "New template <b>went out</b>"], [day, "14", "Prices rose"]]) {
        await chart.getByRole("button", { name: "Add a note" }).click();
        await dialog.getByLabel("Day").fill(date);
        await dialog.getByLabel("Hour").selectOption(hour);
        await dialog.getByLabel("What happened").fill(text);
        if (!hour) {
            expect((await new Axe({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
            await save(page, "note-dialog", {});
        }
        await page.keyboard.press("Enter");
        await expect(dialog).toHaveCount(0);
    }
    const list = chart.getByRole("list", { name: "Notes" }), mark = chart.locator(".note-mark");

    await expect(list.getByRole("listitem")).toHaveCount(2);
    await expect(list.getByRole("listitem").first()).toContainText("New template <b>went out</b>");
    await expect(mark).toHaveCount(1); // both are of that day
    await mark.focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Shift+Tab"); // as the keyboard comes there
    await expect(mark.locator(".bubble")).toBeVisible();
    await expect(mark).toHaveAccessibleName(/New template <b>went out<\/b>; .*14:00: Prices rose/);
    await save(page, "notes-light", {});
    await page.keyboard.press("Enter");
    await expect(list.getByRole("listitem").first()).toBeFocused();
    expect((await new Axe({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
    const [file] = await Promise.all([page.waitForEvent("download"), chart.getByRole("button", { name: "Save as SVG" }).click()]);
    const drawing = readFileSync(await file.path(), "utf8");

    for (const text of [">1–2<", "New template &lt;b&gt;went out&lt;/b&gt;", "14:00: Prices rose"])
        expect(drawing).toContain(text);
    await page.emulateMedia({ media: "print" });
    await expect(list).toBeVisible();
    await expect(list.getByRole("button").first()).toBeHidden();
    await save(page, "notes-print");
    await page.emulateMedia({ media: "screen" });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.evaluate(() => window.toggleTheme());
    await chart.scrollIntoViewIfNeeded();
    await mark.hover();
    await save(page, "notes-390-dark", {});
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await page.goto(`${stack.base}campaigns?from=30d&campaign=1,2`);
    await settled(page);
    await expect(card(page, "Over time").getByRole("listitem").filter({ hasText: "Prices rose" })).toBeVisible();
    await card(page, "Over time").getByRole("button", { name: "Remove the note “Prices rose”" }).click();
    await expect(card(page, "Over time").getByText("Prices rose")).toHaveCount(0);
    await expect(page.getByRole("status").first()).toContainText(/removed|updated/);
});

test("who may only read sees notes and can't change them", async ({ dashboard, stack }) => {
    const chart = card(dashboard, "Clicks over time");
    const at = new Date(Date.now() - 5 * 86400000).toISOString().slice(0, 10);

    stack.redisCli("HSET", `hc:{s00}:notes:${stack.brand}`, "0123456789abcdef",
        JSON.stringify({ at, text: "Office closed", by: "lead", made_at: `${at}T09:00:00Z` }));
    await dashboard.reload();
    await settled(dashboard);
    await expect(chart.getByRole("listitem").filter({ hasText: "Office closed" })).toBeVisible();
    await expect(chart.getByRole("button", { name: /note/ })).toHaveCount(0);
    await dashboard.getByLabel("Period").selectOption("24h");
    await settled(dashboard);
    await expect(chart.getByText("Office closed")).toHaveCount(0);
});
