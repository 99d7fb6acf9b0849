// Signing in and out, and what keeps others from riding on a session.
import { join } from "node:path";
import { expect, settled, test } from "./fixtures.mjs";
import { until } from "./stack.mjs";

test("a wrong key is refused, in words, and can be tried again", async ({ page, stack, save }) => {
    await page.goto(stack.base);
    await save(page, "sign-in");
    await page.getByLabel("API key").fill(`hc_${"0".repeat(52)}`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toHaveText("There is no such API key.");
    await page.getByLabel("API key").fill(stack.key);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
});

test("whom the proxy names without a role is told so, and not asked for a key that wouldn't count", async ({ page, stack, save }) => {
    await page.route("**/v1/session", (route) => route.fulfill({ json: { signed_in: false, refused: "no_role", name: "eve@evil.example" } }));
    await page.goto(stack.base);
    await expect(page.getByRole("alert")).toContainText("eve@evil.example has no role here");
    await expect(page.getByRole("button", { name: "Try again" })).toBeFocused();
    await expect(page.getByLabel("API key")).toHaveCount(0);
    await save(page, "sign-in-no-role");
});

test("the command that makes a key works as it stands there", async ({ page, stack }) => {
    await page.goto(stack.base);
    const [program, ...parameters] = (await page.locator("form code").first().textContent()).split(" ");
    const file = parameters.indexOf("/etc/hopcount/api-keys");

    expect(program).toBe("hopcount");
    parameters[file] = join(stack.folder, "api-keys");
    const [key] = stack.hopcount(...parameters).match(/\bhc_\w{52}\b/);

    stack.daemon.kill("SIGHUP");
    await until(async () => (await stack.ask("/v1/stats", { Authorization: `Bearer ${key}` })).status === 200,
        "the new key is known");
});

test("a key that may not read statistics is refused", async ({ page, stack }) => {
    await page.goto(stack.base);
    await page.getByLabel("API key").fill(stack.writeKey);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("alert")).toContainText("stats:read");
});

test("the session is in a cookie that scripts can't read, and the key is nowhere",
    async ({ dashboard, stack, context }) => {
        const [cookie, ...others] = await context.cookies();
        const kept = await dashboard.evaluate(() => JSON.stringify([document.cookie,
            { ...localStorage }, { ...sessionStorage }, location.href]));

        expect(others).toEqual([]);
        expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/" });
        expect(kept).not.toContain(cookie.value);
        expect(kept).not.toContain(stack.key);
        await dashboard.reload();
        await expect(dashboard.getByRole("heading", { name: "Overview" })).toBeVisible();
    });

test("signing out ends the session on the server, too", async ({ dashboard, stack, context }) => {
    const [cookie] = await context.cookies();
    const headers = { Cookie: `${cookie.name}=${cookie.value}` };

    expect((await stack.ask("/v1/stats", headers)).status).toBe(200);
    await dashboard.getByRole("button", { name: "Sign out" }).click();
    await expect(dashboard.getByRole("heading", { name: "Sign in" })).toBeVisible();
    expect((await stack.ask("/v1/stats", headers)).status).toBe(401);
    await dashboard.goto(stack.base);
    await expect(dashboard.getByLabel("API key")).toBeVisible();
});

test("a restart signs nobody out, and the page goes on", async ({ dashboard, stack }) => {
    await dashboard.goto(`${stack.base}campaigns?from=7d`);
    await settled(dashboard);
    await stack.restart();
    await expect(dashboard.locator(".pill").getByText("Live")).toBeVisible({ timeout: 30000 });
    await dashboard.reload();
    await settled(dashboard);
    await expect(dashboard.getByRole("heading", { level: 1, name: "Campaigns" })).toBeVisible();
});

test("a page that is only looked at says when its session is over, and keeps its view",
    async ({ dashboard, stack, context }) => {
        await dashboard.goto(`${stack.base}campaigns?from=7d`);
        await settled(dashboard);
        await context.clearCookies();
        await stack.restart();
        await expect(dashboard.getByText("The session is over.")).toBeVisible({ timeout: 30000 });
        await dashboard.getByLabel("API key").fill(stack.key);
        await dashboard.keyboard.press("Enter");
        await settled(dashboard);
        await expect(dashboard.getByRole("heading", { level: 1, name: "Campaigns" })).toBeVisible();
        await expect(dashboard).toHaveURL(/campaigns\?from=7d/);
    });

