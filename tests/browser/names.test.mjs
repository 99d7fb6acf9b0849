// Campaigns get names on the page; only by keys that may write, and without a mouse as well.
import AxeBuilder from "@axe-core/playwright";
import { card, expect, settled, signIn, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;

async function open(page, stack, key) {
    await signIn(page, { ...stack, base: stack.base, key: key ?? stack.leadKey });
    await page.goto(`${stack.base}campaigns?from=90d`);
    await settled(page);
    return card(page, "All campaigns");
}

async function nameOf(stack, id) {
    return (await stack.api("/v1/campaigns")).campaigns.find((one) => one.id === id)?.name;
}

test("a key that may only read is not offered to rename", async ({ page, stack }) => {
    const all = await open(page, stack, stack.key);

    await expect(all.getByText("Second overdue notice")).toBeVisible();
    await expect(all.getByRole("button", { name: /Rename|Name a/ })).toHaveCount(0);
});

test("a campaign is renamed by keyboard, and every figure shows the new name",
    async ({ page, stack, save }) => {
        const all = await open(page, stack);

        await all.getByRole("button", { name: "Rename Second overdue notice" }).focus();
        await page.keyboard.press("Enter");
        const input = all.getByLabel("Name of campaign 4");

        await expect(input).toBeFocused();
        await expect(input).toHaveValue("Second overdue notice");
        await save(page, "rename-light");
        expect((await new Axe({ page }).analyze()).violations.filter(({ impact }) =>
            ["serious", "critical"].includes(impact)).map(({ id }) => id)).toEqual([]);
        await page.keyboard.type("Zweite Mahnung <i>"); // over the old name, which is selected
        await page.keyboard.press("Enter");
        const button = all.getByRole("button", { name: "Rename Zweite Mahnung <i>" });

        await expect(button).toBeVisible();
        await expect(button).toBeFocused();
        await expect(page.getByRole("status")).toHaveText(/Zweite Mahnung|updated/);
        expect(await nameOf(stack, 4)).toBe("Zweite Mahnung <i>");
        await page.goto(stack.base);
        await settled(page);
        await expect(card(page, "Top campaigns").getByRole("link", { name: "Zweite Mahnung <i>" }))
            .toBeVisible();
    });

test("Escape leaves the name as it is", async ({ page, stack }) => {
    const all = await open(page, stack);
    const button = all.getByRole("button", { name: "Rename Invoice created" });

    await button.click();
    await all.getByLabel("Name of campaign 1").fill("Something else");
    await page.keyboard.press("Escape");
    await expect(all.getByLabel("Name of campaign 1")).toHaveCount(0);
    await expect(button).toBeFocused();
    expect(await nameOf(stack, 1)).toBe("Invoice created");
});

test("what is wrong with a name is said, and what was typed stays", async ({ page, stack }) => {
    const all = await open(page, stack);

    await all.getByRole("button", { name: "Rename Invoice created" }).click();
    const input = all.getByLabel("Name of campaign 1");
    const alert = all.getByRole("alert");

    for (const [name, text] of [["  ", "must not be empty"], ["ü".repeat(101), "too long"],
        ["pay\u202efdp", "must not hold control characters"]]) {
        await input.fill(name);
        await page.keyboard.press("Enter");
        await expect(alert).toContainText(text);
        await expect(input).toHaveValue(name);
    }
    expect(await nameOf(stack, 1)).toBe("Invoice created");
    await page.context().clearCookies();
    await input.fill("Too late");
    await page.keyboard.press("Enter");
    await expect(page.getByText("The session is over.")).toBeVisible();
});

test("a campaign that nobody has clicked yet can be named", async ({ page, stack }) => {
    const all = await open(page, stack);

    await all.getByRole("button", { name: "Name a campaign" }).click();
    await all.getByLabel("Number in the links").fill("70000");
    await all.getByLabel("Name", { exact: true }).fill("Christmas offer");
    await page.keyboard.press("Enter");
    await expect(all.getByRole("alert")).toContainText("from 1 to 65535");
    await all.getByLabel("Number in the links").fill("2412");
    await all.getByRole("button", { name: "Save" }).click();
    await expect(all.getByRole("button", { name: "Name a campaign" })).toBeFocused();
    expect(await nameOf(stack, 2412)).toBe("Christmas offer");
    await page.goto(`${stack.base}campaigns?campaign=1,2412`);
    await settled(page);
    await expect(page.locator(".stage").getByRole("heading", { name: "Christmas offer" })).toBeVisible();
});

test("a form that is being filled in survives new figures", async ({ page, stack }) => {
    const all = await open(page, stack);

    await all.getByRole("button", { name: "Rename Domain renewal 2026" }).click();
    await all.getByLabel("Name of campaign 7").fill("Half a na");
    const asked = page.waitForResponse((reply) => reply.url().includes("group_by=campaign&"));

    await page.evaluate(() => document.dispatchEvent(new CustomEvent("renamed")));
    await asked;
    await settled(page);
    await expect(all.getByLabel("Name of campaign 7")).toHaveValue("Half a na");
});
