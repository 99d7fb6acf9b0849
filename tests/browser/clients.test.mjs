// A client's page, and an invoice's: what is kept of them, and what can be done.
import { readFileSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { expect, settled, signIn, test } from "./fixtures.mjs";
import { until } from "./stack.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;

async function checkAxe(page) {
    const { violations } = await new Axe({ page }).analyze();

    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(" ")}`)).toEqual([]);
}

test.beforeAll(async ({ stack }) => {
    for (const event of [
        { type: "mail.sent", object: 4711, client: 4077, campaign: 2, variant: "B" },
        { type: "mail.sent", object: 4712, client: 4077, campaign: 3 },
        { type: "invoice.paid", object: 4711, client: 4077, amount: 11900, currency: "EUR" },
        { type: "invoice.replaced", object: 4712, client: 4077, by: 4713 }])
        stack.tell("event", event.type, ...Object.entries(event).filter(([name]) => name !== "type")
            .flatMap(([name, value]) => [`--${name}`, String(value)]));
    await stack.click(stack.mint("pay", "--object", "4711", "--client", "4077", "--campaign", "2", "--ttl", "30d"));
    await until(async () => (await stack.api("/v1/clients/4077/timeline")).rows.length >= 6, "all is in Redis");
});

async function open(page, stack, what, number) {
    await page.goto(`${stack.base}links`);
    await settled(page);
    await page.getByLabel("What to show").selectOption(what);
    await page.getByLabel("Its number").fill(String(number));
    await page.getByRole("button", { name: "Show" }).click();
    await expect(page.getByRole("heading", { name: `${what} ${number}` })).toBeVisible();
}

test("a client is shown with its invoices and what happened", async ({ dashboard, stack, save }) => {
    await open(dashboard, stack, "Client", 4077);
    const story = dashboard.locator(".timeline");

    await expect(story).toContainText("Invoice 4711: Paid: €119.00");
    await expect(story).toContainText("Invoice 4711: A person clicked “Pay”: Reminder, 3 days before due");
    await expect(story).toContainText("Invoice 4712: Replaced by invoice 4713");
    await expect(story).not.toContainText("Told to be paid");
    for (const [name, width] of [["phone", 390], ["tablet", 768], ["wide", 1440]]) {
        await dashboard.setViewportSize({ width, height: 900 });
        for (const scheme of ["light", "dark"]) {
            await dashboard.emulateMedia({ colorScheme: scheme });
            expect(await dashboard.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
            await save(dashboard, `client-${name}-${scheme}`);
            await checkAxe(dashboard);
        }
    }
    await dashboard.getByRole("button", { name: "Invoice 4711" }).click();
    await expect(dashboard.getByRole("heading", { name: "Invoice 4711" })).toBeVisible();
    await expect(dashboard.locator(".facts")).toContainText("paid");
    await save(dashboard, "invoice");
    await dashboard.reload();
    await expect(dashboard.getByRole("heading", { name: "Invoice 4711" })).toBeVisible();
    await dashboard.getByRole("button", { name: "Client 4077" }).click();
    await expect(dashboard.getByRole("heading", { name: "Client 4077" })).toBeVisible();
    const [file] = await Promise.all([dashboard.waitForEvent("download"),
        dashboard.getByRole("link", { name: "Save as JSON" }).click()]);

    expect(JSON.parse(readFileSync(await file.path())).id).toBe(4077);
});

test("links of a client are revoked, and made valid again, after a question", async ({ page, stack, save }) => {
    await signIn(page, stack, "", stack.officeKey);
    await open(page, stack, "Client", 4077);
    const revoked = async () => (await stack.api("/v1/clients/4077/timeline")).revoked !== null;

    await page.getByRole("button", { name: "Revoke its links" }).click();
    await expect(page.getByRole("dialog")).toContainText("lead nowhere");
    await save(page, "client-revoke", {});
    await checkAxe(page);
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(await revoked()).toBe(false);
    await page.getByRole("button", { name: "Revoke its links" }).click();
    await page.getByRole("button", { name: "Revoke", exact: true }).click();
    await expect(page.locator(".tag")).toHaveText("Links revoked");
    expect(await revoked()).toBe(true);
    await page.getByRole("button", { name: "Make links valid again" }).click();
    await page.getByRole("button", { name: "Make valid", exact: true }).click();
    await expect(page.getByRole("button", { name: "Revoke its links" })).toBeVisible();
    await page.getByRole("button", { name: "Stop tracking" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Stop tracking" }).click();
    await expect(page.locator(".tag")).toHaveText("Opted out of tracking");
});

test("a key that may only read is offered no change, and what is unknown is said", async ({ page, stack }) => {
    await signIn(page, stack, "", stack.key);
    await open(page, stack, "Client", 999999);
    await expect(page.locator("main")).toContainText("Nothing is kept.");
    await expect(page.locator("main")).toContainText("You may only read");
    await expect(page.getByRole("button", { name: "Revoke its links" })).toHaveCount(0);
    await expect(page.getByRole("link", { name: "Save as JSON" })).toBeVisible();
});

test("a client is erased once its number is typed, and the figures are gone", async ({ page, stack, save }) => {
    await stack.click(stack.mint("pay", "--object", "5711", "--client", "5077", "--campaign", "2", "--ttl", "30d"));
    await until(async () => (await stack.api("/v1/clients/5077")).clicks.total === 1, "the click is counted");
    await signIn(page, stack, "", stack.chiefKey);
    await open(page, stack, "Client", 5077);
    await page.getByRole("button", { name: "Erase this client" }).click();
    const dialog = page.getByRole("dialog");
    const erase = dialog.getByRole("button", { name: "Erase", exact: true });

    await expect(erase).toBeDisabled();
    await dialog.getByLabel("Type 5077 to confirm").fill("507");
    await expect(erase).toBeDisabled();
    await dialog.getByLabel("Type 5077 to confirm").fill("5077");
    await save(page, "client-erase");
    await checkAxe(page);
    await erase.click();
    await expect(page.locator("main").getByText("Client 5077 is erased: 1 click, invoices: 1.")).toBeVisible();
    await expect(page.locator(".facts")).toContainText("Clicks by people0");
    for (const text of ["One-time links used up: 0", "There are no sinks to tell", "Click logs name the client until"])
        await expect(page.locator("main").getByText(text)).toBeVisible();
    await save(page, "client-erased");
    await checkAxe(page);
    await page.reload();
    await expect(page.locator("main").getByText("Click logs name the client until")).toBeVisible();
    await until(async () => (await stack.api("/v1/clients/5077")).clicks.total === 0, "nothing is counted any more");
    await page.route("**/erasures/*", async (route) => {
        const progress = await (await route.fetch()).json();

        Object.assign(progress.steps.find((one) => one.step === "sinks"), { state: "lost", n: 2, names: ["crm", "bus"] });
        await route.fulfill({ json: progress });
    });
    await page.reload();
    await expect(page.locator("main li").filter({ hasText: "Sinks that will never be told: crm, bus." }).locator(".tag")).toHaveText("lost");
    await expect(page.getByRole("heading", { name: "Not erased everywhere" })).toBeVisible();
    await save(page, "client-erasure-lost");
    await checkAxe(page);
});
