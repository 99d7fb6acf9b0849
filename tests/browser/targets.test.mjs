// Whether the pages that links lead to still answer.
import { createServer } from "node:http";
import { card, expect, settled, test } from "./fixtures.mjs";
import { until } from "./stack.mjs";

test("without checks it says how to switch them on", async ({ dashboard, stack, save }) => {
    await dashboard.getByRole("link", { name: "Targets", exact: true }).click();
    await settled(dashboard);
    await expect(card(dashboard, "State")).toContainText("aren’t watched");
    await expect(card(dashboard, "State").locator("pre")).toContainText("every_s: 3600");
    expect((await stack.api("/v1/targets")).enabled).toBe(false);
    await save(dashboard, "targets-off");
});

test("pages that answer, pages that fail, and how it was before", async ({ dashboard, stack, save }) => {
    const billing = createServer((request, reply) => {
        if (request.url === "/moved")
            reply.writeHead(302, { Location: "/invoice" }).end();
        else
            reply.writeHead(request.url.startsWith("/bad") ? 500 : 200).end("Invoice");
    });

    await new Promise((done) => billing.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${billing.address().port}`;

    const undo = stack.watch(`targets:
      - { kind: 4, name: invoice, url: "${url}/invoice" }
      - { kind: 5, name: moved, url: "${url}/moved" }
      - { kind: 6, name: bad, url: "${url}/bad" }
      - { kind: 7, name: ticket, url: "${url}/ticket?id={object}" }`);

    try {
        await stack.restart();
        const state = async (name) => (await stack.api("/v1/targets")).targets.find(({ target, way }) =>
            target === name && way === "direct").state;

        await until(async () => await state("bad") === "down" && await state("moved") === "up", "all were looked at");
        await dashboard.goto(`${stack.base}targets`);
        await settled(dashboard);
        await expect(card(dashboard, "State")).toContainText("2 of 6 are down");
        const pages = card(dashboard, "Pages");

        await expect(pages.getByRole("row").nth(1)).toContainText("bad"); // what is wrong comes first
        await expect(pages.getByRole("row", { name: /^bad, directly/ })).toContainText("it answers 500");
        await expect(pages.getByRole("row", { name: /^moved, directly/ })).toContainText(`302 to ${url}/invoice`);
        await expect(pages).toContainText("checks.samples has none for them: ticket");
        await pages.getByRole("button", { name: "History of bad, directly" }).click();
        await expect(card(dashboard, "History").getByRole("img"))
            .toHaveAttribute("aria-label", /it answered 0, failed [1-9]/);
        await expect(card(dashboard, "History").getByRole("row").nth(1)).toContainText("it answers 500");
        await save(dashboard, "targets-light");
        await dashboard.emulateMedia({ colorScheme: "dark" });
        await save(dashboard, "targets-dark");
        await dashboard.setViewportSize({ width: 360, height: 740 });
        expect(await dashboard.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
        await save(dashboard, "targets-phone");
    } finally {
        billing.close();
        billing.closeAllConnections();
        undo();
        await stack.restart();
    }
});
