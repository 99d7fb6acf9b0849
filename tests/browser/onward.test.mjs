// The page that an Office program gets for a link, as a browser shows it.
import AxeBuilder from "@axe-core/playwright";
import { ask, HOST } from "./stack.mjs";
import { expect, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;
const agent = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)";

/* A page whose links are answered by the daemon, to `agent`, and whose target by `target`. */
async function show(page, stack, target) {
    const link = stack.mint("pay", "--object", "1234");

    await page.route(`https://${HOST}/**`, async (route) => {
        const { pathname } = new URL(route.request().url());
        const { status, headers, body } = await ask(stack.port, pathname, { "User-Agent": agent },
            HOST);

        await route.fulfill({ status, headers, body });
    });
    await page.route("https://billing.acme.example/**", (route) => route.fulfill(target));
    await page.goto(link);
}

test("it leads to the target by itself", async ({ page, stack }) => {
    await show(page, stack, { status: 200, contentType: "text/html", body: "<h1>Pay</h1>" });
    await expect(page.getByRole("heading", { name: "Pay" })).toBeVisible();
    expect(page.url()).toMatch(/^https:\/\/billing\.acme\.example\/.*1234/);
});

test("it has a button, for a browser that stays, and axe finds nothing", async ({ page, stack }) => {
    await show(page, stack, { status: 204 });
    await expect(page.getByRole("link", { name: "Go on" })).toHaveAttribute("href",
        /^https:\/\/billing\.acme\.example\/.*1234/);
    expect((await new Axe({ page }).analyze()).violations).toEqual([]);
});
