// A real redis-server and a real hopcountd for the browser, in a folder of their own.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const build = resolve(process.env.HOPCOUNT_BUILD ?? "../../build");
export const HOST = "go.acme.example";

async function freePort() {
    const server = createServer();

    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address();
    await new Promise((done) => server.close(done));
    return port;
}

/** Waits until `test` is true. */
export async function until(test, what, seconds = 20) {
    const end = Date.now() + seconds * 1000;

    for (;;) {
        try {
            if (await test())
                return;
        } catch {
            // not yet
        }
        if (Date.now() > end)
            throw new Error(`waited ${seconds} s in vain: ${what instanceof Function ? what() : what}`);
        await new Promise((done) => setTimeout(done, 50));
    }
}

export function ask(port, path, headers = {}, host = "127.0.0.1") {
    return new Promise((done, fail) => {
        // A connection of its own: while commands run we would not see that one kept was closed as idle.
        const asked = request({ host: "127.0.0.1", port, path, agent: false, headers: { Host: host, ...headers } },
            (reply) => {
                let body = "";

                reply.setEncoding("utf8");
                reply.on("data", (text) => { body += text; });
                reply.on("end", () => done({ status: reply.statusCode, headers: reply.headers,
                    body }));
            });

        asked.on("error", fail);
        asked.end();
    });
}

async function end(process) {
    if (!process || process.exitCode !== null || process.signalCode !== null)
        return;
    const ended = new Promise((done) => process.once("exit", done));

    process.kill("SIGTERM");
    setTimeout(() => process.kill("SIGKILL"), 10000).unref();
    await ended;
}

export class Stack {
    async start() {
        try {
            await this.startAll();
        } catch (error) {
            await this.stop();
            throw error;
        }
        return this;
    }

    async startAll() {
        this.folder = mkdtempSync(join(tmpdir(), "hopcount-browser-"));
        this.socket = join(this.folder, "redis.sock");
        this.port = await freePort();
        this.adminPort = await freePort();
        this.base = `http://127.0.0.1:${this.adminPort}/dashboard/`;
        await this.startRedis();
        this.writeConfig();
        await this.startDaemon();
    }

    async startDaemon() {
        this.daemon = this.spawn(join(build, "hopcountd"), ["-c", this.config], "hopcountd.log");
        await until(async () => (await ask(this.adminPort, "/readyz")).status === 200,
            () => `hopcountd is ready; its log: ${this.log("hopcountd.log")}`);
    }

    spawn(program, parameters, log) {
        const out = openSync(join(this.folder, log), "a");

        return spawn(program, parameters, { stdio: ["ignore", out, out] });
    }

    log(name) {
        try {
            return readFileSync(join(this.folder, name), "utf8").slice(-2000);
        } catch {
            return "";
        }
    }

    async startRedis() {
        this.redis = this.spawn("redis-server", ["--port", "0", "--unixsocket", this.socket,
            "--dir", this.folder, "--save", "", "--appendonly", "yes"], "redis.log");
        await until(() => this.redisCli("PING").trim() === "PONG", "redis-server answers");
    }

    async stopRedis() {
        const ended = new Promise((done) => this.redis.once("exit", done));

        this.redis.kill("SIGKILL");
        await ended;
    }

