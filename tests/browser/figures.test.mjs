// The figures: those of the API, filtered as asked for, and new ones as they come.
import { readFileSync } from "node:fs";
import { card, expect, figure, settled, signIn, test } from "./fixtures.mjs";

const zone = "tz=Europe%2FBerlin";

test("every figure of the overview is the API's", async ({ dashboard, stack, save }) => {
    const query = `/v1/stats?from=30d&${zone}`;
    const { total } = await stack.api(`${query}&group_by=time&clients=true`);
    const countries = await stack.api(`${query}&group_by=country`);

    expect(total.human).toBeGreaterThan(1000);
    expect(await figure(dashboard, "People’s clicks")).toBe(total.human);
    expect(await figure(dashboard, "Machines’ clicks")).toBe(total.automated);
    expect(await figure(dashboard, "All clicks")).toBe(total.total);
    expect(await figure(dashboard, "Distinct clients")).toBe(total.clients);
    // They follow the clicks beside them, which is said.
    await expect(card(dashboard, "Distinct clients")).toContainText(/estimate, about ±1%.*counted up to \d\d?:\d\d/);
    const germany = card(dashboard, "Countries").getByRole("row", { name: "Germany" });

    await expect(germany.getByRole("cell").first()).toHaveText(
        countries.rows.find(({ key }) => key === "DE").human.toLocaleString("en-GB"));
    const reasons = await stack.api(`${query}&group_by=reason`);
    const burst = card(dashboard, "Who clicked").getByRole("row", { name: "All links of a mail at once" });

    await expect(burst.getByRole("cell").first()).toHaveText(
        reasons.rows.find(({ key }) => key === "many_links").automated.toLocaleString("en-GB"));
    await save(dashboard, "overview-light");
});

test("a filter is in the address, and back leads back", async ({ dashboard, stack }) => {
    const all = await figure(dashboard, "People’s clicks");
    const { total } = await stack.api(`/v1/stats?from=30d&group_by=kind&campaign=3&${zone}`);

    await dashboard.getByLabel("Campaign", { exact: true }).selectOption({ label: "First overdue notice" });
    await expect(dashboard).toHaveURL(/[?&]campaign=3/);
    await expect.poll(() => figure(dashboard, "People’s clicks")).toBe(total.human);
    expect(total.human).toBeLessThan(all);
    await dashboard.reload();
    await settled(dashboard);
    expect(await figure(dashboard, "People’s clicks")).toBe(total.human);
    await expect(dashboard.getByLabel("Campaign", { exact: true })).toHaveValue("3");
    await dashboard.goBack();
    await expect(dashboard).not.toHaveURL(/campaign=/);
    await expect.poll(() => figure(dashboard, "People’s clicks")).toBe(all);
});

test("days can be picked, and the last one is part of the period", async ({ dashboard, stack }) => {
    await dashboard.getByLabel("Period").selectOption("custom");
    await settled(dashboard);
    const to = await dashboard.getByLabel("Up to and including").inputValue();
    const day = new Date(Date.parse(to) - 5 * 86400000).toISOString().slice(0, 10);
    const { total } = await stack.api(`/v1/stats?from=${day}&to=${day}&group_by=kind&${zone}`);

    await dashboard.getByLabel("From", { exact: true }).fill(day);
    await expect(dashboard).toHaveURL(new RegExp(`from=${day}`));
    await dashboard.getByLabel("Up to and including").fill(day);
    await expect(dashboard).toHaveURL(new RegExp(`to=${day}`));
    await expect.poll(() => figure(dashboard, "People’s clicks")).toBe(total.human);
    expect(total.human).toBeGreaterThan(0);
});

