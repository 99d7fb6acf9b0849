// The pages for people in their language, light, dark and on a phone.
import AxeBuilder from "@axe-core/playwright";
import { ask, HOST } from "./stack.mjs";
import { expect, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;
const languages = ["en", "de", "fr", "es", "pt", "it", "nl", "pl"];

/* Opens `path` as the daemon answers it, with the browser's own Accept-Language. */
async function show(page, stack, path) {
    await page.route(`https://${HOST}/**`, async (route) => {
        const { pathname } = new URL(route.request().url());
        const { status, headers, body } = await ask(stack.port, pathname,
            { "Accept-Language": await route.request().headerValue("accept-language") }, HOST);

        await route.fulfill({ status, headers, body });
    });
    await page.goto(`https://${HOST}${path}`);
}

for (const language of languages) {
    test(`a page in ${language}, which axe finds nothing in`, async ({ browser, stack, save }) => {
        const looks = [["light", 1280], ["dark", 1280], ["light", 360]];

        for (const [colorScheme, width] of looks) {
            const context = await browser.newContext({ locale: language, colorScheme,
                viewport: { width, height: 720 } });
            const page = await context.newPage();

            await show(page, stack, "/nothing");
            await expect(page.locator("html")).toHaveAttribute("lang", language);
            expect((await new Axe({ page }).analyze()).violations).toEqual([]);
            expect(await page.evaluate(() => document.documentElement.scrollWidth -
                document.documentElement.clientWidth)).toBe(0);
            await save(page, `text-${language}-${colorScheme}-${width}`);
            await context.close();
        }
    });
}

test("a page with a button in every language, on a phone", async ({ browser, stack, save }) => {
    const { pathname } = new URL(stack.mint("login", "--client", "77", "--once"));

    for (const [i, language] of languages.entries()) {
        const context = await browser.newContext({ locale: language, colorScheme: i % 2 ? "dark" : "light",
            viewport: { width: 360, height: 720 } });
        const page = await context.newPage();
        const refused = [];

        page.on("console", (message) => refused.push(message.text()));
        await show(page, stack, pathname);
        await expect(page.locator("html")).toHaveAttribute("lang", language);
        const button = page.getByRole("button");

        await expect(button).toHaveCount(1);
        await page.keyboard.press("Tab");
        await expect(button).toBeFocused();
        expect(await page.locator("form").evaluate((form) => [form.method, form.action === location.href]))
            .toEqual(["post", true]);
        if (i < 2) // light and dark
            expect((await new Axe({ page }).analyze()).violations).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth -
            document.documentElement.clientWidth)).toBe(0);
        expect(refused).toEqual([]); // by the page's policy
        await save(page, `button-${language}`);
        await context.close();
    }
});
