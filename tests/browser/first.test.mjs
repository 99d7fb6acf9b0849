// Before the first click: a guide, whose commands work.
import AxeBuilder from "@axe-core/playwright";
import { expect, figure, settled, test } from "./fixtures.mjs";
import { Stack } from "./stack.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;

test("where no link was ever clicked there is a guide, and figures with the first click", async ({ page, save }) => {
    const stack = await new Stack().start();

    try {
        await page.goto(stack.base);
        await page.getByLabel("API key").fill(stack.leadKey);
        await page.keyboard.press("Enter");
        await expect(page.getByRole("heading", { level: 1, name: "First steps" })).toBeVisible();
        await expect(page.locator(".card .empty")).toHaveCount(0);
        expect((await new Axe({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
        await save(page, "first-light");
        await page.getByRole("button", { name: "Name a campaign" }).click();
        await page.getByLabel("Number in the links").fill("12");
        await page.getByLabel("Name", { exact: true }).fill("First reminder");
        await page.keyboard.press("Enter");
        await expect(page.getByText("Campaign 12 has its name.")).toBeVisible();
        // A link can be made without a terminal, too.
        await page.getByRole("button", { name: "Make it here" }).click();
        const url = await page.getByRole("link", { name: /^https:\/\/go\.acme\.example\/[0-9a-z]{45}$/ }).textContent();

        await expect(page.locator(".command").nth(1)).toHaveText(`curl -s ${url}`);
        const [program, ...words] = (await page.locator(".command").first().textContent()).split(" ");

        expect(program).toBe("hopcount");
        words[words.indexOf("/etc/hopcount/hopcount.yaml")] = stack.config;
        expect(new URL(stack.hopcount(...words).trim()).host).toBe(new URL(url).host);
        await stack.click(url);
        await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible({ timeout: 30000 });
        await settled(page);
        expect(await figure(page, "People’s clicks")).toBe(1);
        // Zero in a period looks otherwise: it is a figure.
        await page.goto(`${stack.base}?from=2019-01-01&to=2019-01-31`);
        await settled(page);
        expect(await figure(page, "People’s clicks")).toBe(0);
        await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
    } finally {
        await stack.stop();
    }
});
