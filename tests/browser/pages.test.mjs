// Campaigns, links and health.
import AxeBuilder from "@axe-core/playwright";
import jsQR from "jsqr";
import { card, expect, figure, settled, signIn, test } from "./fixtures.mjs";
import { until } from "./stack.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;
const jsQr = jsQR.default ?? jsQR;
const zone = "tz=Europe%2FBerlin";

async function open(page, name) {
    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
}

test("stages stand side by side, and others can be chosen", async ({ dashboard, stack, save }) => {
    const { rows } = await stack.api(`/v1/stats?from=30d&group_by=campaign&${zone}`);

    await open(dashboard, "Campaigns");
    await settled(dashboard);
    const stages = dashboard.locator(".stage");

    await expect(stages).toHaveCount(4);
    await expect(stages.first()).toContainText("Invoice created");
    await expect(stages.first().locator(".figure")).toHaveText(
        rows.find(({ key }) => key === "1").human.toLocaleString("en-GB"));
    await save(dashboard, "campaigns-light");
    await dashboard.getByLabel("Domain renewal 2026").uncheck();
    await expect(dashboard).toHaveURL(/campaign=1%2C2%2C3/);
    await expect(stages).toHaveCount(3);
});

test("one campaign is shown at a glance, and more clicks by machines are not good news",
    async ({ dashboard, stack }) => {
        await dashboard.goto(`${stack.base}campaigns?campaign=2&from=90d&who=automated`);
        await settled(dashboard);
        const glance = card(dashboard, "At a glance");

        await expect(glance.locator(".stage")).toHaveCount(1);
        await expect(glance.locator(".change b")).toHaveText(/^[▲▼] /);
        await expect(glance.locator(".change b")).not.toHaveClass(/up|down/);
        await expect(card(dashboard, "Over time").locator(".plot-head")).toContainText("Clicks per day");
    });

test("the time from mail to click is a histogram of what the API says",
    async ({ dashboard, stack }) => {
    const { rows, total } = await stack.api(`/v1/stats?from=30d&group_by=delay&campaign=1&${zone}`);

    await dashboard.goto(`${stack.base}campaigns?campaign=1`);
    await settled(dashboard);
    const delay = card(dashboard, "From mail to click");

    await delay.getByText("Show as a table").click();
    await expect(delay.getByRole("row")).toHaveCount(16); // 15 steps and the head
    await expect(delay.getByRole("row", { name: "1 to 3 hours" }).getByRole("cell").first()).toHaveText(
        rows.find(({ key }) => key === "3h").human.toLocaleString("en-GB"));
    await expect(delay.getByRole("img")).toHaveAttribute("aria-label", /^Half of the clicks/);
    await expect(delay.locator(".plot-head")).toHaveText(/^Half of the clicks come within .*The 30 days before.*Clicks$/);
    expect(total.human).toBeGreaterThan(100);
});

test("a real click falls into its step", async ({ dashboard, stack }) => {
    const link = stack.mint("pay", "--object", "4711", "--campaign", "900", "--issued",
        new Date(Date.now() - 5 * 3600000).toISOString().replace(/\.\d+/, ""));

    await stack.click(link);
    await expect.poll(async () => (await stack.api("/v1/stats?from=24h&group_by=delay&campaign=900"))
        .rows.map(({ key, human }) => [key, human])).toEqual([["6h", 1]]);
    expect(dashboard.url()).toContain("dashboard");
});

