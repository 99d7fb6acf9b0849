// Which reminder gets paid: the funnel's page, and what the other pages say of payments.
import { card, expect, settled, test } from "./fixtures.mjs";
import { until } from "./stack.mjs";

const zone = "tz=Europe%2FBerlin";
const written = (n) => n.toLocaleString("en-GB");
const euro = (n) => new Intl.NumberFormat("en-GB", { style: "currency", currency: "EUR" }).format(n / 100);

test("the steps of each reminder are those of the API", async ({ dashboard, stack, save }) => {
    const answer = await stack.api(`/v1/funnel?from=30d&${zone}`);

    await dashboard.getByRole("link", { name: "Funnel", exact: true }).click();
    await settled(dashboard);
    expect(answer.total.sent).toBeGreaterThan(1000);
    await expect(card(dashboard, "Mailed").locator(".figure")).toHaveText(written(answer.total.sent));
    await expect(card(dashboard, "Paid").locator(".figure")).toHaveText(written(answer.total.paid));
    await expect(card(dashboard, "Money").locator(".figure")).toHaveText(euro(answer.total.amount.EUR));
    await expect(card(dashboard, "Money").locator(".card-body")).toContainText("$"); // beside it, never added
    for (const row of answer.rows) {
        const stage = dashboard.locator(".stage", { hasText: row.name }).first();
        const values = stage.locator(".funnel-value");

        await expect(values.nth(0)).toHaveText(written(row.sent));
        await expect(values.nth(1)).toHaveText(written(row.clicked));
        await expect(values.nth(2)).toHaveText(written(row.paid));
        await expect(stage).toContainText(euro(row.amount.EUR));
    }
    await save(dashboard, "funnel-light");
});

test("time to pay, what became of payments, and the test of two versions", async ({ dashboard, stack }) => {
    await dashboard.goto(`${stack.base}funnel?from=30d`);
    await settled(dashboard);
    const { total, payments } = await stack.api(`/v1/funnel?from=30d&${zone}`);
    const toPay = card(dashboard, "From click to payment");

    await expect(toPay.getByRole("img")).toHaveAttribute("aria-label", /^Half within .* three quarters within/);
    await toPay.getByText("Show as a table").click();
    // The table is made when it is asked for.
    await expect.poll(async () => (await toPay.locator("tbody td:nth-child(2)").allTextContents())
        .reduce((sum, text) => sum + Number(text.replaceAll(",", "")), 0))
        .toBe(total.click_to_pay.reduce((sum, { n }) => sum + n, 0));
    await expect(card(dashboard, "What became of payments").getByRole("row", { name: /Nobody had clicked/ }))
        .toContainText(written(payments.no_click.n));
    await expect(card(dashboard, "A/B tests by payments")).toContainText("Variant B gets more invoices paid.");
    await expect(card(dashboard, "A/B tests by payments")).toContainText(/each needs about [\d,]+\./);
    await expect(card(dashboard, "A/B tests by payments")).toContainText(/invoices clicked/);
});

test("the verdict on two versions is right as often as it says", async ({ dashboard }) => {
    const found = await dashboard.evaluate(async () => {
        const { judge, needed } = await import("./significance.js");
        let seed = 20261128;
        const random = () => { // mulberry32
            seed = seed + 0x6d2b79f5 | 0;
            let t = Math.imul(seed ^ seed >>> 15, 1 | seed);

            t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
            return ((t ^ t >>> 14) >>> 0) / 4294967296;
        };
        const paid = (n, share) => {
            let k = 0;

            for (let i = 0; i < n; i++)
                k += random() < share;
            return k;
        };
        // Two versions whose truth is known, 400 times: who is named the winner?
        const winners = (n, a, b) => {
            const named = { A: 0, B: 0, none: 0 };

            for (let i = 0; i < 400; i++) {
                const { verdict, leader } = judge([{ name: "A", clicks: paid(n, a), sent: n },
                    { name: "B", clicks: paid(n, b), sent: n }]);

                named[verdict === "clear" ? leader.name : "none"]++;
            }
            return named;
        };

        return { n: needed(0.1, 0.12), better: winners(needed(0.1, 0.12), 0.1, 0.12), same: winners(2000, 0.1, 0.1) };
    });

    expect(found.n).toBeGreaterThan(3000);
    expect(found.better.B / 400).toBeGreaterThan(0.73); // four times in five, within 3.5 standard errors
    expect(found.better.B / 400).toBeLessThan(0.87);
    expect(found.better.A).toBeLessThan(2);
    expect((found.same.A + found.same.B) / 400).toBeLessThan(0.09); // one time in twenty
});

