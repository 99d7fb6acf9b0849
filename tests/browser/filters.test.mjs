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
    await expect(card(dashboard, "Countries").getByRole("link")).toHaveCount(0); // it is the filter
    await expect(card(dashboard, "Devices")).toHaveCount(0);
    await expect(card(dashboard, "Counted apart")).toContainText("picked by “Country”");
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

test("each property filters to what the API says, and one takes the place of another",
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
        await dashboard.getByRole("link", { name: "Campaigns" }).click(); // which knows no reasons
        await settled(dashboard);
        await expect(dashboard).not.toHaveURL(/reason=/);
        await card(dashboard, "Countries").getByRole("link", { name: "Germany" }).click();
        await expect(dashboard).toHaveURL(/\/dashboard\/\?.*country=DE/);
        await settled(dashboard);
        await dashboard.goto(`${stack.base}?country=Germany`);
        await expect(dashboard.getByRole("alert").filter({ hasText: "Its filter “Country”: there is no country" }))
            .toBeVisible();
    });