test("a day can be typed, and takes the other end along", async ({ dashboard, stack }) => {
    await dashboard.goto(`${stack.base}?from=2026-10-10&to=2026-11-20`);
    await settled(dashboard);
    const from = dashboard.getByLabel("From", { exact: true });

    await from.focus();
    await dashboard.keyboard.type("1005", { delay: 50 }); // the tenth of May or the fifth of October
    await dashboard.keyboard.type("2026", { delay: 50 });
    await expect(from).toBeFocused();
    await dashboard.keyboard.press("Enter");
    await expect(dashboard).toHaveURL(/from=2026-(05-10|10-05)&to=2026-11-20/);
    await expect(from).toBeFocused();
    await dashboard.goBack();
    await expect(dashboard).toHaveURL(/from=2026-10-10&to=2026-11-20/);
    await dashboard.getByLabel("Up to and including").fill("2026-01-31");
    await expect(dashboard).toHaveURL(/from=2026-01-31&to=2026-01-31/);
    await dashboard.getByLabel("From", { exact: true }).focus();
    await dashboard.keyboard.type("02022026", { delay: 50 });
    await dashboard.getByLabel("Kind of link").focus();
    await expect(dashboard).toHaveURL(/from=2026-02-02&to=2026-02-02/);
    await expect(dashboard.getByLabel("Kind of link")).toBeFocused();
});

test("machines can be looked at instead of people", async ({ dashboard, stack }) => {
    const { rows } = await stack.api(`/v1/stats?from=30d&group_by=country&${zone}`);

    await dashboard.getByRole("radio", { name: "Machines" }).check();
    await expect(dashboard).toHaveURL(/who=automated/);
    const states = card(dashboard, "Countries").getByRole("row", { name: "United States" });

    await expect(states.getByRole("cell").first()).toHaveText(
        rows.find(({ key }) => key === "US").automated.toLocaleString("en-GB"));
});

test("a chart comes with a table whose sum is the figure", async ({ dashboard }) => {
    const over = card(dashboard, "Clicks over time");

    await over.getByText("Show as a table").click();
    await over.locator("tbody td").first().waitFor();
    const counts = await over.locator("tbody td:nth-child(2)").allTextContents();
    const sum = counts.reduce((all, text) => all + Number(text.replaceAll(/\D/g, "")), 0);

    expect(sum).toBe(await figure(dashboard, "People’s clicks"));
    await expect(over.getByRole("img")).toHaveAttribute("aria-label", /clicks by people/);
});

test("a click shows up by itself", async ({ dashboard, stack }) => {
    test.setTimeout(120000); // on a busy machine the API keeps an answer for a minute
    const before = await figure(dashboard, "People’s clicks");
    let loads = 0;

    dashboard.on("load", () => { loads += 1; });
    await expect(dashboard.locator(".top .pill")).toHaveText("Live");
    await stack.click(stack.mint("pay", "--object", "99", "--client", "12", "--campaign", "1"));
    await expect.poll(() => figure(dashboard, "People’s clicks"), { timeout: 90000 })
        .toBe(before + 1);
    expect(loads).toBe(0);
});

test("the figures can be had as a file for spreadsheets", async ({ dashboard, stack }) => {
    const { total } = await stack.api(`/v1/stats?from=30d&group_by=kind&${zone}`);
    const [download] = await Promise.all([dashboard.waitForEvent("download"),
        dashboard.getByRole("link", { name: "Download CSV" }).click()]);
    const [head, ...rows] = readFileSync(await download.path(), "utf8").trim().split("\r\n");

    expect(head).toContain("time,label,total,human,automated");
    expect(rows.reduce((sum, row) => sum + Number(row.split(",")[3]), 0)).toBe(total.human);
});

test("nothing to show is said, not drawn", async ({ page, stack, save }) => {
    await signIn(page, stack, "?from=2019-01-01&to=2019-01-31");
    await expect(card(page, "Clicks over time").getByText("No clicks in this period.")).toBeVisible();
    await expect(card(page, "Countries").getByText("No clicks in this period.")).toBeVisible();
    expect(await figure(page, "People’s clicks")).toBe(0);
    await save(page, "overview-empty");
});

test("an address that makes no sense is explained once, with a way out", async ({ page, stack, save }) => {
    await signIn(page, stack, "?from=yesterday");
    const alert = page.getByRole("alert").filter({ hasText: "must be a date" });

    await expect(alert).toHaveCount(1);
    await expect(alert).toContainText("This address can’t be shown. Its period must be a date");
    await expect(card(page, "Countries")).toContainText("Nothing to show for this address.");
    await save(page, "overview-refused");
    await page.getByRole("button", { name: "Show the last 30 days" }).click();
    await expect(alert).toHaveCount(0);
    await expect(page).not.toHaveURL(/from=/);
    await expect.poll(() => figure(page, "People’s clicks")).toBeGreaterThan(1000);
});