    redisCli(...parameters) {
        return execFileSync("redis-cli", ["-s", this.socket, ...parameters],
            { encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
    }

    /** Many commands at once, one a line. */
    redisLoad(lines) {
        execFileSync("redis-cli", ["-s", this.socket, "--pipe"], { input: lines.join("\n") + "\n" });
    }

    hopcount(...parameters) {
        return execFileSync(join(build, "hopcount"), parameters,
            { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    }

    writeConfig() {
        const keys = join(this.folder, "keys"), apiKeys = join(this.folder, "api-keys");

        this.config = join(this.folder, "hopcount.yaml");
        writeFileSync(keys, `1 mint ${"0123456789abcdef".repeat(4)}\n`);
        chmodSync(keys, 0o600);
        const make = (name, scope, ...more) => this.hopcount("apikey", "--name", name, "--scope",
            scope, ...more, "--add", apiKeys).match(/hc_\w+/)[0];

        this.key = make("marketing", "stats:read");
        this.leadKey = make("lead", "stats:read,links:write");
        this.officeKey = make("office", "stats:read,links:write,events:write");
        this.writeKey = make("billing", "links:write,events:write");
        this.chiefKey = make("chief", "stats:read,admin");
        this.acmeKey = make("acme", "stats:read", "--brands", "acme");
        writeFileSync(this.config, `public: { listen: "127.0.0.1:${this.port}", workers: 2 }
admin: { listen: "127.0.0.1:${this.adminPort}", api_keys: ${apiKeys}, rate_per_min: 100000 }
state_dir: ${join(this.folder, "state")}
redis: { url: "unix://${this.socket}" }
keys: ${keys}
brands:
  - name: acme
    hosts: [${HOST}]
    base_url: https://${HOST}
    preset: whmcs
    billing_url: https://billing.acme.example
    home: https://www.acme.example/
`);
    }

    /** The same brand with these targets instead, which are watched; for restart().  Returns what undoes it. */
    watch(targets) {
        const before = readFileSync(this.config, "utf8");
        const brand = before.replace(`hosts: [${HOST}]`, `hosts: [${HOST}, 127.0.0.1]`)
            .replace(`base_url: https://${HOST}`, `base_url: http://127.0.0.1:${this.port}`)
            .replace("workers: 2 }", "workers: 2, drain_delay_s: 0 }")
            .replace(/ {4}preset[^]*/, "");

        writeFileSync(this.config, `${brand}    ${targets}
checks: { every_s: 1, failures: 1, pace_ms: 0 }
`);
        return () => writeFileSync(this.config, before);
    }

    /** People sign in at a real provider, which is started; for restart().  Returns what ends both. */
    async signInAtProvider(name) {
        const before = readFileSync(this.config, "utf8");
        const issuer = `http://127.0.0.1:${await freePort()}`;
        const provider = this.spawn("node", [resolve("oidc/provider.mjs"), new URL(issuer).port,
            `http://127.0.0.1:${this.adminPort}/v1/session/oidc/callback`], "provider.log");

        await until(async () => (await fetch(`${issuer}/.well-known/openid-configuration`)).ok,
            () => `the provider answers; its log: ${this.log("provider.log")}`, 60);
        writeFileSync(this.config, before.replace("rate_per_min: 100000 }", `rate_per_min: 100000,
  oidc: { issuer: "${issuer}", name: ${name}, client_id: public-es256, scopes: openid email groups },
  users: [{ user: ada@acme.example, role: read }, { group: bosses, role: admin }] }`));
        return { end: () => end(provider), undo: () => writeFileSync(this.config, before) };
    }

    /** The URL of a new link; options as `hopcount mint` takes them. */
    mint(...options) {
        return this.hopcount("mint", "-c", this.config, ...options).trim();
    }

    /** Tells the service something: `hopcount event …`, `hopcount revoke …`. */
    tell(...words) {
        return this.hopcount(...words, "--url", `http://127.0.0.1:${this.adminPort}`, "--key", this.writeKey);
    }

    /** A click as a person's browser makes it. */
    async click(url) {
        const reply = await ask(this.port, new URL(url).pathname, {
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
            "Accept": "text/html,application/xhtml+xml", "Accept-Language": "de",
            "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1",
            "Sec-Fetch-Site": "cross-site", "Upgrade-Insecure-Requests": "1",
        }, HOST);

        if (reply.status !== 302)
            throw new Error(`a click was answered ${reply.status}`);
    }

    /** What the API says, as JSON. */
    async api(path) {
        const reply = await ask(this.adminPort, path, { Authorization: `Bearer ${this.key}` });

        if (reply.status !== 200)
            throw new Error(`${path}: ${reply.status} ${reply.body}`);
        return JSON.parse(reply.body);
    }

    ask(path, headers) {
        return ask(this.adminPort, path, headers);
    }

    /** What the public port answers. */
    askPublic(path, headers) {
        return ask(this.port, path, headers, HOST);
    }

    /** A new hopcountd in the place of the old one, as at an upgrade. */
    async restart() {
        await end(this.daemon);
        await this.startDaemon();
    }

    async stop() {
        for (const process of [this.daemon, this.redis])
            await end(process);
        rmSync(this.folder, { recursive: true, force: true });
    }
}