test("a lead is called luck or not by an exact test", async ({ dashboard, stack, save }) => {
    const { rows } = await stack.api(
        `/v1/stats?from=90d&group_by=variant&campaign=2&${zone}`);
    const clicks = Object.fromEntries(rows.map(({ key, human }) => [key, human]));
    const number = (n) => n.toLocaleString("en-GB");

    await dashboard.goto(`${stack.base}campaigns?campaign=2&from=90d`);
    await settled(dashboard);
    const ab = card(dashboard, "A/B test");

    await expect(ab.getByRole("row", { name: "Variant B" }).getByRole("cell").first())
        .toHaveText(number(clicks.B), { useInnerText: true }); // a phone has its change below it
    await expect(ab.locator(".statement")).toContainText("Variant B works better. " +
        `B got ${number(clicks.B)} clicks by people, A ${number(clicks.A)}: ${
            ((clicks.B / clicks.A - 1) * 100).toFixed(1)}% more.`);
    await expect(ab.locator(".statement")).toContainText("every variant went to equally many people");
    // The same clicks out of very different numbers of mails: now it is A that works better.
    await ab.getByLabel("Mails sent with variant A").fill(String(clicks.A * 2));
    await expect(ab.locator(".statement")).toContainText("Enter the mails of every variant");
    await ab.getByLabel("Mails sent with variant B").fill(String(clicks.B * 4));
    await expect(ab.locator(".statement")).toContainText(
        "Variant A works better. A got 50 clicks per 100 mails, B 25");
    await expect(ab.locator(".statement")).not.toContainText("equally many");
    await expect(dashboard).toHaveURL(/sent=A/);
    await save(dashboard, "test-light");
    // Who opens it without that address finds them again; another campaign is another test.
    await dashboard.goto(`${stack.base}campaigns?campaign=2&from=90d`);
    await settled(dashboard);
    await expect(ab.getByLabel("Mails sent with variant A")).toHaveValue(String(clicks.A * 2));
    await expect(ab.locator(".statement")).toContainText("Variant A works better");
    await dashboard.goto(`${stack.base}campaigns?campaign=3&from=90d`);
    await settled(dashboard);
    await expect(ab.getByLabel("Mails sent with variant A")).toHaveValue("");
    // Impossible numbers are said to be.
    await ab.getByLabel("Mails sent with variant A").fill("1");
    await expect(ab.locator(".statement")).toContainText("more clicks than mails");
});

test("the tests of several campaigns are judged one by one, and compared on a phone too", async ({ dashboard, stack, save }) => {
    await dashboard.goto(`${stack.base}campaigns?from=2026-11-09&to=2026-11-22`);
    await dashboard.setViewportSize({ width: 390, height: 844 });
    await settled(dashboard);
    const { previous } = await stack.api("/v1/stats?from=2026-11-09&to=2026-11-22&campaign=3&group_by=variant&compare=previous&tz=Europe%2FBerlin");
    const before = previous.rows.filter(({ key }) => key !== "none").reduce((sum, { human }) => sum + human, 0);
    const list = card(dashboard, "A/B tests"), change = list.getByRole("row", { name: "First overdue notice" }).locator(".difference");

    await expect(change).toBeVisible();
    await expect(change).toHaveAttribute("title", `${before.toLocaleString("en-GB")} in the period before`);
    await save(list, "tests-compared-390", {});
    expect(await list.locator(".scroll").evaluate((one) => one.scrollWidth <= one.clientWidth)).toBe(true);
    await dashboard.setViewportSize({ width: 1440, height: 900 });
    await dashboard.goto(`${stack.base}campaigns?from=90d`);
    await settled(dashboard);
    const tests = card(dashboard, "A/B tests");

    await expect(tests.locator("tbody tr")).toHaveCount(2);
    await expect(tests.getByRole("row", { name: "Reminder, 3 days before due" }))
        .toContainText("B works better");
    await expect(tests.getByRole("row", { name: "First overdue notice" }))
        .toContainText("No winner yet");
    await tests.getByRole("link", { name: "First overdue notice" }).click();
    await expect(dashboard).toHaveURL(/campaign=3/);
    await expect(card(dashboard, "A/B test").locator(".statement")).toContainText(
        "Even if A and B worked equally well, chance alone would make a difference like this");
});

test("a chance is told in words", async ({ dashboard }) => {
    const said = await dashboard.evaluate(async () => {
        const { odds } = await import("/dashboard/format.js");

        return [1, 0.949, 0.5, 0.1, 0.0999, 0.032, 0.01, 0.0032, 0.001, 0.00099].map(odds);
    });

    expect(said).toEqual(["nearly every time", "about 9 times in 10", "about 5 times in 10",
        "about once in 10 times", "about 10 times in 100", "about 3 times in 100",
        "about once in 100 times", "about 3 times in 1,000", "about once in 1,000 times",
        "less than once in 1,000 times"]);
});

