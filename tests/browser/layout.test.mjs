// The layout: long names, very many campaigns, narrow and middling screens, paper.
import AxeBuilder from "@axe-core/playwright";
import { card, expect, settled, test } from "./fixtures.mjs";

const Axe = AxeBuilder.default ?? AxeBuilder;
const long = "Newsletter: what is new in autumn, and which plans will change for customers with several domains ";

/* As if there were so many campaigns more. */
async function addCampaigns(page, n, human = (i) => n - i) {
    await page.route(/\/v1\/stats\?(?=.*group_by=campaign(&|$))/, async (route) => {
        const reply = await route.fetch().catch(() => null), data = await reply?.json().catch(() => null);

        if (!data) // the page does not wait for it any more
            return;
        const rows = Array.from({ length: n }, (_, i) => ({ key: String(1000 + i), name: `${long}${i}`,
            total: human(i), human: human(i), automated: 0 }));

        for (const one of [data, data.previous].filter(Boolean))
            one.rows = [...one.rows, ...rows].sort((a, b) => b.human - a.human);
        await route.fulfill({ response: reply, json: data });
    });
}

test("a thousand campaigns are searched, sorted, and turned by pages", async ({ dashboard, stack, save }) => {
    await addCampaigns(dashboard, 1000);
    await dashboard.goto(`${stack.base}campaigns?from=90d&campaign=1,2`);
    await settled(dashboard);
    const all = card(dashboard, "All campaigns"), rows = all.locator("tbody tr");

    await expect(rows).toHaveCount(10);
    await expect(all.getByRole("status")).toHaveText(/^1 to 10 of 1,0\d\d$/);
    await all.getByRole("button", { name: "Next page" }).click();
    await expect(all.getByRole("status")).toHaveText(/^11 to 20 of 1,0\d\d$/);
    await expect(all.getByRole("button", { name: "Next page" })).toBeFocused();
    await expect(all.getByRole("columnheader", { name: "Clicked per mail" })).toHaveAttribute("aria-sort", "descending");
    await all.getByRole("button", { name: "Clicks" }).click(); // the most first
    await all.getByRole("button", { name: "Clicks" }).click(); // the fewest first
    await expect(all.getByRole("columnheader", { name: "Clicks" })).toHaveAttribute("aria-sort", "ascending");
    await expect(rows.first()).toContainText(`${long}999`);
    await all.getByRole("button", { name: "Campaign", exact: true }).click(); // by name
    await expect(rows.first()).toContainText("Domain renewal 2026");
    await all.getByLabel("Search").fill("overdue second");
    await expect(rows).toHaveCount(1);
    await expect(rows.first()).toContainText("Second overdue notice");
    await all.getByLabel("Search").fill("1234"); // a number is found, too
    await expect(rows.first()).toContainText(`${long}234`);
    await all.getByRole("checkbox").click();
    await expect(dashboard).toHaveURL(/campaign=1%2C2%2C1234/);
    await settled(dashboard);
    await expect(all.getByLabel("Search")).toHaveValue("1234"); // to tick another one
    await expect(all.getByRole("checkbox")).toBeChecked();
    // On a phone there is room for more than the beginning of a word.
    await dashboard.setViewportSize({ width: 390, height: 844 });
    expect((await rows.first().locator(".name").boundingBox()).width).toBeGreaterThan(90);
    await all.getByLabel("Search").fill("no such name");
    await expect(rows.first()).toHaveText("Nothing has that in its name.");
    await save(dashboard, "campaigns-thousand");
});

test("what a ranking leaves out opens as a list, and so do campaigns that no menu can hold",
    async ({ dashboard, stack, save }) => {
        await addCampaigns(dashboard, 1000);
        await dashboard.goto(stack.base);
        await settled(dashboard);
        const more = card(dashboard, "Top campaigns").getByRole("button", { name: /^1,0\d\d more/ });
        const dialog = dashboard.getByRole("dialog");

        await more.click();
        await expect(dialog).toBeVisible();
        await dialog.getByLabel("Search").fill("renewal");
        await expect(dialog.locator("tbody tr")).toHaveCount(1);
        await save(dashboard, "more-light", {});
        expect((await new Axe({ page: dashboard }).analyze()).violations.map(({ id }) => id)).toEqual([]);
        await dashboard.keyboard.press("Escape");
        await dashboard.keyboard.press("Escape"); // the first may only empty the search
        await expect(dialog).toHaveCount(0);
        await expect(more).toBeFocused();
        await dashboard.getByLabel("Campaign", { exact: true }).selectOption({ label: (await dashboard.getByRole("option", { name: /^All 1,0\d\d …/ }).textContent()).trim() });
        await dialog.getByLabel("Search").fill("overdue first");
        await dialog.getByRole("button", { name: "First overdue notice" }).click();
        await expect(dashboard).toHaveURL(/campaign=3/);
        await expect(dialog).toHaveCount(0);
    });

