// The dashboard in the reader's language: which one, numbers and plural forms, and room for longer words.
import AxeBuilder from "@axe-core/playwright";
import { card, expect, settled, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;
const views = ["", "campaigns", "funnel", "links", "targets", "health"];

/* A page of a browser that speaks those, signed in. */
async function open(browser, stack, locale, options = {}) {
    const context = await browser.newContext({ locale, viewport: { width: 1440, height: 900 }, ...options });
    const page = await context.newPage();
    const errors = [];

    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(stack.base);
    await page.locator("input[name=key]").fill(stack.key);
    await page.locator("button[type=submit]").click();
    await settled(page);
    return { page, errors, context };
}

test("German is shown to a German browser, with its numbers, dates and plural forms", async ({ browser, stack }) => {
    const { page, errors, context } = await open(browser, stack, "de-AT");

    await expect(page.locator("html")).toHaveAttribute("lang", "de");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Übersicht");
    await expect(card(page, "Klicks von Personen").locator(".change")).toContainText("30 Tage davor");
    await expect(card(page, "Länder")).toContainText("Deutschland");
    await expect(card(page, "Klicks von Personen").locator(".figure")).toHaveText(/^\d{1,3}([.\u00a0]\d{3})*$/);
    await page.goto(`${stack.base}?from=2026-11-09&to=2026-11-22&compare=2026-06-01`);
    await settled(page);
    await expect(card(page, "Klicks von Personen")).toContainText("Zeitraum ab 01.06.2026");
    await page.goto(`${stack.base}funnel`);
    await settled(page);
    await expect(card(page, "Vom Klick zur Zahlung")).toContainText(/Bei der Hälfte dauert es höchstens [\d,]+ (Minuten|Stunden|Tage), /);
    await page.goto(`${stack.base}campaigns?campaign=2`);
    await settled(page);
    await card(page, "Von der Mail zum Klick").getByText("Als Tabelle anzeigen").click();
    await expect(card(page, "Von der Mail zum Klick")).toContainText("15 bis 60 Minuten");
    await page.goto(`${stack.base}?from=soon`);
    await expect(page.getByRole("alert").first()).toContainText("Zeitraum: Dieser Wert ist nicht möglich.");
    expect(errors).toEqual([]);
    await context.close();
});

test("in German, on a phone, no label of a client is cut off, and an unknown browser has a German name", async ({ browser, stack }) => {
    const { page, errors, context } = await open(browser, stack, "de-DE", { viewport: { width: 360, height: 740 } });

    stack.tell("event", "client.opted_out", "--client", "6077");
    await page.goto(`${stack.base}links`);
    await settled(page);
    await page.getByLabel("Nummer").fill("6077");
    await expect(async () => {
        await page.getByRole("button", { name: "Anzeigen" }).click();
        await expect(page.locator(".facts .tag")).toHaveText("Der Auswertung widersprochen", { timeout: 500 });
    }).toPass();
    expect(await page.locator(".facts .tag").evaluate((tag) =>
        tag.getBoundingClientRect().right < tag.closest(".card").getBoundingClientRect().right)).toBe(true);
    await page.goto(`${stack.base}?country=DE&device=phone`); // the test's clicks are of no browser
    await settled(page);
    await expect(card(page, "Browser").getByRole("row", { name: "Sonstige" })).toBeVisible();
    expect(errors).toEqual([]);
    await context.close();
});

test("the language is switched, and stays", async ({ dashboard, stack }) => {
    await expect(dashboard.locator("html")).toHaveAttribute("lang", "en");
    await dashboard.getByRole("button", { name: "Deutsch" }).click();
    await expect(dashboard.getByRole("heading", { level: 1 })).toHaveText("Übersicht");
    await dashboard.goto(`${stack.base}health`);
    await expect(dashboard.getByRole("heading", { level: 1 })).toHaveText("Zustand");
    await dashboard.getByRole("button", { name: "English" }).click();
    await expect(dashboard.getByRole("heading", { level: 1 })).toHaveText("Health");
});

test("a browser without a language of the page gets English, and its own numbers", async ({ browser, stack }) => {
    const { page, context } = await open(browser, stack, "fr-FR");

    await expect(page.locator("html")).toHaveAttribute("lang", "en");
    await expect(card(page, "People’s clicks").locator(".figure")).toHaveText(/^\d{1,3}(\u202f\d{3})*$/);
    await context.close();
});

for (const [width, colorScheme] of [[390, "light"], [768, "dark"], [1440, "light"]]) {
    test(`German has room at ${width}`, async ({ browser, stack, save }) => {
        const { page, errors, context } = await open(browser, stack, "de-DE",
            { colorScheme, viewport: { width, height: 900 } });

        for (const view of views) {
            await page.goto(stack.base + view);
            await page.locator("main h1").waitFor();
            await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'));
            expect(await page.evaluate(() => document.documentElement.scrollWidth -
                document.documentElement.clientWidth), view).toBe(0);
            if (width === 390) // the rest is as in English
                expect((await new Axe({ page }).analyze()).violations, view).toEqual([]);
            await save(page, `de-${view || "overview"}-${colorScheme}-${width}`);
        }
        expect(errors).toEqual([]);
        await context.close();
    });
}

test("what the server says of a link is said in German", async ({ browser, stack, save }) => {
    const { page, errors, context } = await open(browser, stack, "de-DE");

    await page.goto(`${stack.base}links`);
    await settled(page);
    await page.getByLabel("Der ganze Link").fill(stack.mint("view", "--object", "1239", "--ttl", "30d"));
    await page.keyboard.press("Enter");
    await expect(page.getByText("Über Rechnung 1239 wurde nichts gemeldet: Ein Klick führt dorthin, wohin ein Link „Rechnung ansehen“ führt.")).toBeVisible();
    await expect(page.locator(".facts [lang=en]")).toHaveCount(0);
    await save(page, "link-de");
    expect(errors).toEqual([]);
    await context.close();
});
