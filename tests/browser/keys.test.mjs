// Keys, and what can be saved as files.
import AxeBuilder from "@axe-core/playwright";
import { readFileSync, writeFileSync } from "node:fs";
import { card, expect, settled, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;

test("keys choose periods, compare, search, open the views, and are listed", async ({ dashboard }) => {
    await settled(dashboard);
    await dashboard.locator("main").focus();
    await dashboard.keyboard.press("2");
    await expect(dashboard).toHaveURL(/from=7d/);
    await dashboard.keyboard.press("3");
    await expect(dashboard).not.toHaveURL(/from=/); // the default
    await dashboard.keyboard.press("c");
    await expect(dashboard.getByLabel("Compared with")).toBeFocused();
    await dashboard.locator("main").focus();
    await dashboard.keyboard.press("/");
    await expect(dashboard.getByLabel("Campaign", { exact: true })).toBeFocused();
    await dashboard.locator("main").focus();
    await dashboard.keyboard.press("v");
    await expect(dashboard.getByRole("dialog", { name: "Saved views" })).toBeVisible();
    await dashboard.keyboard.press("Escape");
    await dashboard.locator("main").focus();
    await dashboard.keyboard.press("?");
    await expect(dashboard.getByRole("dialog")).toContainText("Last 7 days");
    expect((await new Axe({ page: dashboard }).analyze()).violations.map(({ id }) => id)).toEqual([]);
    await dashboard.keyboard.press("2"); // not through the dialog
    await dashboard.keyboard.press("Escape");
    await expect(dashboard.getByRole("dialog")).toHaveCount(0);
    await expect(dashboard).not.toHaveURL(/from=/);
    await dashboard.getByRole("link", { name: "Links", exact: true }).click();
    await dashboard.getByLabel("The whole link, or its token").fill("2?c/"); // typed, not obeyed
    await expect(dashboard.getByLabel("The whole link, or its token")).toHaveValue("2?c/");
});

test("a chart is saved as a picture, a ranking as a table", async ({ dashboard, stack }) => {
    const { rows } = await stack.api("/v1/stats?from=30d&group_by=country&tz=Europe%2FBerlin");

    await settled(dashboard);
    const [picture] = await Promise.all([dashboard.waitForEvent("download"),
        card(dashboard, "Clicks over time").getByRole("button", { name: "Save as PNG" }).click()]);
    const bytes = readFileSync(await picture.path());

    expect(bytes.subarray(1, 4).toString()).toBe("PNG");
    expect(bytes.length).toBeGreaterThan(3000);
    const [table] = await Promise.all([dashboard.waitForEvent("download"),
        card(dashboard, "Countries").getByRole("link", { name: "Countries as CSV" }).click()]);
    const lines = readFileSync(await table.path(), "utf8").trim().split("\r\n");

    expect(lines[0]).toContain("country,total,human,automated");
    expect(lines.length).toBe(rows.length + 1);
});

/* The rows of the file that a press saves. */
async function savedRows(page, button) {
    const [file] = await Promise.all([page.waitForEvent("download"), button.click()]);
    const text = readFileSync(await file.path(), "utf8");

    expect(text.startsWith("\ufeff")).toBe(true);
    return text.slice(1).trim().split("\r\n").map((line) => line.split(","));
}

const sum = (rows, column) => rows.slice(1).reduce((all, row) => all + Number(row[column]), 0);

test("the figures of each chart and of tables that no other file has are saved as CSV", async ({ dashboard, stack }) => {
    const { total } = await stack.api("/v1/stats?from=30d&group_by=kind&tz=Europe%2FBerlin");

    await settled(dashboard);
    const overTime = await savedRows(dashboard, card(dashboard, "Clicks over time").getByRole("button", { name: "Save as CSV" }));

    expect(overTime[0].slice(0, 2)).toEqual(["Time", "People"]);
    expect(overTime[1][0]).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(sum(overTime, 1)).toBe(total.human);
    const who = await savedRows(dashboard, card(dashboard, "Who clicked").getByRole("button", { name: "Who clicked as CSV" }));

    expect(sum(who.filter(([, reason], i) => i === 0 || reason === ""), 2)).toBe(total.total);
    const week = card(dashboard, "When they click");
    const hours = await savedRows(dashboard, week.getByRole("button", { name: "Save as CSV" }));

    expect(hours.length).toBe(15); // and those of the period that is compared with
    expect(hours[8][0]).toBe("Monday: the 30 days before");
    expect(hours.slice(1, 8).flatMap((row) => row.slice(1)).reduce((all, n) => all + Number(n), 0)).toBe(total.human);
    const [picture] = await Promise.all([dashboard.waitForEvent("download"), week.getByRole("button", { name: "Save as PNG" }).click()]);

    expect(readFileSync(await picture.path()).subarray(1, 4).toString()).toBe("PNG");
    await dashboard.goto(`${stack.base}funnel`);
    await settled(dashboard);
    expect((await savedRows(dashboard, card(dashboard, "From click to payment").getByRole("button", { name: "Save as CSV" })))[0])
        .toEqual(["Step", "Invoices", "The 30 days before"]);
    expect((await savedRows(dashboard, card(dashboard, "What became of payments").getByRole("button", { name: /CSV/ })))[1])
        .toEqual(["Credited to a click", expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+(\.\d\d?)?$/), "EUR"]);
});

test("a chart is saved as a drawing that says what it shows, in light colours and for any program", async ({ dashboard, stack }) => {
    await dashboard.evaluate(() => window.toggleTheme()); // the drawing is light all the same
    for (const [view, name, words] of [["?from=7d&kind=pay", "Clicks over time", ["Clicks over time by who clicked", "acme · last 7 days · Pay"]],
        ["campaigns?campaign=1,2&from=30d", "Over time", ["acme · last 30 days · Invoice created, Reminder, 3 days before due"]],
        ["", "When they click", ["last 30 days", "The busiest hour: ", ">Mon<", ">21<"]],
        ["campaigns?campaign=2", "From mail to click", ["last 30 days"]]]) {
        await dashboard.goto(stack.base + view);
        await settled(dashboard);
        const [file] = await Promise.all([dashboard.waitForEvent("download"),
            card(dashboard, name).getByRole("button", { name: "Save as SVG" }).first().click()]);
        const text = readFileSync(await file.path(), "utf8");

        expect(file.suggestedFilename()).toMatch(/\.svg$/);
        expect(text.startsWith('<?xml version="1.0" encoding="UTF-8"?>')).toBe(true);
        for (const said of [...words, "Source: hopcount on 127.0.0.1", 'font-family="sans-serif"', "#ffffff"])
            expect(text).toContain(said);
        expect(text).not.toMatch(/NaN|undefined|href|url\(|<style|var\(/);
        // A picture of its own: it is drawn where there is no page around it.
        const size = await dashboard.evaluate(async (source) => {
            const picture = new Image();

            picture.src = `data:image/svg+xml;base64,${btoa(String.fromCharCode(...new TextEncoder().encode(source)))}`;
            await picture.decode();
            const faults = new DOMParser().parseFromString(source, "application/xml").querySelectorAll("parsererror").length;

            return [picture.naturalWidth, picture.naturalHeight, faults];
        }, text);

        expect(size[0]).toBe(960);
        expect(size[1]).toBeGreaterThan(300);
        expect(size[2]).toBe(0);
        writeFileSync(`${process.env.HOPCOUNT_OUT}/chart-${name.replaceAll(" ", "-")}.svg`, text);
    }
});