test("the funnel shows those with the most mails, and a thousand in a table that is searched and sorted",
    async ({ dashboard, stack }) => {
        await dashboard.route(/\/v1\/funnel\?(?=.*group_by=campaign(&|$))/, async (route) => {
            const reply = await route.fetch(), data = await reply.json();

            data.rows.push(...Array.from({ length: 1000 }, (_, i) => ({ key: String(1000 + i), name: `${long}${i}`, sent: 10, clicked: i === 999 ? 16 : i % 10, paid: 0,
                click_rate: i === 999 ? 1.6 : i % 10 / 10, conversion_rate: 0, pay_rate: 0, amount: {}, sent_to_click_s: null, click_to_pay_s: null })));
            await route.fulfill({ response: reply, json: data });
        });
        await dashboard.goto(`${stack.base}funnel?country=DE`);
        await settled(dashboard);
        const all = card(dashboard, "All campaigns"), rows = all.locator("tbody tr");

        await expect(dashboard.locator(".stage")).toHaveCount(8);
        await expect(dashboard.locator(".stage h3").first()).toHaveText("Invoice created");
        await expect(all.getByRole("status")).toHaveText(/^1 to 20 of 1,0\d\d$/);
        await expect(all.getByRole("columnheader", { name: "Paid per mail" })).toHaveAttribute("aria-sort", "descending");
        await all.getByRole("button", { name: "Clicked per mail" }).click();
        await expect(rows.first()).toContainText(`${long}999`);
        await expect(rows.first().getByTitle("More mails were clicked than were reported")).toHaveText("over 100.0%");
        await all.getByLabel("Search").fill("1234");
        await all.getByRole("link", { name: `${long}234` }).click();
        await expect(dashboard).toHaveURL(/funnel\?country=DE&campaign=1234$/);
        await settled(dashboard);
    });

test("every table compares with the other period", async ({ dashboard, stack }) => {
    for (const view of ["?from=30d&who=total", "campaigns?from=30d", "campaigns?from=30d&campaign=2", "funnel?from=30d"]) {
        await dashboard.goto(stack.base + view);
        await settled(dashboard);
        const tables = await dashboard.locator("main table").evaluateAll((all) => all.map((table) =>
            [table.caption.textContent, [...table.tHead.querySelectorAll("th")].map(({ textContent }) => textContent)]));

        expect(tables.length, view).toBeGreaterThan(1);
        expect(tables.filter(([, heads]) => !heads.includes("Change")).map(([caption]) => caption), view).toEqual([]);
    }
});

test("the hours of the week compare days with as many days of the other period", async ({ dashboard, stack, save }) => {
    await dashboard.goto(`${stack.base}?from=2026-10-29&to=2026-11-22`); // 25 days: three Mondays, and four before
    await settled(dashboard);
    const query = "/v1/stats?from=2026-10-29&to=2026-11-22&group_by=time&interval=day&compare=previous&tz=Europe%2FBerlin";
    const { rows, previous } = await stack.api(query);
    const isMonday = ({ key }) => new Date(key).getUTCDay() === 1;
    const sums = [rows, previous.rows].map((all) => all.filter(isMonday))
        .map((all) => ({ n: all.length, sum: all.reduce((sum, { human }) => sum + human, 0) }));
    const [now, before] = sums.map(({ n, sum }) => (Math.round(sum / n * 10) / 10).toLocaleString("en-GB"));
    const week = card(dashboard, "When they click"), monday = week.getByRole("row", { name: "Mon" });

    expect(sums.map(({ n }) => n)).toEqual([3, 4]);
    await expect(monday.locator(".difference")).toHaveAttribute("title", `${now} clicks a day; the period before: ${before}`);
    await expect(monday.locator("td").nth(9)).toHaveAttribute("title",
        /^Monday, 0?9:00 to 10:00: \d+ clicks? \(3 days\); the period before: \d+ clicks? \(4 days\)$/);
    await save(week, "week-compared", {});
    await dashboard.setViewportSize({ width: 390, height: 844 });
    expect(await week.locator(".difference").evaluateAll((all) => all.every((one) =>
        one.getBoundingClientRect().width <= one.parentElement.clientWidth))).toBe(true);
    expect(await week.locator(".scroll").evaluate((one) => one.scrollWidth <= one.clientWidth)).toBe(true);
    await dashboard.evaluate(() => window.toggleTheme());
    await save(week, "week-compared-390-dark", {});
});

