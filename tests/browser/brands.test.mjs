// The dashboard of somebody whose key is for some brands.
import { card, expect, settled, signIn, test } from "./fixtures.mjs";

test("a key for some brands has all views, and no figures of all brands together", async ({ page, stack }) => {
    const errors = [];

    page.on("pageerror", (error) => errors.push(String(error)));
    await signIn(page, stack, "", stack.acmeKey);
    await expect(card(page, "Clicks by people").or(page.locator(".figure")).first()).toContainText(/[1-9]/);
    await page.getByRole("link", { name: "Campaigns", exact: true }).click();
    await settled(page);
    await page.getByRole("link", { name: "Health" }).click();
    await settled(page);
    for (const title of ["Click log", "Workers", "Requests"])
        await expect(card(page, title)).toContainText("Shown to keys for all brands.");
    await expect(card(page, "Counting")).toContainText("Complete up to");
    await expect(card(page, "Counting")).not.toContainText("Counted by this pod");
    expect(errors).toEqual([]);
});
