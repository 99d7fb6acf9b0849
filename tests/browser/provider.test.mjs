// Signing in at an OpenID provider, a real one: there and back, and what the page says when it fails.
import AxeBuilder from "@axe-core/playwright";
import { expect, settled, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;
let provider;

test.beforeAll(async ({ stack }) => {
    provider = await stack.signInAtProvider("Acme");
    await stack.restart();
});

test.afterAll(async ({ stack }) => {
    await provider.end();
    provider.undo();
    await stack.restart();
});

/* The provider's own pages: who it is, and that they agree. */
async function signInThere(page, login) {
    await page.locator("input[name=login]").fill(login);
    await page.locator("input[name=password]").fill("x");
    await page.locator("button[type=submit]").click();
    await page.locator("form input[value=consent]").waitFor({ state: "attached" });
    await page.locator("button[type=submit]").click();
}

test("somebody signs in at the provider, comes back to the view they wanted, and signs out", async ({ page, stack, context }) => {
    await page.route(/^https:/, (route) => route.abort()); // the provider's page asks for a font
    await page.goto(`${stack.base}campaigns?from=7d`);
    await expect(page.getByRole("link", { name: "Sign in with Acme" })).toBeFocused();
    await page.keyboard.press("Enter");
    await signInThere(page, "grace@acme.example");
    await settled(page);
    await expect(page).toHaveURL(`${stack.base}campaigns?from=7d`);
    await expect(page.getByRole("link", { name: "Audit log" })).toBeVisible();
    expect((await context.cookies(stack.base)).filter(({ name }) => name.startsWith("hopcount")))
        .toMatchObject([{ name: "hopcount_session", sameSite: "Strict", httpOnly: true }]);
    await page.reload();
    await settled(page);
    await page.getByRole("link", { name: "Audit log" }).click();
    await expect(page.getByRole("cell", { name: "oidc:grace@acme.example" }).first()).toBeVisible();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByText("You are signed out.")).toBeVisible();
    await expect(page.getByRole("link", { name: "Sign in with Acme" })).toBeVisible();
});

test("who has no role is told so, and the address forgets it", async ({ page, stack }) => {
    await page.route(/^https:/, (route) => route.abort());
    await page.goto(stack.base);
    await page.getByRole("link", { name: "Sign in with Acme" }).click();
    await signInThere(page, "eve@evil.example");
    await expect(page.getByRole("alert")).toContainText("You have no role here");
    await expect(page).toHaveURL(stack.base);
});

for (const [locale, words, faces] of [
    ["en-GB", "does not answer right now", [[390, "light"], [1440, "dark"]]],
    ["de-DE", "antwortet gerade nicht", [[390, "dark"], [1440, "light"]]]]) {
    for (const [width, colorScheme] of faces) {
        test(`the page to sign in, ${locale}, ${width} px, ${colorScheme}`, async ({ browser, stack, save }) => {
            const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 900 } });
            const page = await context.newPage();

            await page.goto(stack.base);
            await expect(page.getByRole("link", { name: "Acme" })).toBeVisible();
            await save(page, `sign-in-provider-${locale}-${width}-${colorScheme}`);
            await page.goto(`${stack.base}?sign_in=unreachable`);
            await expect(page.getByRole("alert")).toContainText(words);
            await save(page, `sign-in-failed-${locale}-${width}-${colorScheme}`);
            expect((await new Axe({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
            expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
            await context.close();
        });
    }
}

test("an outcome that is none says nothing", async ({ page, stack }) => {
    for (const outcome of ["", "constructor", "<b>x</b>"]) {
        await page.goto(`${stack.base}?sign_in=${encodeURIComponent(outcome)}`);
        await expect(page.getByRole("link", { name: "Sign in with Acme" })).toBeVisible();
        await expect(page.getByRole("alert")).toBeHidden();
    }
});

// The last: the provider is gone from here on.
test("while the provider is away the page says so, and a key still signs in", async ({ page, stack }) => {
    await provider.end();
    await stack.restart(); // which has forgotten what it said
    await page.goto(`${stack.base}health`);
    await page.getByRole("link", { name: "Sign in with Acme" }).click();
    await expect(page.getByRole("alert")).toHaveText(
        "Acme does not answer right now. Try again in a minute, or sign in with an API key.");
    await page.getByLabel("API key").fill(stack.key);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
});
