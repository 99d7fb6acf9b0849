// Clicks are picked by pressing what they are counted by.
import AxeBuilder from "@axe-core/playwright";
import { card, expect, figure, settled, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;
const zone = "tz=Europe%2FBerlin";

test("a row filters, chips say so, and Escape takes the last one away", async ({ dashboard, stack, save }) => {
    const all = await figure(dashboard, "People’s clicks");
    const { total } = await stack.api(`/v1/stats?from=30d&country=DE&group_by=time&${zone}`);
    const pay = await stack.api(`/v1/stats?from=30d&country=DE&kind=pay&group_by=time&${zone}`);
    const chips = dashboard.getByRole("list", { name: "Filters in use" });

    await card(dashboard, "Countries").getByRole("link", { name: "Germany" }).click();
    await expect(dashboard).toHaveURL(/[?&]country=DE/);
    await settled(dashboard);
    expect(await figure(dashboard, "People’s clicks")).toBe(total.human);
    expect(total.human).toBeLessThan(all);
    await expect(card(dashboard, "Countries").getByRole("link", { name: "Germany" })).toHaveCount(0); // it is the filter
    await expect(card(dashboard, "Devices").getByRole("row", { name: "Phone" })).toBeVisible();
    await expect(card(dashboard, "Counted apart")).toContainText("(Country)");
    await card(dashboard, "Kinds of link").getByRole("link", { name: "Pay" }).click();
    await expect(chips.getByRole("button")).toHaveText(["Remove Country: Germany ×", "Remove Kind of link: Pay ×",
        "Remove all"]);
    await settled(dashboard);
    expect(await figure(dashboard, "People’s clicks")).toBe(pay.total.human);
    expect((await new Axe({ page: dashboard }).analyze()).violations.map(({ id }) => id)).toEqual([]);
    await save(dashboard, "filtered-light");
    await dashboard.reload();
    await expect(chips.getByRole("button")).toHaveCount(3);
    await dashboard.locator("main").focus();
    await dashboard.keyboard.press("Escape");
    await expect(dashboard).not.toHaveURL(/kind=/);
    await expect(chips.getByRole("button")).toHaveText(["Remove Country: Germany ×"]);
    await dashboard.keyboard.press("Escape");
    await expect(chips).toHaveCount(0);
    await expect.poll(() => figure(dashboard, "People’s clicks")).toBe(all);
    await dashboard.goBack();
    await expect(chips.getByRole("button")).toHaveCount(1);
});

test("another period is compared with in tiles, the chart, its table and the rankings",
    async ({ dashboard, stack }) => {
        const query = `/v1/stats?from=2026-11-09&to=2026-11-22&interval=day&compare=weekday&${zone}`;
        const { previous, total } = await stack.api(`${query}&group_by=time`);
        const countries = await stack.api(`${query}&group_by=country`);
        const was = countries.previous.rows.find(({ key }) => key === "DE").human;
        const german = countries.rows.find(({ key }) => key === "DE").human;

        expect(previous.from).toBe("2026-10-25T23:00:00Z"); // two weeks before, by local clocks
        await dashboard.goto(`${stack.base}?from=2026-11-09&to=2026-11-22`);
        await settled(dashboard);
        await dashboard.getByLabel("Compared with").selectOption({ label: "Same weekdays before" });
        await expect(dashboard).toHaveURL(/compare=weekday/);
        await settled(dashboard);
        await expect(card(dashboard, "People’s clicks")).toContainText(
            `on the same weekdays before (${previous.total.human.toLocaleString("en-GB")})`);
        const over = card(dashboard, "Clicks over time");

        await expect(over.getByRole("listitem").last()).toHaveText("The same weekdays before");
        await over.getByText("Show as a table").click();
        await over.locator("tbody td").first().waitFor();
        const [now, before] = await Promise.all([2, 3].map(async (column) =>
            (await over.locator(`tbody td:nth-child(${column})`).allTextContents()).map((text) =>
                Number(text.replaceAll(/\D/g, "")))));

        expect(now.reduce((a, b) => a + b)).toBe(total.human);
        expect(before).toEqual(previous.rows.map(({ human }) => human));
        const sign = german > was ? "▲" : german < was ? "▼" : "";

        await expect(card(dashboard, "Countries").getByRole("row", { name: "Germany" }).locator(".difference"))
            .toHaveText(new RegExp(`^${sign} ?${(Math.abs(german / was - 1) * 100).toFixed(1)}%`));
        await dashboard.getByLabel("Compared with").selectOption({ label: "A period of its own …" });
        await expect(dashboard.getByLabel("Compared from")).toBeVisible();
        await dashboard.getByLabel("Compared from").fill("2026-06-01");
        await expect(dashboard).toHaveURL(/compare=2026-06-01/);
        await expect(card(dashboard, "People’s clicks")).toContainText("the period from 1 Jun 2026 on");
        await dashboard.goto(`${stack.base}?from=2026-11-09&to=2026-11-22&compare=2026-12-01`);
        await expect(dashboard.getByRole("alert").filter({ hasText: "What it is compared with must be previous" }))
            .toBeVisible();
    });

test("each chart sums up to its tiles, whatever its steps; of today only what is over is compared", async ({ dashboard, stack }) => {
    const sum = async (column) => (await card(dashboard, "Clicks over time").locator(`tbody td:nth-child(${column})`)
        .allTextContents()).reduce((all, text) => all + Number(text.replaceAll(/\D/g, "")), 0);
    const today = new Intl.DateTimeFormat("sv-SE", { timeZone: "Europe/Berlin", dateStyle: "short" }).format(new Date());

    for (const period of [`from=${today}&to=${today}&interval=hour`, "from=90d&interval=month", "from=2025-06-01&to=2026-10-31"]) {
        const { total, previous } = await stack.api(`/v1/stats?${period}&compare=previous&group_by=time&${zone}`);

        await dashboard.goto(`${stack.base}?${period}`);
        await settled(dashboard);
        expect(await figure(dashboard, "People’s clicks")).toBe(total.human);
        await card(dashboard, "Clicks over time").getByText("Show as a table").click();
        await expect.poll(() => sum(2), period).toBe(total.human);
        expect(await sum(3), period).toBe(previous.total.human);
        if (period.includes("hour"))
            expect(Math.abs(Date.parse(previous.to) + 86400000 - Date.now())).toBeLessThan(2 * 3600000);
    }
    await expect(card(dashboard, "Clicks over time")).toContainText("Clicks per month");
});

test("a campaign that nobody clicked in the period keeps its name", async ({ dashboard, stack }) => {
    await dashboard.goto(`${stack.base}?campaign=3&from=2019-01-01&to=2019-01-31`);
    await expect(dashboard.getByRole("list", { name: "Filters in use" })).toContainText("Campaign: First overdue notice");
    await expect(dashboard.getByLabel("Campaign", { exact: true }).locator("option:checked")).toHaveText("First overdue notice");
});

test("several properties filter at once, to what the API says; Escape takes the last one away",
    async ({ dashboard, stack, save }) => {
        const chips = dashboard.getByRole("list", { name: "Filters in use" });
        const both = await stack.api(`/v1/stats?from=30d&country=DE&device=phone&group_by=time&${zone}`);
        const all = await stack.api(`/v1/stats?from=30d&country=DE&device=phone&channel=mail&group_by=time&${zone}`);
        const german = await stack.api(`/v1/stats?from=30d&country=DE&group_by=time&${zone}`);

        expect(both.coverage.share).toBe(1);
        expect(both.total.human).toBeGreaterThan(all.total.human);
        await card(dashboard, "Countries").getByRole("link", { name: "Germany" }).click();
        await settled(dashboard);
        await card(dashboard, "Devices").getByRole("link", { name: "Phone" }).click();
        await expect(dashboard).toHaveURL(/country=DE&device=phone/);
        await settled(dashboard);
        expect(await figure(dashboard, "People’s clicks")).toBe(both.total.human);
        await card(dashboard, "Channels").getByRole("link", { name: "E-mail" }).click();
        await settled(dashboard);
        await expect(chips.getByRole("button")).toHaveText(["Remove Country: Germany ×", "Remove Device: Phone ×",
            "Remove Channel: E-mail ×", "Remove all"]);
        expect(await figure(dashboard, "People’s clicks")).toBe(all.total.human);
        expect(await figure(dashboard, "All clicks")).toBe(all.total.total);
        await expect(dashboard.locator(".covered:visible")).toHaveCount(0);
        await expect(dashboard.locator(".failed")).toHaveCount(0);
        expect((await new Axe({ page: dashboard }).analyze()).violations.map(({ id }) => id)).toEqual([]);
        await save(dashboard, "filtered-by-three-light");
        await dashboard.reload();
        await expect(chips.getByRole("button")).toHaveCount(4);
        await settled(dashboard);
        await dashboard.locator("main").focus();
        await dashboard.keyboard.press("Escape");
        await expect(dashboard).not.toHaveURL(/channel=/);
        await expect.poll(() => figure(dashboard, "People’s clicks")).toBe(both.total.human);
        await dashboard.keyboard.press("Escape");
        await expect(chips.getByRole("button")).toHaveText(["Remove Country: Germany ×"]);
        await expect.poll(() => figure(dashboard, "People’s clicks")).toBe(german.total.human);
    });

test("what several properties are counted of is said, and where they are not", async ({ dashboard, stack, save }) => {
    const query = "country=DE&device=phone";
    const half = await stack.api(`/v1/stats?from=ytd&${query}&group_by=time&${zone}`);

    await dashboard.goto(`${stack.base}?from=1y&${query}`);
    await settled(dashboard);
    expect(half.coverage.share).toBeLessThan(0.95);
    await expect(card(dashboard, "People’s clicks").locator(".covered"))
        .toContainText(/These figures cover \d\d\.\d% of the clicks\. .* From \d+ \w+ \d+ on, all are included\./);
    await save(dashboard, "filtered-partly-light");
    await dashboard.goto(`${stack.base}?from=2026-07-01&to=2026-07-05&${query}`);
    await settled(dashboard);
    await expect(card(dashboard, "Devices")).toContainText("counted by several dimensions together");
    await expect(dashboard.getByRole("alert").filter({ hasText: "can’t be shown" })).toHaveCount(0);
    // By one property, all are.
    await dashboard.goto(`${stack.base}?from=2026-07-01&to=2026-07-05&country=DE`);
    await settled(dashboard);
    expect(await figure(dashboard, "People’s clicks")).toBe(
        (await stack.api(`/v1/stats?from=2026-07-01&to=2026-07-05&country=DE&group_by=time&${zone}`)).total.human);
});

test("each property filters to what the API says",
    async ({ dashboard, stack }) => {
        for (const [title, row, query] of [["Devices", "Phone", "device=phone"], ["Channels", "E-mail", "channel=mail"],
            ["Opened from", "Webmail", "referrer=mail"], ["Variants", "Variant B", "variant=B"],
            ["Who clicked", "Mail scanners", "label=scanner"],
            ["Who clicked", "All links of a mail at once", "reason=many_links"]]) {
            const { total } = await stack.api(`/v1/stats?from=30d&${query}&group_by=time&${zone}`);

            await dashboard.goto(stack.base);
            await settled(dashboard);
            await card(dashboard, title).getByRole("link", { name: row, exact: true }).click();
            await expect(dashboard).toHaveURL(new RegExp(query));
            await settled(dashboard);
            expect(await figure(dashboard, "All clicks"), row).toBe(total.total);
            await expect(dashboard.locator(".failed")).toHaveCount(0);
            await expect(card(dashboard, "Top campaigns").getByRole("row")).not.toHaveCount(1);
        }
        await dashboard.getByRole("link", { name: "Campaigns", exact: true }).click();
        await expect(dashboard).toHaveURL(/\/dashboard\/campaigns\?.*reason=many_links/);
        await settled(dashboard);
        await expect(dashboard.locator(".failed")).toHaveCount(0);
        await dashboard.goto(`${stack.base}campaigns?device=phone`);
        await settled(dashboard);
        await card(dashboard, "Countries").getByRole("link", { name: "Germany" }).click();
        await expect(dashboard).toHaveURL(/\/dashboard\/campaigns\?device=phone&country=DE/);
        await settled(dashboard);
        await expect(card(dashboard, "Counted apart")).toContainText("(Country, Device)");
        await expect(dashboard.locator(".failed")).toHaveCount(0);
        const { rows } = await stack.api(`/v1/stats?from=30d&country=DE&device=phone&group_by=campaign&${zone}`);
        await expect(card(dashboard, "All campaigns").getByRole("row", { name: rows[0].name })).toContainText(
            rows[0].human.toLocaleString("en-GB"));
        await dashboard.goto(`${stack.base}?country=Germany`);
        await expect(dashboard.getByRole("alert").filter({ hasText: "Its filter “Country”: 'Germany' is not known" }))
            .toBeVisible();
    });

test("filters hold on every page; what a page can't pick by is struck, with the reason, and comes back",
    async ({ dashboard, stack, save }) => {
        const chips = dashboard.getByRole("list", { name: "Filters in use" });
        const { total } = await stack.api(`/v1/funnel?from=30d&variant=B&${zone}`);
        const all = await stack.api(`/v1/funnel?from=30d&${zone}`);
        const off = () => chips.locator(".off").allTextContents();

        await dashboard.goto(`${stack.base}?country=DE&variant=B`);
        await settled(dashboard);
        await dashboard.getByRole("link", { name: "Funnel", exact: true }).click();
        await expect(dashboard).toHaveURL(/funnel\?country=DE&variant=B/);
        await settled(dashboard);
        expect(await off()).toEqual(["Remove Country: Germany ×"]);
        await expect(chips.locator(".off")).toHaveAccessibleDescription("Not applied here, because invoices aren’t counted by these properties: Country.");
        await expect(card(dashboard, "Mailed").locator(".figure")).toHaveText(total.sent.toLocaleString("en-GB"));
        expect(total.sent).toBeLessThan(all.total.sent);
        await expect(card(dashboard, "What became of payments")).toContainText("the filters don’t apply");
        expect((await new Axe({ page: dashboard }).analyze()).violations.map(({ id }) => id)).toEqual([]);
        await save(dashboard, "funnel-filtered-light");
        await dashboard.getByRole("link", { name: "Reminder, 3 days before due", exact: true }).first().click(); // all else stays
        await expect(dashboard).toHaveURL(/funnel\?country=DE&variant=B&campaign=2/);
        for (const [page, name, struck] of [["links", "Links", 3], ["targets", "Targets", 3], ["health", "Health", 3]]) {
            await dashboard.getByRole("link", { name, exact: true }).click();
            await expect(dashboard).toHaveURL(new RegExp(`${page}\\?country=DE&variant=B&campaign=2`));
            await expect(chips.locator(".off")).toHaveCount(struck);
            await expect(chips).toContainText("Campaign: Reminder, 3 days before due"); // its name, which no figure of the page has
            await expect(dashboard.getByText(/^Not applied here, for .*: Country, Variant, Campaign\.$/)).toBeVisible();
        }
        await dashboard.locator("main").focus();
        await dashboard.keyboard.press("Escape"); // there, too
        await expect(dashboard).toHaveURL(/health\?country=DE&variant=B$/);
        await dashboard.getByRole("link", { name: "Overview", exact: true }).click();
        await settled(dashboard);
        expect(await off()).toEqual([]);
        const both = await stack.api(`/v1/stats?from=30d&country=DE&variant=B&group_by=time&${zone}`);

        expect(await figure(dashboard, "People’s clicks")).toBe(both.total.human);
    });

/* Where the column of the chart is, in its canvas. */
function columnOf(canvas, i) {
    return canvas.evaluate((element, at) => {
        const { scales: { x }, chartArea } = window.Chart.getChart(element);

        return { x: x.getPixelForValue(at), y: chartArea.bottom - 20 };
    }, i);
}

test("a press on a column narrows the period, by mouse and by keys; Back, Escape and its chip return",
    async ({ dashboard, stack }) => {
        const over = card(dashboard, "Clicks over time"), canvas = over.locator("canvas"), cursor = over.getByRole("slider");
        const chips = dashboard.getByRole("list", { name: "Filters in use" });
        const { rows } = await stack.api(`/v1/stats?from=30d&group_by=time&${zone}`);
        const [day, next] = [rows.at(-12), rows.at(-11)];
        const place = await columnOf(canvas, rows.length - 12);

        await canvas.hover({ position: place });
        await expect(canvas).toHaveCSS("cursor", "pointer");
        expect(await canvas.evaluate((element) => window.Chart.getChart(element).tooltip.footer)).toEqual(["Click: show only this day"]);
        await canvas.click({ position: place });
        await expect(dashboard).toHaveURL(`${stack.base}?from=${day.key}&to=${day.key}&wide=30d`);
        await settled(dashboard);
        expect(await figure(dashboard, "People’s clicks")).toBe(day.human);
        await expect(over).toContainText("Clicks per hour");
        await dashboard.goBack();
        await expect(chips).toHaveCount(0);
        await settled(dashboard);
        // The cursor stands on the last day, and goes by arrows.
        await cursor.focus();
        for (let i = 0; i < 10; i++)
            await dashboard.keyboard.press("ArrowLeft");
        await expect(cursor).toHaveAttribute("aria-valuetext", /People: [\d,]+; The 30 days before: [\d,]+; Enter: show only this day$/);
        expect((await new Axe({ page: dashboard }).analyze()).violations.map(({ id }) => id)).toEqual([]);
        await dashboard.keyboard.press("Enter");
        await expect(dashboard).toHaveURL(new RegExp(`from=${next.key}&to=${next.key}`));
        await settled(dashboard);
        const hours = await stack.api(`/v1/stats?from=${next.key}&to=${next.key}&interval=hour&group_by=time&${zone}`);
        const noon = hours.rows[12];

        await canvas.click({ position: await columnOf(canvas, 12) });
        await expect(dashboard).toHaveURL(/wide=30d\.\d{4}-\d\d-\d\d_/);
        await settled(dashboard);
        expect(await figure(dashboard, "People’s clicks")).toBe(noon.human);
        await expect(chips.getByRole("button")).toHaveText([/^Remove Period: \d+ \w+ \d{4}, 12:00 to 13:00 ×$/]);
        await expect(over.getByRole("slider")).toBeHidden(); // an hour is the smallest
        await chips.getByRole("button").click();
        await expect(chips.getByRole("button")).toHaveText([/^Remove Period: \d+ \w+ \d{4} ×$/]);
        await dashboard.locator("main").focus();
        await dashboard.keyboard.press("Escape");
        await expect(dashboard).toHaveURL(stack.base);
        await expect(chips).toHaveCount(0);
    });

test("on a phone a tap shows a column, and offers what it can be narrowed to", async ({ browser, stack }) => {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, locale: "en-GB",
        timezoneId: "Europe/Berlin" });
    const page = await context.newPage();

    await context.request.post(`${new URL(stack.base).origin}/v1/session`, { data: { key: stack.key } });
    await page.goto(`${stack.base}?from=90d&interval=month`);
    await settled(page);
    const over = card(page, "Clicks over time"), canvas = over.locator("canvas");

    await canvas.tap({ position: await columnOf(canvas, 1) });
    const offer = over.getByRole("button", { name: /^Show only: \w+ \d{4}$/ });

    await expect(offer).toBeVisible();
    await expect(page).not.toHaveURL(/wide=/);
    await offer.tap();
    await expect(page).toHaveURL(/from=\d{4}-\d\d-01&to=\d{4}-\d\d-(28|29|30|31)&wide=90d__month/);
    await settled(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await context.close();
});