test("an hour of the week is told in words by arrow keys and by a tap, also while new figures come", async ({ dashboard, browser, stack }) => {
    const view = `${stack.base}?from=2026-10-29&to=2026-11-22`;
    const hourOf = (page, day, hour) => card(page, "When they click").getByRole("row", { name: day }).getByRole("gridcell").nth(hour);
    const saidOn = (page) => card(page, "When they click").locator(".heat-note p").first();
    const said = saidOn(dashboard), nine = hourOf(dashboard, "Mon", 9);

    await dashboard.goto(view);
    await settled(dashboard);
    await expect(said).toHaveText(/^The busiest hour: /);
    await card(dashboard, "When they click").locator("td[tabindex='0']").focus(); // where the Tab key leads
    await expect(said).toHaveText(/^\w+day, \d?\d:00 to \d?\d:00: \d+ clicks/);
    await dashboard.keyboard.press("Home");
    for (const key of [...Array(6).fill("ArrowUp"), ...Array(9).fill("ArrowRight")])
        await dashboard.keyboard.press(key);
    await expect(nine).toBeFocused();
    await expect(said).toHaveText(await nine.getAttribute("title"));
    expect((await new Axe({ page: dashboard }).analyze()).violations.map(({ id }) => id)).toEqual([]);
    await nine.evaluate((cell) => {
        window.reached = cell;
        document.dispatchEvent(new CustomEvent("renamed")); // all figures are read again
    });
    await expect.poll(() => dashboard.evaluate(() => window.reached.isConnected)).toBe(false);
    await expect(nine).toBeFocused();
    await expect(said).toHaveText(await nine.getAttribute("title"));
    await dashboard.locator("main").focus();
    await expect(said).toHaveText(/^The busiest hour: /);
    const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, locale: "en-GB",
        timezoneId: "Europe/Berlin" });
    const phone = await context.newPage();

    await context.request.post(`${new URL(stack.base).origin}/v1/session`, { data: { key: stack.key } });
    await phone.goto(view);
    await settled(phone);
    await hourOf(phone, "Tue", 3).tap();
    await expect(saidOn(phone)).toHaveText(/^Tuesday, 0?3:00 to 0?4:00: /);
    await context.close();
});

test("on a phone the change stands below the figure, and such tables don't scroll sideways", async ({ dashboard, stack, save }) => {
    for (const [view, title] of [["?from=30d", "Top campaigns"], ["campaigns?from=30d", "All campaigns"], ["campaigns?from=30d&campaign=2", "A/B test"],
        ["funnel?from=30d", "A/B tests by payments"]]) {
        const table = card(dashboard, title).locator("table"), rows = table.locator("tbody tr");

        await dashboard.setViewportSize({ width: 1280, height: 900 });
        await dashboard.goto(stack.base + view);
        await settled(dashboard);
        const wide = await table.locator(".difference:visible").allTextContents();

        expect(wide.length, title).toBe(await rows.count());
        await dashboard.setViewportSize({ width: 360, height: 740 });
        expect(await rows.locator("td .below .difference:visible").allTextContents(), title).toEqual(wide);
        await expect(table.locator(".difference:visible")).toHaveCount(wide.length);
        expect(await table.evaluate((one) => one.scrollWidth <= one.parentElement.clientWidth), title).toBe(true);
        await save(card(dashboard, title), `change-below-${title.toLowerCase().replaceAll(/\W/g, "-")}`, {});
    }
});

test("where campaigns are ordered by what was clicked of their mails, the columns say what they are", async ({ dashboard }) => {
    await expect(card(dashboard, "Top campaigns").getByRole("columnheader")).toHaveText(["Name", "Clicks", "Clicked per mail", "Change"]);
    await expect(card(dashboard, "Top campaigns").locator("thead")).not.toHaveClass(/visually-hidden/);
});