test("the statistics are right to six digits", async ({ dashboard }) => {
    const results = await dashboard.evaluate(async () => {
        const s = await import("/dashboard/significance.js");
        const judged = (...counts) => s.judge(counts.map((clicks, i) =>
            ({ name: "ABCDEFG"[i], clicks }))).verdict;

        return {
            poisson: s.comparePoisson(30, 15),
            none: s.comparePoisson(0, 5),
            shares: s.compareShares(45, 500, 30, 480),
            few: s.compareShares(2, 20, 8, 22),
            wilson: s.wilson(10, 100),
            holm: s.holm([0.01, 0.04, 0.03]),
            verdicts: [judged(9, 8), judged(50, 45), judged(90, 40), judged(90, 88, 20),
                judged(100)],
        };
    });
    const binomial = (n, k) => { // P(X ≥ k) of n fair coins
        let sum = 0, choose = 1;

        for (let i = 0; i <= n; i++) {
            sum += i >= k ? choose / 2 ** n : 0;
            choose = choose * (n - i) / (i + 1);
        }
        return sum;
    };

    expect(results.poisson.p).toBeCloseTo(2 * binomial(45, 30), 8);
    expect(results.poisson.low).toBeCloseTo(1.0428857, 6); // p/(1-p) of Clopper and Pearson
    expect(results.poisson.high).toBeCloseTo(3.9998578, 6);
    expect(results.none.p).toBeCloseTo(2 / 32, 10);
    expect(results.none.low).toBe(0);
    expect(results.shares.p).toBeCloseTo(0.1054877, 6);
    expect(results.few.p).toBeCloseTo(0.0709034, 6); // Fisher
    expect(results.wilson.low).toBeCloseTo(0.0552291, 6);
    expect(results.wilson.high).toBeCloseTo(0.1743657, 6);
    results.holm.forEach((p, i) => expect(p).toBeCloseTo([0.03, 0.06, 0.06][i], 10));
    expect(results.verdicts).toEqual(["few", "open", "clear", "open", "one"]);
});

test("a pasted link is explained, and its QR code leads to it", async ({ dashboard, stack, save }) => {
    await open(dashboard, "Links");
    await dashboard.getByLabel("The whole link, or its token").fill(stack.link);
    await dashboard.keyboard.press("Enter");
    const what = card(dashboard, "What it is");

    await expect(what).toContainText("View invoice");
    await expect(what).toContainText("https://billing.acme.example/viewinvoice.php?id=1234");
    await expect(what).toContainText("Reminder, 3 days before due");
    await expect(what).toContainText("No. 77");
    expect(await figure(dashboard, "Its clicks")).toBeGreaterThan(0);
    await save(dashboard, "link-light");
    // The token opens an invoice: it is not to be left behind in the address.
    expect(dashboard.url()).not.toContain(new URL(stack.link).pathname.slice(1, 20));
    const image = dashboard.getByRole("img", { name: "QR code of this link" });
    const { pixels, side } = await image.evaluate(async (element) => {
        await element.decode();
        const canvas = document.createElement("canvas");

        canvas.width = canvas.height = 410;
        const context = canvas.getContext("2d");

        context.drawImage(element, 0, 0, 410, 410);
        return { pixels: [...context.getImageData(0, 0, 410, 410).data], side: 410 };
    });

    expect(jsQr(Uint8ClampedArray.from(pixels), side, side).data).toBe(stack.link.toUpperCase());
    const [download] = await Promise.all([dashboard.waitForEvent("download"),
        dashboard.getByRole("link", { name: "Save as PNG" }).click()]);

    expect(download.suggestedFilename()).toMatch(/^qr-[0-9a-f]{16}\.png$/);
});

test("the upper-case link of a QR code works as the other does", async ({ dashboard, stack }) => {
    const before = (await stack.api(`/v1/links/${encodeURIComponent(stack.link)}`)).clicks.human;

    await stack.click(stack.link.toUpperCase());
    await expect.poll(async () =>
        (await stack.api(`/v1/links/${encodeURIComponent(stack.link)}`)).clicks.human).toBe(before + 1);
    expect(dashboard.url()).toContain("dashboard");
});