test("the invoices behind the numbers, of real events", async ({ dashboard, stack }) => {
    for (const object of [501, 502, 503])
        stack.tell("event", "mail.sent", "--object", String(object), "--client", "9", "--campaign", "30");
    const link = stack.mint("pay", "--object", "501", "--client", "9", "--campaign", "30");

    await stack.click(link);
    stack.tell("event", "invoice.paid", "--object", "502", "--amount", "1999", "--currency", "EUR");
    await until(async () => {
        const [clicked, unpaid] = await Promise.all(["clicked", "unpaid"].map((what) =>
            stack.api(`/v1/${what}?campaign=30`)));

        return clicked.rows.length === 1 && unpaid.rows.length === 2;
    }, "the click and the payment are counted");
    await dashboard.goto(`${stack.base}funnel?campaign=30`);
    await settled(dashboard);
    const stage = dashboard.locator(".stage", { hasText: "Campaign 30" });
    const list = dashboard.getByRole("dialog");

    await stage.getByRole("button", { name: /^Who hasn’t paid/ }).click();
    await expect(list.getByRole("rowheader")).toHaveText(["501", "503"]);
    await list.getByRole("button", { name: "Close" }).click();
    await stage.getByRole("button", { name: /^Who clicked/ }).click();
    await expect(list.getByRole("rowheader")).toHaveText(["501"]);
    await list.getByRole("button", { name: "Close" }).click();
    await stage.getByRole("button", { name: /^Who didn’t click/ }).click();
    await expect(list.getByRole("rowheader")).toHaveText(["502", "503"]);
    await expect(list.getByRole("row", { name: /502/ })).toContainText("paid");
    const [file] = await Promise.all([dashboard.waitForEvent("download"),
        list.getByRole("link", { name: "Download as CSV" }).click()]);

    expect(file.suggestedFilename()).toBe("hopcount-unclicked.csv");
});

test("the funnel is compared with what was chosen", async ({ dashboard, stack }) => {
    await dashboard.goto(`${stack.base}funnel?from=30d&compare=weekday`);
    await settled(dashboard);
    const { total, previous } = await stack.api(`/v1/funnel?from=30d&compare=weekday&${zone}`);

    expect(previous.total.sent).toBeGreaterThan(0);
    await expect(card(dashboard, "Mailed").locator("span.change")).toHaveAttribute("title",
        `${written(previous.total.sent)} in the same weekdays before`);
    expect(total.sent).not.toBe(previous.total.sent);
    await expect(dashboard.getByRole("radiogroup", { name: "Clicks by" })).toHaveCount(0); // machines pay nothing
});

test("what is missing is said, with the event that tells it", async ({ dashboard, stack }) => {
    await dashboard.goto(`${stack.base}funnel?from=2024-02-01&to=2024-02-03`);
    await settled(dashboard);
    await expect(card(dashboard, "Step by step")).toContainText("hopcount event mail.sent");
    await expect(card(dashboard, "From click to payment")).toContainText("hopcount event invoice.paid");
});

test("overview and campaigns say what clicks led to", async ({ dashboard, stack }) => {
    const { total, rows } = await stack.api(`/v1/funnel?from=30d&${zone}`);

    await dashboard.goto(stack.base);
    await settled(dashboard);
    await expect(card(dashboard, "What clicks led to").getByRole("row", { name: /paid after a click/ }))
        .toContainText(written(total.paid));
    await expect(card(dashboard, "Worth a look")).toContainText(/Nothing unusual|Unusual/);
    // Campaigns are ordered by what was clicked of their mails, which stands beside it.
    const rated = (await stack.api(`/v1/funnel?from=30d&sort=click_rate&${zone}`)).rows.filter(({ sent }) => sent > 0);
    const top = card(dashboard, "Top campaigns");

    expect((await top.getByRole("rowheader").allTextContents()).slice(0, rated.length)).toEqual(rated.map(({ key, name }) =>
        name ?? `Campaign ${key}`));
    await expect(top.locator("tbody tr").first().locator("td").nth(1)).toHaveText(
        `${(rated[0].click_rate * 100).toFixed(1)}%of ${written(rated[0].sent)} mails`);
    await dashboard.goto(`${stack.base}campaigns?campaign=1`);
    await settled(dashboard);
    await expect(dashboard.locator(".stage")).toContainText(
        `${written(rows.find(({ key }) => key === "1").paid)} invoices paid after a click`);
});

test("a campaign that stopped, or that machines took over, is named", async ({ dashboard }) => {
    const found = await dashboard.evaluate(async () => {
        const { findAnomalies } = await import("./anomalies.js");
        const row = (key, human, automated) => ({ key, human, automated, total: human + automated });

        return findAnomalies(
            [row("1", 2, 5), row("2", 30, 90), row("3", 100, 10), row("4", 1, 0), row("5", 1, 0)],
            [row("1", 352, 40), row("2", 240, 120), row("3", 800, 80), row("4", 210, 0), row("5", 20, 0)])
            .map(({ key, text }) => `${key} ${text}`);
    });

    expect(found).toEqual([expect.stringMatching(/^1 People have stopped clicking: 2 in /),
        expect.stringMatching(/^2 75.0% of the clicks of the last 24 hours are machines’, 12.5% /),
        expect.stringMatching(/^4 People have stopped clicking: 1 in /)]);
    const broken = await dashboard.evaluate(async () => {
        const { findBroken } = await import("./anomalies.js");

        return findBroken([{ target: "pay", why: "it answers 404", rows: [{ key: "1", human: 12 }, { key: "2", human: 0 }] }])
            .map(({ key, text }) => `${key} ${text}`);
    });

    expect(broken).toEqual([expect.stringMatching(/^1 Its links lead to a page that is down \(pay: it answers 404\)/)]);
});