test("a few campaigns are compared by a dashed line each, more by a sentence", async ({ dashboard, stack, save }) => {
    await dashboard.goto(`${stack.base}campaigns?from=2026-11-09&to=2026-11-22&campaign=1,2&interval=day`);
    await settled(dashboard);
    const over = card(dashboard, "Over time");
    const { previous } = await stack.api("/v1/stats?from=2026-11-09&to=2026-11-22&campaign=1,2&group_by=time,campaign&interval=day&" +
        "compare=previous&tz=Europe%2FBerlin");
    const before = previous.rows.filter(({ campaign }) => campaign === "2").reduce((sum, { human }) => sum + human, 0);

    await expect(over.locator(".legend").getByRole("listitem")).toHaveText(["Invoice created", "Reminder, 3 days before due", "The period before"]);
    await expect(over).not.toContainText("Up to 3 campaigns");
    await over.getByText("Show as a table").click();
    await expect(over.getByRole("columnheader")).toHaveText(["Time", "Invoice created", "Reminder, 3 days before due",
        "Invoice created: the period before", "Reminder, 3 days before due: the period before"]);
    const cells = await over.locator("tbody tr").evaluateAll((rows) => rows.map((row) =>
        Number(row.lastElementChild.textContent.replaceAll(/\D/g, ""))));

    expect(before).toBeGreaterThan(0);
    expect(cells.reduce((sum, n) => sum + n, 0)).toBe(before);
    await over.getByText("Show as a table").click();
    await save(over, "campaigns-compared", {});
    await dashboard.setViewportSize({ width: 390, height: 844 });
    await dashboard.evaluate(() => window.toggleTheme());
    await save(over, "campaigns-compared-390-dark", {});
    await dashboard.goto(`${stack.base}campaigns?from=7d&campaign=1,2,3,4`);
    await settled(dashboard);
    await expect(over).toContainText("Up to 3 campaigns are compared with another period here");
    await expect(over.locator(".legend").getByRole("listitem")).toHaveCount(4);
});

test("a long name has two lines, and is whole when pointed at", async ({ dashboard, stack }) => {
    await addCampaigns(dashboard, 40);
    await dashboard.goto(`${stack.base}campaigns?from=90d&campaign=1000,1001,1002,1003,1004,1005`);
    await settled(dashboard);
    for (const name of [dashboard.locator(".stage h3").first(), card(dashboard, "All campaigns").locator(".name").nth(7)]) {
        const { lines, isCut } = await name.evaluate((element) => ({
            lines: element.clientHeight / Number.parseFloat(getComputedStyle(element).lineHeight),
            isCut: element.scrollHeight > element.clientHeight }));

        expect(Math.round(lines)).toBeLessThanOrEqual(2);
        expect(isCut).toBe(true);
        expect(await name.evaluate((element) => element.closest("[title]").title)).toContain(long.trim());
    }
});

for (const [width, height] of [[390, 844], [768, 1024]]) {
    test(`at ${width} px nothing sticks out, and the first number needs no scrolling`,
        async ({ dashboard, stack, save }) => {
            await addCampaigns(dashboard, 40, () => 12345678);
            await dashboard.setViewportSize({ width, height });
            for (const view of ["", "campaigns", "campaigns?campaign=1000", "links", "health"]) {
                await dashboard.goto(stack.base + view);
                if (view !== "links")
                    await settled(dashboard);
                expect(await dashboard.evaluate(() => document.documentElement.scrollWidth), view)
                    .toBeLessThanOrEqual(width);
                if (view === "" || view === "campaigns") {
                    const box = await dashboard.locator(".figure").first().boundingBox();

                    expect(box.y + box.height, view).toBeLessThan(height * 0.6);
                    await save(dashboard, `${view || "overview"}-${width}`);
                }
            }
        });
}

test("on a phone the filters are folded, say what they are, and open", async ({ dashboard, stack }) => {
    await dashboard.setViewportSize({ width: 390, height: 844 });
    await dashboard.goto(`${stack.base}?from=7d&kind=pay`);
    await settled(dashboard);
    const fold = dashboard.getByRole("button", { name: "Last 7 days · People · Pay" });

    await expect(dashboard.getByLabel("Period")).toBeHidden();
    await expect(fold).toHaveAttribute("aria-expanded", "false");
    await fold.click();
    await dashboard.getByLabel("Period").selectOption("90d");
    await expect(dashboard).toHaveURL(/from=90d/);
    await expect(dashboard.getByLabel("Period")).toBeVisible(); // it stays open while they are changed
    await dashboard.getByRole("button", { name: "Last 90 days · People · Pay" }).click();
    await expect(dashboard.getByLabel("Period")).toBeHidden();
});

