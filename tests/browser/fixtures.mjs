// What the tests start from: a stack with half a year of clicks, and a browser that is signed in.
import { test as base } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { brandOf, funnelCommands, seedCommands } from "./seed.mjs";
import { Stack, until } from "./stack.mjs";

const out = process.env.HOPCOUNT_OUT ?? "out/browser";

export { expect } from "@playwright/test";

/* The whole page, but of the API's reference, which is 100,000 pixels high, only the beginning: its
 * picture takes the browser ten seconds. */
function pageToLookAt(page) {
    return page.evaluate(() => {
        const { scrollWidth, scrollHeight } = document.documentElement;

        return { x: 0, y: 0, width: scrollWidth, height: Math.min(scrollHeight, 16000) };
    });
}

async function makeStack() {
    const stack = await new Stack().start();

    try {
        // A first click, of client 77, tells the brand's number in keys.
        stack.link = stack.mint("view", "--object", "1234", "--client", "77", "--campaign", "2",
            "--channel", "mail", "--variant", "B", "--ttl", "30d");
        await stack.click(stack.link);
        await until(() => stack.redisCli("--scan", "--pattern", "hc:*").includes(":t:"),
            "the first click is counted");
        stack.brand = brandOf(stack);
        stack.redisLoad([...seedCommands(stack.brand), ...funnelCommands(stack.brand)]);
    } catch (error) {
        await stack.stop();
        throw error;
    }
    return stack;
}

/** Playwright's test, and:
 *  stack: a running stack that all tests of a file share;
 *  dashboard: a page that is signed in; asks nothing but our server and logs no error;
 *  save(page, name): keeps a screenshot. */
export const test = base.extend({
    // A worker runs several files, and none of them shall find what another has left in Redis.
    // eslint-disable-next-line no-empty-pattern
    stackOfWorker: [async ({}, use) => {
        const held = { stack: null, file: "" };

        await use(held);
        await held.stack?.stop();
    }, { scope: "worker", timeout: 60000 }],

    stack: [async ({ stackOfWorker: held }, use, testInfo) => {
        if (held.file !== testInfo.file) {
            await held.stack?.stop();
            Object.assign(held, { stack: null, file: "" });
            Object.assign(held, { stack: await makeStack(), file: testInfo.file });
        }
        await use(held.stack);
    }, { timeout: 60000 }],

    dashboard: async ({ page, stack }, use) => {
        const foreign = [], errors = [];

        page.on("request", (request) => {
            if (!/^(data:|blob:)/.test(request.url()) && !request.url().startsWith(
                new URL(stack.base).origin))
                foreign.push(request.url());
        });
        page.on("pageerror", (error) => errors.push(String(error)));
        page.on("console", (message) => {
            // A refused request is no fault of the page; a refused script or style is.
            if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
                errors.push(message.text());
        });
        await signIn(page, stack);
        await use(page);
        base.expect(foreign, "requests to other hosts").toEqual([]);
        base.expect(errors, "errors on the console").toEqual([]);
    },

    // eslint-disable-next-line no-empty-pattern
    save: async ({}, use) => {
        mkdirSync(out, { recursive: true });
        await use(async (page, name, options) => page.screenshot({ path: join(out, `${name}.png`),
            ...(options ?? { fullPage: true, clip: await pageToLookAt(page) }) }));
    },
});

export async function signIn(page, stack, view = "", key = stack.key) {
    await page.goto(stack.base + view);
    await page.getByLabel("API key").fill(key);
    await page.getByRole("button", { name: "Sign in" }).click();
    await settled(page);
}

/** Waits until nothing is being loaded. */
export async function settled(page) {
    await page.locator("main h1").waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".card").length > 0 &&
        !document.querySelector('[aria-busy="true"]'), null, { timeout: 30000 });
}

/** The card with that heading. */
export function card(page, title) {
    return page.locator("section.card", { has: page.getByRole("heading", { name: title, exact: true }) });
}

/** The figure of a card, as a number. */
export async function figure(page, title) {
    const text = await card(page, title).locator(".figure").first().textContent();

    return Number(text.replaceAll(/\D/g, ""));
}