test("what an address asks for in vain is named", async ({ dashboard, stack }) => {
    for (const [query, text] of [["kind=refund", "Its kind of link: 'refund' is no kind"],
        ["from=2026-11-20&to=2026-11-10", "Its period must be before its end."],
        ["from=1990-01-01", "Its period may be at most 20 years before its end."],
        ["campaign=<b>", "Its campaign must be numbers"]]) {
        await dashboard.goto(`${stack.base}?${query}`);
        await expect(dashboard.getByRole("alert").filter({ hasText: text })).toBeVisible();
    }
    await dashboard.goto(`${stack.base}?who=nobody`);
    await settled(dashboard);
    await expect(dashboard.getByRole("radio", { name: "People" })).toBeChecked();
    await expect(dashboard.locator(".failed")).toHaveCount(0);
});

test("a year is shown by weeks, which hold all of its days", async ({ dashboard, stack }) => {
    const { rows, total } = await stack.api(`/v1/stats?from=1y&group_by=time&interval=day&${zone}`);

    await dashboard.goto(`${stack.base}?from=1y`);
    await settled(dashboard);
    const over = card(dashboard, "Clicks over time");

    await over.getByText("Show as a table").click();
    await over.locator("tbody td").first().waitFor();
    const weeks = await over.getByRole("rowheader").allTextContents();
    const counts = await over.locator("tbody td:nth-child(2)").allTextContents();

    await expect(over.getByText("Clicks per week")).toBeVisible();
    expect(weeks.length).toBeLessThan(60);
    expect(weeks.every((name) => name.startsWith("Week of Mon"))).toBe(true);
    expect(counts.reduce((sum, text) => sum + Number(text.replaceAll(/\D/g, "")), 0))
        .toBe(total.human);
    expect(rows.length).toBeGreaterThan(360);
    await dashboard.getByLabel("In steps of").selectOption("day");
    await expect(dashboard).toHaveURL(/interval=day/);
    await settled(dashboard);
    await over.getByText("Show as a table").click();
    await expect(over.getByRole("rowheader")).toHaveCount(rows.length);
});

test("no chart ends before its period does, whatever steps are asked for", async ({ dashboard, stack }) => {
    const { total } = await stack.api(`/v1/stats?from=90d&group_by=kind&${zone}`);

    // 2,160 hours by five labels would be more rows than an answer has.
    await dashboard.goto(`${stack.base}?from=90d&interval=hour`);
    await settled(dashboard);
    const over = card(dashboard, "Clicks over time");

    await over.getByText("Show as a table").click();
    await over.locator("tbody td").first().waitFor();
    const counts = await over.locator("tbody td:nth-child(2)").allTextContents();

    expect(counts.reduce((sum, text) => sum + Number(text.replaceAll(/\D/g, "")), 0)).toBe(total.human);
    await expect(dashboard.getByLabel("In steps of")).toHaveValue("");
    expect(await dashboard.getByLabel("In steps of").locator("option").allTextContents())
        .toEqual(["Automatic", "Days", "Weeks", "Months"]);
    await dashboard.getByLabel("Period").selectOption("7d");
    await expect(dashboard.getByLabel("In steps of")).toHaveValue("hour");
});

test("no bar is longer than its place, and what isn't over is told apart", async ({ dashboard, stack }) => {
    await dashboard.goto(`${stack.base}?from=30d`);
    await settled(dashboard);
    const widths = await dashboard.locator(".bar i").evaluateAll((bars) =>
        bars.map((bar) => Number.parseFloat(bar.style.width)));
    const over = card(dashboard, "Clicks over time");

    expect(widths.length).toBeGreaterThan(20);
    expect(Math.max(...widths)).toBe(100);
    await expect(over).toContainText("the last day is not over");
    await over.getByText("Show as a table").click();
    await expect(over.getByRole("rowheader").last()).toContainText("(not over)");
    await expect(over.getByRole("rowheader", { name: "(not over)" })).toHaveCount(1);
    await dashboard.goto(`${stack.base}?from=2026-01-01&to=2026-01-05`);
    await settled(dashboard);
    await expect(dashboard.getByText("is not over")).toHaveCount(0);
});