for (const [of, view] of [["the overview", ""], ["a filtered one", "?country=DE&device=phone"], ["campaigns", "campaigns"]]) {
    test(`two cards side by side leave no hole, and none is taller than what is in it, on ${of}`, async ({ dashboard, stack }) => {
        await dashboard.setViewportSize({ width: 768, height: 1024 });
        await dashboard.goto(stack.base + view);
        await settled(dashboard);
        const boxes = await dashboard.locator(".grid > .card").evaluateAll((cards) => cards.map((one) => {
            const { left, right, bottom } = one.getBoundingClientRect();
            const body = one.lastElementChild.getBoundingClientRect();

            return { width: right - left, left, rest: bottom - body.bottom };
        }));
        const halves = boxes.filter(({ width }) => width < 500);

        expect(halves.length % 2).toBe(0);
        expect(halves.filter(({ left }) => left < 100).length).toBe(halves.length / 2);
        expect(Math.max(...boxes.map(({ rest }) => rest))).toBeLessThan(30);
    });
}

test("millions are short, and in full when pointed at", async ({ dashboard, stack }) => {
    await addCampaigns(dashboard, 1, () => 12345678);
    await dashboard.goto(`${stack.base}campaigns?campaign=1000`);
    await settled(dashboard);
    await expect(dashboard.locator(".stage .figure")).toHaveText("12.35M");
    await expect(dashboard.locator(".stage .figure")).toHaveAttribute("title", "12,345,678");
});

test("paper is white, says what the figures are of, and has nothing to press", async ({ dashboard, stack, save }) => {
    await dashboard.emulateMedia({ colorScheme: "dark", media: "print" });
    await dashboard.goto(`${stack.base}?from=90d&kind=pay`);
    await settled(dashboard);
    expect(await dashboard.evaluate(() => getComputedStyle(document.documentElement).backgroundColor))
        .toBe("rgb(255, 255, 255)");
    await expect(dashboard.getByText(/^acme · last 90 days · Pay · clicks by people · printed \d/)).toBeVisible();
    for (const control of [dashboard.getByLabel("Period"), dashboard.getByRole("button", { name: "Sign out" }),
        dashboard.getByRole("link", { name: "Download CSV" })])
        await expect(control).toBeHidden();
    await save(dashboard, "overview-print");
    for (const view of ["campaigns", "funnel", "links"]) {
        await dashboard.goto(stack.base + view);
        await settled(dashboard);
        await expect(dashboard.getByText(/printed \d+ \w+ \d{4}, \d\d:\d\d$/)).toBeVisible(); // "2 minutes ago" is since then
        await expect(dashboard.locator(".button:visible")).toHaveCount(0);
        // A chart ends where its place does, so that it covers neither its notes nor the next card.
        expect(await dashboard.locator(".plot").evaluateAll((plots) => plots.filter((plot) => {
            const place = plot.getBoundingClientRect(), picture = plot.querySelector("canvas").getBoundingClientRect();

            return picture.bottom > place.bottom + 1 || picture.right > place.right + 1;
        }).length), view).toBe(0);
        // Nothing can be scrolled on paper.
        expect(await dashboard.locator(".scroll").evaluateAll((all) => all.every((one) => getComputedStyle(one).overflowY === "visible")), view).toBe(true);
    }
    await dashboard.goto(stack.base);
    await dashboard.emulateMedia({ colorScheme: "dark", media: "screen" });
    await expect.poll(() => dashboard.evaluate(() =>
        getComputedStyle(document.documentElement).backgroundColor)).toBe("rgb(14, 17, 22)");
});

for (const [locale, number, day] of [["de-DE", /^\d\.\d{3}$/, /^\w\w?\., \d+\. \w+/], ["en-US", /^\d,\d{3}$/, /^\w{3}, \w{3} \d+, \d{4}/]]) {
    test(`numbers and dates are as people in ${locale} write them`, async ({ browser, stack }) => {
        const context = await browser.newContext({ locale, timezoneId: "Europe/Berlin" });
        const page = await context.newPage();
        const origin = new URL(stack.base).origin;

        await context.request.post(`${origin}/v1/session`, { data: { key: stack.key } });
        await page.goto(stack.base);
        await settled(page);
        await expect(page.locator(".figure").first()).toHaveText(number);
        await page.locator(".data summary").first().click();
        await expect(page.locator(".data tbody th").first()).toHaveText(day);
        await context.close();
    });
}
