// The audit log: shown to keys that may see it, and to no others.
import AxeBuilder from "@axe-core/playwright";
import { readFileSync } from "node:fs";
import { card, expect, settled, signIn, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;

test("a key without the scope admin is offered no audit log", async ({ page, stack }) => {
    await signIn(page, { ...stack, base: stack.base, key: stack.officeKey });
    await expect(page.getByRole("link", { name: "Audit log" })).toHaveCount(0);
    await page.goto(`${stack.base}audit`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("There is no such page");
});

test("who did what is listed, filtered and exported", async ({ page, stack, save }) => {
    stack.tell("revoke", "client", "990077");
    stack.tell("revoke", "link", new URL(stack.link).pathname.slice(1)); // what it is about is one long word
    await signIn(page, { ...stack, base: stack.base, key: stack.chiefKey });
    await page.getByRole("link", { name: "Audit log" }).click();
    const log = card(page, "Who did what");

    await expect(log.getByRole("row", { name: /Signed in chief/ })).not.toHaveCount(0);
    await expect(log.getByRole("row", { name: /Revoked billing acme: client 990077 127\.0\.0\.1/ })).toHaveCount(1);
    await settled(page);
    expect((await new Axe({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
    await save(page, "audit");
    await page.setViewportSize({ width: 360, height: 800 });
    await save(page, "audit-360");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    await log.getByLabel("Which entries").selectOption("revoke");
    await expect(log.getByRole("row", { name: /Signed in/ })).toHaveCount(0);
    await expect(log.getByRole("row", { name: /client 990077/ })).toHaveCount(1);
    const waiting = page.waitForEvent("download");

    await log.getByRole("link", { name: /CSV/ }).click();
    expect((await waiting).suggestedFilename()).toBe("hopcount-audit.csv");
    const lines = readFileSync(await (await waiting).path(), "utf8").trim().split("\r\n");

    expect(lines.slice(1).every((line) => line.includes(",revoke,"))).toBe(true); // those that are shown
});