test("names in the legend and steps of other charts filter, too", async ({ dashboard, stack }) => {
    const { total } = await stack.api(`/v1/stats?from=30d&campaign=2&delay=1h&group_by=time&${zone}`);

    await dashboard.goto(`${stack.base}?who=automated`);
    await settled(dashboard);
    await card(dashboard, "Clicks over time").getByRole("link", { name: "Bots" }).click();
    await expect(dashboard).toHaveURL(/who=automated&label=bot/);
    await dashboard.goto(`${stack.base}campaigns?from=30d`);
    await settled(dashboard);
    await card(dashboard, "Over time").getByRole("link", { name: "Reminder, 3 days before due" }).click();
    await expect(dashboard).toHaveURL(/campaign=2$/);
    await settled(dashboard);
    const cursor = card(dashboard, "From mail to click").getByRole("slider");

    await cursor.focus();
    await dashboard.keyboard.press("Home");
    for (let i = 0; i < 3; i++)
        await dashboard.keyboard.press("ArrowRight");
    await dashboard.keyboard.press("Enter");
    await expect(dashboard).toHaveURL(/campaign=2&delay=1h/);
    await settled(dashboard);
    await expect(dashboard.locator(".stage .figure")).toHaveText(total.human.toLocaleString("en-GB"));
    await expect(dashboard.getByRole("list", { name: "Filters in use" })).toContainText("After the link was made: 15 to 60 minutes");
});