test("a link says what became of its invoice, and why it leads where it leads", async ({ dashboard, stack, save }) => {
    const link = stack.mint("pay", "--object", "88123", "--client", "88");
    const look = async () => {
        await dashboard.getByLabel("The whole link, or its token").fill(link);
        await dashboard.getByRole("button", { name: "Look it up" }).click();
    };
    const becomes = (text) => expect(async () => {
        await look();
        await expect(card(dashboard, "What it is")).toContainText(text, { timeout: 500 });
    }).toPass();

    await settled(dashboard);
    await open(dashboard, "Links");
    await becomes("Nothing was said of invoice 88123: a click leads where a pay link leads.");
    stack.tell("event", "invoice.partly_paid", "--object", "88123", "--at", "2026-01-05T12:00:00Z");
    await becomes("No. 88123, partly paid");
    stack.tell("event", "invoice.replaced", "--object", "88123", "--by", "88124");
    await becomes("Invoice 88124 has replaced invoice 88123: a click leads where a pay link of invoice 88124 leads.");
    await expect(card(dashboard, "What it is")).toContainText("No. 88123, replaced by no. 88124");
    await save(dashboard, "link-replaced-light");
    stack.tell("event", "client.opted_out", "--client", "88");
    stack.tell("revoke", "object", "88123");
    await becomes("Revoked");
    await expect(card(dashboard, "What it is")).toContainText("No billing page");
    await expect(card(dashboard, "What it is")).toContainText("No. 88, has opted out of tracking");
    await dashboard.emulateMedia({ colorScheme: "dark" });
    await save(dashboard, "link-revoked-dark");
    await dashboard.setViewportSize({ width: 390, height: 844 });
    await save(dashboard, "link-revoked-phone");
    expect(await dashboard.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test("a link is revoked, and made valid again, after a question", async ({ page, stack, save }) => {
    const link = stack.mint("pay", "--object", "88125", "--client", "89");
    const isRevoked = async () => (await stack.api(`/v1/links/${encodeURIComponent(link)}`)).revoked;
    const look = async () => {
        await page.goto(`${stack.base}links`);
        await settled(page);
        await page.getByLabel("The whole link, or its token").fill(link);
        await page.getByRole("button", { name: "Look it up" }).click();
        await expect(card(page, "What it is")).toContainText("No. 88125");
    };

    await signIn(page, stack, "", stack.officeKey);
    await look();
    await page.getByRole("button", { name: "Revoke this link" }).click();
    await expect(page.getByRole("dialog")).toContainText("leads nowhere");
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(await isRevoked()).toBe(false);
    await save(page, "link-revoke-light");
    await page.setViewportSize({ width: 390, height: 844 });
    await save(page, "link-revoke-phone");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await page.getByRole("button", { name: "Revoke this link" }).click();
    await save(page, "link-revoke-question-phone", {});
    await page.getByRole("button", { name: "Revoke", exact: true }).click();
    await expect(card(page, "What it is").locator(".tag")).toHaveText("Revoked");
    expect(await isRevoked()).toBe(true);
    await save(page, "link-revoked-itself-phone");
    await page.getByRole("button", { name: "Make it valid again" }).click();
    await page.getByRole("button", { name: "Make valid", exact: true }).click();
    await expect(card(page, "What it is").locator(".tag")).toHaveText("Works");
    expect(await isRevoked()).toBe(false);
    // What the client's revocation has ended, is not taken back at the link.
    stack.tell("revoke", "client", "89");
    await until(isRevoked, "the revocation is known");
    await look();
    await expect(card(page, "What it is").locator(".tag")).toHaveText("Revoked");
    await expect(page.getByRole("button", { name: "Make it valid again" })).toHaveCount(0);
    await expect(page.getByRole("button", { name: "Revoke this link" })).toHaveCount(0);
});

test("the page of a link has room for long names and addresses, on a phone, in the dark and on paper", async ({ page, stack, save }) => {
    const name = "Zahlungserinnerung Stufe 2 für Kunden mit Jahresvertrag und mehreren Domains (Wiederholung)";
    const target = `https://billing.acme.example/invoices/pay?id=4294967295&return=${"https%3A%2F%2Fwww.acme.example%2F".repeat(5)}`;
    const link = stack.mint("pay", "--object", "4294967295", "--client", "4294967290", "--campaign", "9", "--variant", "B", "--ttl", "30d");

    stack.redisCli("HSET", `hc:{s00}:names:${stack.brand}`, "9", name);
    stack.tell("event", "client.opted_out", "--client", "4294967290");
    await page.route(/\/v1\/links\/[^/]+$/, async (route) => {
        const reply = await route.fetch();

        await route.fulfill({ response: reply, json: { ...await reply.json(), target } });
    });
    await signIn(page, stack, "", stack.officeKey);
    await page.goto(`${stack.base}links`);
    await settled(page);
    await page.getByLabel("The whole link, or its token").fill(link);
    await page.keyboard.press("Enter");
    await expect(card(page, "What it is")).toContainText(name);
    await expect(card(page, "What it is")).toContainText(target);
    for (const [width, colorScheme] of [[360, "light"], [360, "dark"], [1280, "dark"]]) {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme });
        expect(await page.locator(".facts dd").evaluateAll((all) => all.filter((one) => {
            const end = one.closest(".card").getBoundingClientRect().right;

            return [...one.querySelectorAll("*"), one].some((part) => part.getBoundingClientRect().right > end);
        }).length)).toBe(0);
        expect((await new Axe({ page }).analyze()).violations.map(({ id }) => id)).toEqual([]);
        await save(page, `link-long-${width}-${colorScheme}`);
    }
    await page.emulateMedia({ colorScheme: "dark", media: "print" });
    await expect(page.getByRole("button", { name: "Revoke this link" })).toBeHidden();
    await expect(page.getByRole("img", { name: "QR code of this link" })).toBeVisible();
    await expect(page.getByText(/^printed \d/)).toBeVisible();
    await save(page, "link-long-print");
});

test("a key that may only read is not offered to revoke a link", async ({ dashboard, stack }) => {
    await settled(dashboard);
    await open(dashboard, "Links");
    await dashboard.getByLabel("The whole link, or its token").fill(stack.link);
    await dashboard.getByRole("button", { name: "Look it up" }).click();
    await expect(card(dashboard, "What it is")).toBeVisible();
    await expect(dashboard.getByRole("button", { name: "Revoke this link" })).toHaveCount(0);
});

test("a link that a gateway has changed is found all the same, or it is said why not", async ({ dashboard, stack }) => {
    await open(dashboard, "Links");
    const look = async (text) => {
        await dashboard.getByLabel("The whole link, or its token").fill(text);
        await dashboard.getByRole("button", { name: "Look it up" }).click();
    };

    await look(`https://eur01.safelinks.protection.outlook.com/?url=${encodeURIComponent(stack.link)}&data=05%7C02&reserved=0`);
    await expect(card(dashboard, "What it is")).toContainText("Wrapped bySafe Links");
    await expect(card(dashboard, "What it is")).toContainText("No. 77");
    await look("https://protect-eu.mimecast.com/s/AbCdEf?domain=go.acme.example");
    await expect(dashboard.getByRole("alert").filter({ hasText: "Mimecast has wrapped this link" })).toBeVisible();
});

test("a link that is none is refused with advice", async ({ dashboard }) => {
    await open(dashboard, "Links");
    for (const text of ["https://go.acme.example/nonsense", "https://elsewhere.example/x", "<b>"]) {
        await dashboard.getByLabel("The whole link, or its token").fill(text);
        await dashboard.getByRole("button", { name: "Look it up" }).click();
        await expect(dashboard.getByRole("alert").filter({ hasText: "no valid link" })).toBeVisible();
    }
});

test("health says what is counted and what waits", async ({ dashboard, save }) => {
    await open(dashboard, "Health");
    await settled(dashboard);
    await expect(card(dashboard, "State")).toContainText("All is well");
    await expect(card(dashboard, "Counting")).toContainText("under a second");
    await expect(card(dashboard, "Redis").getByText("connected")).toHaveCount(2);
    await expect(card(dashboard, "Workers").getByRole("row")).toHaveCount(3);
    await expect(card(dashboard, "Pods").getByRole("row", { name: "(this one)" }))
        .toContainText("counting");
    await save(dashboard, "health-light");
});

test("a clock that differs from that of Redis is told in place of all is well", async ({ dashboard, save }) => {
    await dashboard.route("**/v1/health", async (route) => {
        const response = await route.fetch(), health = await response.json();

        await route.fulfill({ response, json: { ...health, status: "clocks_differ",
            redis: { ...health.redis, clock_ahead_s: -92.4, clocks_differ: true } } });
    });
    await open(dashboard, "Health");
    await settled(dashboard);
    await expect(card(dashboard, "State")).toContainText("The clocks differ");
    await expect(card(dashboard, "State")).toContainText("Let NTP set the clocks");
    await expect(card(dashboard, "Redis")).toContainText("92 s behind Redis");
    await save(dashboard, "health-clocks-light");
    await dashboard.emulateMedia({ colorScheme: "dark" });
    await save(dashboard, "health-clocks-dark");
    await dashboard.setViewportSize({ width: 360, height: 800 });
    await save(dashboard, "health-clocks-phone-dark");
});

test("a pod that ended without a word is named, with what waits there", async ({ dashboard, stack }) => {
    const now = Math.floor(Date.now() / 1000);
    const line = { host: "hopcount-3", version: "0.1.0", started_at: "2026-11-22T12:00:00Z",
        at: now - 60, as_of_ms: (now - 70) * 1000, lag_s: 10, pending: 17, connected: false };
    const key = `hc:{s00}:pods:${Math.floor(now / 3600)}`;

    await open(dashboard, "Health");
    await settled(dashboard);
    await expect(card(dashboard, "Pods").locator("tbody tr")).toHaveCount(1);
    stack.redisCli("HSET", key, "f".repeat(16), JSON.stringify(line));
    const row = card(dashboard, "Pods").getByRole("row", { name: "hopcount-3" });

    await expect(row).toContainText(/silent for \d+ s/);
    await expect(row).toContainText("17");
    await expect(card(dashboard, "Pods")).toContainText("17 clicks that waited there");
    // It is not waited for: what the others counted is as fresh as it is.
    await expect(card(dashboard, "Counting")).toContainText("under a second");
    stack.redisCli("HDEL", key, "f".repeat(16));
    await expect(row).toHaveCount(0);
});

test("visitors by links without a client are told beside the clients", async ({ dashboard, stack }) => {
    const day = new Date().toISOString().slice(0, 10).replaceAll("-", "");

    await stack.click(stack.mint("view", "--object", "5", "--campaign", "901"));
    // The one who clicked is counted when no gateway can follow any more, after more than a minute.
    stack.redisCli("PFADD", `hc:{s00}:v:${stack.brand}:*:${day}`, "visitor1", "visitor2", "visitor3", "visitor4");
    let days = 8;

    // Another period each time: the API may keep an answer for a minute.
    await expect(async () => {
        await dashboard.goto(`${stack.base}?from=${days++}d`);
        await settled(dashboard);
        await expect(card(dashboard, "Distinct clients")).toContainText(
            /and [45] visitors by links without a client/, { timeout: 500 }); // the fifth after more than a minute
    }).toPass({ timeout: 45000 });
});

test("links that ended on a page of ours are told apart by campaign", async ({ dashboard, stack, save }) => {
    for (const campaign of ["40", "41"]) {
        const url = stack.mint("view", "--object", "7", "--campaign", campaign, "--ttl", "1d", "--issued", "2025-01-01T00:00:00Z");
        const { status } = await stack.askPublic(new URL(url).pathname, { "User-Agent":
            "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Accept-Language": "de" });

        expect(status).toBe(410);
    }
    await until(async () => (await stack.api("/v1/stats?from=24h&group_by=campaign,page&campaign=40,41")).rows.length === 2,
        "both are counted");
    await dashboard.goto(`${stack.base}campaigns?from=24h&campaign=40,41`);
    await settled(dashboard);
    const ended = card(dashboard, "Ended on a page of ours");

    await expect(ended.getByRole("heading", { level: 3 })).toHaveText(["Campaign 40", "Campaign 41"]);
    await expect(ended.getByRole("row", { name: /The link had expired.*Make the links .* longer --ttl/ })).toHaveCount(2);
    await save(dashboard, "campaigns-own-pages");
});
