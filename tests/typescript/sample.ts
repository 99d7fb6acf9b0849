// A program as a developer writes it on the client that openapi-typescript makes of
// proto/openapi.yaml.  It compiles only if the description's types are of use, and ends with 0 only
// if a running hopcountd answers as they say.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { env: Record<string, string | undefined> };

function must<T>(value: T | undefined | null, what: string): T {
    if (value === undefined || value === null)
        throw new Error(what);
    return value;
}

function same(got: unknown, want: unknown): void {
    if (JSON.stringify(got) !== JSON.stringify(want))
        throw new Error(`${JSON.stringify(got)} is not ${JSON.stringify(want)}`);
}

const { GET, POST, PUT, DELETE } = createClient<paths>({
    baseUrl: must(process.env.HOPCOUNT_URL, "HOPCOUNT_URL"),
    headers: { Authorization: `Bearer ${must(process.env.HOPCOUNT_API_KEY, "HOPCOUNT_API_KEY")}` },
});

// What has a default may be left out.
const bare: components["schemas"]["LinkRequest"] = { kind: "view", object: 1234 };
const one = must((await POST("/v1/links", { body: bare })).data, "no link");
const token: string = must(one.token, "no token");

// A batch is an array, and its answer one, too.
const batch = must((await POST("/v1/links:batch", {
    body: [{ kind: "view", object: 1 }, { kind: "pay", object: 2, client: 77, campaign: 12 }],
})).data, "no links");
same(batch.map(({ brand }) => brand), ["acme", "acme"]);

// Ids go from one answer into the next request as they are.
const link = must((await GET("/v1/links/{token}", { params: { path: { token } } })).data, "no link");
const object: number = link.object;
const item = must((await GET("/v1/objects/{id}", { params: { path: { id: object } } })).data, "no object");
same([item.id, item.clicks.total], [1234, 0]);
const top = must((await GET("/v1/top/links", {})).data, "no list");
same(top.rows.map(({ id }): string => id), []);
const revoked = must((await POST("/v1/revocations", { body: { scope: "link", id: link.id } })).data, "not revoked");
same(revoked.id, link.id);
await DELETE("/v1/revocations/{scope}/{brand}/{id}", {
    params: { path: { scope: "link", brand: link.brand, id: revoked.id } } });

const stopped = must((await POST("/v1/revocations", { body: { scope: "client", id: 77 } })).data, "not revoked");
const [stoppedId, stoppedBrand, before]: [string, string, string] = [stopped.id, stopped.brand, stopped.issued_before];
same([stoppedId, before.length > 0], ["77", true]);
await DELETE("/v1/revocations/{scope}/{brand}/{id}", {
    params: { path: { scope: "client", brand: stoppedBrand, id: stoppedId } } });

const outcomes = must((await POST("/v1/events:batch", {
    body: [{ id: "mail-2", type: "mail.sent", object: 2, client: 77, campaign: 12 }, { id: "", type: "mail.sent" }],
})).data, "no outcomes");
same(outcomes.map(({ outcome }) => outcome), ["accepted", "refused"]);

await PUT("/v1/campaigns/{id}", { params: { path: { id: 12 } }, body: { name: "First reminder" } });
const named = must((await GET("/v1/campaigns", { params: { query: { limit: 100 } } })).data, "no campaigns");
same([named.campaigns.map(({ id, name }): [number, string | null] => [id, name]), named.next_page], [[[12, "First reminder"]], null]);
same((await DELETE("/v1/campaigns/{id}", { params: { path: { id: 12 } } })).response.status, 204);
same(must((await GET("/v1/campaigns", {})).data, "no campaigns").campaigns, []);

// Lists come in pages; `next_page` of one is `page` of the next.
for (let page: number | null = 0; page !== null;) {
    const listed: components["schemas"]["ObjectList"] = must(
        (await GET("/v1/objects", { params: { query: { page, limit: 2 } } })).data, "no objects");
    page = listed.next_page;
}
same(must((await GET("/v1/clients", {})).data, "no clients").next_page, null);

const stats = must((await GET("/v1/stats", { params: { query: { group_by: "time" } } })).data, "no statistics");
same(stats.total.human, 0);
const csv: string = must((await GET("/v1/stats.csv", { parseAs: "text" })).data, "no CSV");
same(csv.split(",")[0], "time");

// What goes wrong says what, for programs and for people.
const { error } = await POST("/v1/links", { body: { kind: "pay", ttl: "1h", client: 4294967296 } });
const problem = must(error, "no problem");
same(problem.type, "/problems/invalid-fields");
same(problem.errors?.map(({ field }) => field), ["client", "object"]);
console.log("good");