test("an address of no page says so, and leads to the overview", async ({ dashboard, stack }) => {
    const reply = await dashboard.goto(`${stack.base}unknown`);

    expect(reply.status()).toBe(404);
    await expect(dashboard.getByRole("heading", { level: 1, name: "There is no such page" })).toBeVisible();
    await dashboard.getByRole("link", { name: "Go to the overview" }).click();
    await expect(dashboard.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
});

test("a session that is over leads back to the page to sign in", async ({ dashboard, context }) => {
    await context.clearCookies();
    await dashboard.getByRole("link", { name: "Campaigns", exact: true }).click();
    await expect(dashboard.getByText("The session is over.")).toBeVisible();
});

test("a request that changes something needs the session's token and our own origin",
    async ({ dashboard, stack, context }) => {
        const origin = new URL(stack.base).origin;
        const session = await (await context.request.get(`${origin}/v1/session`)).json();
        const close = (headers) => context.request.delete(`${origin}/v1/session`, { headers });
        const name = (headers) => context.request.put(`${origin}/v1/campaigns/2`,
            { headers, data: { name: "x" } });

        expect(session.signed_in).toBe(true);
        expect((await close({})).status()).toBe(403);
        expect((await close({ "X-CSRF-Token": "0".repeat(64) })).status()).toBe(403);
        expect((await close({ "X-CSRF-Token": session.csrf_token,
            "Origin": "https://evil.example" })).status()).toBe(403);
        expect((await close({ "X-CSRF-Token": session.csrf_token,
            "Sec-Fetch-Site": "cross-site" })).status()).toBe(403);
        expect((await name({})).status()).toBe(403);
        // With all of it: refused for want of scope only, and then signed out.
        const refused = await name({ "X-CSRF-Token": session.csrf_token });

        expect(refused.status()).toBe(403);
        expect((await refused.json()).detail).toContain("links:write");
        expect((await close({ "X-CSRF-Token": session.csrf_token })).status()).toBe(204);
        expect(dashboard.url()).toContain("/dashboard/");
    });

test("another site can't sign somebody in", async ({ context, stack }) => {
    const url = `${new URL(stack.base).origin}/v1/session`;
    const sign = (headers) => context.request.post(url, { headers, data: `{"key":"${stack.key}"}` });

    expect((await sign({ "Content-Type": "text/plain" })).status()).toBe(415);
    expect((await sign({ "Content-Type": "application/json",
        "Origin": "https://evil.example" })).status()).toBe(403);
    expect((await sign({ "Content-Type": "application/json",
        "Sec-Fetch-Site": "cross-site" })).status()).toBe(403);
    expect((await sign({ "Content-Type": "application/json" })).status()).toBe(200);
});

test("the page is served with a policy that lets in nothing from elsewhere",
    async ({ stack }) => {
        const { headers } = await stack.ask("/dashboard/");

        expect(headers["content-security-policy"]).toBe("default-src 'none'; script-src 'self'; " +
            "style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
            "form-action 'self'; frame-ancestors 'none'");
        expect(headers["x-content-type-options"]).toBe("nosniff");
        expect(headers["referrer-policy"]).toBe("no-referrer");
        expect((await stack.ask("/dashboard/app.js", { "If-None-Match":
            (await stack.ask("/dashboard/app.js")).headers.etag })).status).toBe(304);
        expect((await stack.ask("/dashboard")).headers.location).toBe("dashboard/");
        expect((await stack.ask("/dashboard/none.js")).status).toBe(404);
        expect((await stack.ask("/dashboard/..%2fapp.js")).status).toBe(404);
    });

// The last of this file: it uses up the attempts of this minute.
test("after ten wrong keys another wrong one waits, and the right one doesn't", async ({ context, stack, page }) => {
    const url = `${new URL(stack.base).origin}/v1/session`;
    let reply;

    for (let i = 0; i < 12 && reply?.status() !== 429; i++)
        reply = await context.request.post(url, { data: { key: `hc_${i}` } });
    expect(reply.status()).toBe(429);
    expect(Number(reply.headers()["retry-after"])).toBeGreaterThan(0);
    await page.goto(stack.base);
    await page.getByLabel("API key").fill(`hc_${"0".repeat(52)}`);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("alert")).toContainText("too many wrong ones");
    await page.getByLabel("API key").fill(stack.key);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
});