test("while figures are on their way, the page is there", async ({ dashboard, stack, save }) => {
    let letGo;
    const held = new Promise((done) => { letGo = done; });

    await dashboard.route("**/v1/stats?**", async (route) => {
        await held;
        await route.continue();
    });
    await dashboard.goto(stack.base);
    await expect(dashboard.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
    await expect(card(dashboard, "Clicks over time")).toHaveAttribute("aria-busy", "true");
    await expect(card(dashboard, "Clicks over time").locator(".skeleton")).toBeVisible();
    await save(dashboard, "overview-loading");
    letGo();
    await settled(dashboard);
    expect(await figure(dashboard, "People’s clicks")).toBeGreaterThan(1000);
});

test("a browser in a zone that the server doesn't know is shown UTC", async ({ dashboard, stack }) => {
    await dashboard.route(/\/v1\/stats\?.*tz=/, (route) => route.fulfill({ status: 400,
        contentType: "application/problem+json", body: JSON.stringify({ type: "about:blank",
            title: "Bad Request", status: 400, detail: "there is no time zone", parameter: "tz" }) }));
    await dashboard.goto(stack.base);
    await expect(dashboard.getByText("Days and hours are in the time zone UTC.")).toBeVisible();
    await settled(dashboard);
    expect(await figure(dashboard, "People’s clicks")).toBeGreaterThan(1000);
});

test("of some hours no clients are shown where they are known by days only, which is said", async ({ dashboard, stack }) => {
    /* In the last hour of a UTC day, the last 24 hours are that day. */
    const n = new Date().getUTCHours() === 23 ? 23 : 24;

    await dashboard.goto(`${stack.base}?from=${n}h`);
    await settled(dashboard);
    const clients = card(dashboard, "Distinct clients");

    await expect(clients).toContainText("Only known for whole days");
    await expect(clients.locator(".figure")).toHaveText("–");
    await expect(card(dashboard, "People’s clicks")).toContainText(`the ${n} hours before`);
});

test("figures asked for too often stay, and what is wrong is said once", async ({ dashboard, stack }) => {
    const before = await figure(dashboard, "People’s clicks");
    const alert = dashboard.getByRole("alert").filter({ hasText: "asked for too often" });

    await dashboard.route("**/v1/stats?**", (route) => route.fulfill({ status: 429,
        contentType: "application/problem+json", headers: { "Retry-After": "20" },
        body: JSON.stringify({ type: "about:blank", title: "Too Many Requests", status: 429,
            detail: "this key may ask 600 times in a minute" }) }));
    await stack.click(stack.link);
    await expect(alert).toBeVisible({ timeout: 30000 });
    await expect(alert).toHaveCount(1);
    expect(await figure(dashboard, "People’s clicks")).toBe(before);
    await dashboard.unroute("**/v1/stats?**");
    await alert.getByRole("button", { name: "Try again" }).click();
    await expect(alert).toHaveCount(0);
});

test("a campaign's hostile name is only ever text", async ({ dashboard, stack }) => {
    test.setTimeout(300000); // on a busy machine the API keeps an answer for a minute
    const name = "<img src=x onerror=alert(1)><b>&amp;\"'";
    // Written past the API, which would have dropped the answers that it keeps.
    const rename = (to) => stack.redisLoad(
        [`HSET hc:{s00}:names:${stack.brand} 7 "${to.replaceAll("\"", "\\\"")}"`]);
    const shown = (locator) => expect(async () => {
        await dashboard.reload();
        await settled(dashboard);
        await expect(locator).toBeVisible({ timeout: 500 });
    }).toPass({ timeout: 90000 });
    const link = (text) => card(dashboard, "Top campaigns").getByRole("link", { name: text });

    rename(name);
    dashboard.on("dialog", () => { throw new Error("a script ran"); });
    await shown(link(name));
    await dashboard.getByRole("link", { name: "Campaigns", exact: true }).click();
    await settled(dashboard);
    await shown(dashboard.getByRole("heading", { name }));
    rename("Domain renewal 2026");
    await shown(dashboard.getByRole("heading", { name: "Domain renewal 2026" }));
    await dashboard.getByRole("link", { name: "Overview" }).click();
    await shown(link("Domain renewal 2026"));
});
