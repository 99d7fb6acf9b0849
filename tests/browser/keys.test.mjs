// Keys, and what can be saved as files.
import AxeBuilder from "@axe-core/playwright";
import { readFileSync } from "node:fs";
import { card, expect, settled, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;

test("keys choose periods, compare and search, and are listed", async ({ dashboard }) => {
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
