// The reference of the API, as the program serves it: complete, by a strict policy, without a key.
import { expect, settled, test } from "./fixtures.mjs";

async function open(page, stack, place = "") {
    await page.goto(`${stack.base}api${place}`);
    await settled(page);
}

test("every operation of the description is there, with a command that can be run",
    async ({ page, stack }) => {
        const api = JSON.parse((await stack.ask("/v1/openapi.json")).body);
        const operations = Object.entries(api.paths).flatMap(([path, item]) =>
            ["get", "post", "put", "delete"].filter((method) => item[method])
                .map((method) => ({ method, path, id: item[method].operationId,
                    summary: item[method].summary })));

        await open(page, stack);
        expect(operations.length).toBeGreaterThan(20);
        await expect(page.locator("section.operation")).toHaveCount(operations.length + 1);
        for (const { method, path, id, summary } of operations) {
            const section = page.locator(`section#${id}`);

            await expect(section.getByRole("heading", { level: 3 }))
                .toHaveText(`${method.toUpperCase()} ${path}`);
            await expect(section.locator(".lead")).toHaveText(summary.replaceAll("`", ""));
            await expect(section.locator("pre").first()).toContainText(
                `curl${method === "get" ? "" : ` -X ${method.toUpperCase()}`} '${
                    new URL(stack.base).origin}/`);
        }
        // Nothing of the description's own language is left over.
        await expect(page.locator("main")).not.toContainText("$ref");
        await expect(page.locator("main")).not.toContainText("undefined");
        await expect(page.locator("main")).not.toContainText("[object");
    });

test("parameters, fields and examples are those of the description", async ({ page, stack, save }) => {
    await open(page, stack, "#getStats");
    const stats = page.locator("#getStats");

    await expect(stats).toBeInViewport();
    const parameter = stats.getByRole("row", { name: "tz" }).first();

    await expect(parameter).toContainText("by default UTC");
    await expect(stats.getByRole("rowheader", { name: "rows[].human", exact: true })).toHaveCount(1);
    await stats.getByText("Example of a reply").click();
    const example = JSON.parse(await stats.locator("details[open] pre").textContent());

    expect(Object.keys(example)).toEqual(expect.arrayContaining(["rows", "total", "as_of"]));
    expect(example.rows[0]).toEqual({ key: "2026-11-22", time: "2026-11-22", total: 3, human: 2,
        automated: 1 });
    await stats.getByText(/^Failures: 400/).click();
    await expect(stats).toContainText("The key has no request left in this minute");
    await save(page, "reference-light", {});
});

test("it needs no key, loads nothing from elsewhere, and is linked to", async ({ dashboard, stack }) => {
    const reply = await stack.ask("/dashboard/api");

    expect(reply.status).toBe(200);
    expect(reply.headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
    expect((await stack.ask("/docs")).headers.location).toBe("dashboard/api");
    await dashboard.getByRole("link", { name: "API reference" }).click();
    await expect(dashboard.getByRole("heading", { level: 1 })).toHaveText("API reference");
    await dashboard.getByRole("navigation", { name: "Contents" })
        .getByRole("link", { name: "GET /live", exact: true }).click();
    await expect(dashboard).toHaveURL(/api#getLiveCounts$/);
    await expect(dashboard.locator("#getLiveCounts")).toBeInViewport();
    await dashboard.getByRole("link", { name: "Dashboard", exact: true }).click();
    await settled(dashboard);
    await expect(dashboard.getByRole("heading", { level: 1 })).toHaveText("Overview");
});

test("a description that can't be had leads to the file", async ({ page, stack }) => {
    await page.route("**/v1/openapi.json", (route) => route.fulfill({ status: 503, body: "{}" }));
    await page.goto(`${stack.base}api`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("The reference can’t be shown");
    await expect(page.getByRole("link", { name: "openapi.yaml" })).toBeVisible();
});
